"""OpenAPI documents in, enforced operations out."""
