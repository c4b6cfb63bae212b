"""Contracts: an OpenAPI document in, enforced operations out."""

from gateway.contracts.packs import pack_path
from gateway.contracts.reader import read_contract

__all__ = ["pack_path", "read_contract"]
