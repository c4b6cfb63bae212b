"""What tests of sockets share: strict message framing, a raw client, a recording upstream."""
