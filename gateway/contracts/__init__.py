"""Contracts: an OpenAPI document in, enforced operations out.

``sources`` and ``overlays`` give the document, ``openapi`` reads it with the help of the other modules into a
``described`` contract, ``operations`` makes of that what requests are judged by.
"""

from gateway.contracts.packs import overlay_path, pack_files, pack_path

__all__ = ["overlay_path", "pack_files", "pack_path"]
