"""Schemas in plain form, compiled: a fast form says yes or no, a full one tells what is wrong."""

from gateway.core.schema.compiler import Schemas

__all__ = ["Schemas"]
