"""Schemas of every dialect in, schemas in plain form out (:mod:`gateway.core.schema.plain`)."""

from gateway.contracts.schemas.dialects import Dialect, named_dialect
from gateway.contracts.schemas.reader import SchemaReader, read_schema

__all__ = ["Dialect", "SchemaReader", "named_dialect", "read_schema"]
