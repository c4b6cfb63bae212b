"""Refusals as responses: the OpenAI dialect and RFC 9457 problem details."""
