"""Fingerprints of callers: one key has one, however a caller writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from gateway.audit.instance import Keys
from gateway.audit.record import fingerprint, fingerprints

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "credential",
    [b"KEY", b"Bearer KEY", b"bearer KEY", b"Bearer  KEY", b"Bearer\tKEY", b"Bearer KEY,", b"Bearer KEY,, ",
     b"Bearer  KEY x", b"Bearer KEY\tx y", b" Bearer \t KEY "],
)  # fmt: skip
def test_one_key(tmp_path: Path, credential: bytes) -> None:
    """A look-up for the key alone finds whoever used it: scheme, white space, commas and what follows go."""
    keys = Keys(tmp_path)
    first = fingerprint(keys, credential)
    assert first == keys.sign(b"KEY")[: 9 + 32]
    keys.rotate()
    assert fingerprints(keys, b"KEY") == (first, fingerprint(keys, credential))


@pytest.mark.parametrize("credential", [b"Bearer key", b"Bearer KEYS", b"Bearer ,KEY", b"Bearer K,EY"])
def test_another_key(tmp_path: Path, credential: bytes) -> None:
    """Nothing within a key is left out."""
    keys = Keys(tmp_path)
    assert fingerprint(keys, credential) != fingerprint(keys, b"KEY")


@pytest.mark.parametrize("credential", [b"", b" ", b",", b"Bearer ,"])
def test_no_key(tmp_path: Path, credential: bytes) -> None:
    """What has no key at all has the fingerprint of none."""
    keys = Keys(tmp_path)
    assert fingerprint(keys, credential) == fingerprint(keys, b"")
