"""Contracts: an OpenAPI document in, enforced operations out."""

from gateway.contracts.packs import pack_files, pack_path
from gateway.contracts.reader import read_contract

__all__ = ["pack_files", "pack_path", "read_contract"]
