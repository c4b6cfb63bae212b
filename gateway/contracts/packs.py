"""The contracts that ship: in ``config/openapi`` of a checkout, in the package of a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.errors import GatewayError

PREFIX: Final = "pack:"
"""What a reference to a shipped contract begins with."""

_PACKAGE: Final = Path(__file__).resolve().parent.parent
_FOLDERS: Final = (_PACKAGE / "packs", _PACKAGE.parent / "config" / "openapi")


def pack_path(reference: str) -> Path:
    """Give the file that ``pack:NAME`` stands for; :class:`GatewayError` when there is no such pack."""
    name = reference.removeprefix(PREFIX)
    packs = pack_files()
    if name not in packs:
        known = ", ".join(sorted(packs)) or "none"
        raise GatewayError(f"There is no pack {name!r}. The packs are: {known}.")
    return packs[name]


def pack_files() -> dict[str, Path]:
    """Give every pack's file by name, from the one folder that this installation has."""
    folder = next((folder for folder in _FOLDERS if folder.is_dir()), None)
    return {} if folder is None else {file.stem: file for file in folder.glob("*.yaml")}


def overlay_path(reference: str) -> Path:
    """Give the overlay that ``pack:errata/NAME`` stands for; :class:`GatewayError` when there is none."""
    known = {
        f"{file.parent.name}/{file.stem}": file
        for folder in reversed(_FOLDERS)
        for file in sorted(folder.glob("errata/*.yaml"))
    }
    name = reference.removeprefix(PREFIX)
    if name not in known:
        raise GatewayError(
            f"There is no overlay {name!r}. Those that ship are: {', '.join(known) or 'none'}."
        )
    return known[name]
