"""The identity of an audit directory, and the keys that are made in it.

``instance`` holds a random id, made once, and the file's own inode number: a directory that was copied, or
put back from a backup, is another one, and gets an id of its own rather than going on in the other's streams.
``keys/`` holds HMAC keys by id, 32 random bytes each, mode 0600. The newest is used; older ones stay for
look-ups of what they signed.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from gateway.audit.faults import AuditError, system_fault

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 64  # of SHA-256, what HMAC fills a key up to
_INSTANCE: Final = re.compile(r"([0-9a-f]{16}) ([0-9]{1,20})\n")
_KEY_FILE: Final = re.compile(r"([0-9]{4,})-([0-9a-f]{8})\.key")


def instance_id(directory: Path) -> str:
    """Give the directory's id, 16 hex digits; it is made where there is none, or where it is a copy's.

    :raises AuditError: when the directory cannot be used, or the file was changed
    """
    path = directory / "instance"
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            match = _INSTANCE.fullmatch(path.read_text("ascii"))
            if match is None:
                raise AuditError(f"{path}: this is not what the gateway wrote. Move it away to begin anew.")
            if int(match[2]) == path.stat().st_ino:
                return match[1]
        return _make_instance(path)
    except OSError as error:
        raise system_fault("use", path, error) from None
    except UnicodeDecodeError:
        raise AuditError(f"{path}: this is not what the gateway wrote.") from None


def _make_instance(path: Path) -> str:
    """Write a new id beside the old one and put it in its place, in one step."""
    identity = secrets.token_hex(8)
    draft = path.with_name(f"instance.{identity}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{identity} {os.fstat(fd).st_ino}\n".encode("ascii"))
        os.fsync(fd)
    finally:
        os.close(fd)
    draft.replace(path)
    return identity


class Keys:
    """The HMAC keys of an audit directory."""

    def __init__(self, directory: Path) -> None:
        """Read the keys, and make the first one where there is none.

        :raises AuditError: when they cannot be read or made, or others than the owner may read them
        """
        self._folder = directory / "keys"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            names = sorted(path.name for path in self._folder.iterdir())
            found = [
                (int(match[1]), match[2], match[0]) for match in map(_KEY_FILE.fullmatch, names) if match
            ]
            self._keys = {identity: self._read(name) for _, identity, name in sorted(found)}
            self._last = max((number for number, _, _ in found), default=0)
        except OSError as error:
            raise system_fault("use", self._folder, error) from None
        if self._keys:
            self._use(self.ids[-1])
        else:
            self.rotate()

    def _read(self, name: str) -> bytes:
        path = self._folder / name
        if path.stat().st_mode & 0o077:
            raise AuditError(f"{path}: others may read this key. Make it mode 0600.")
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            raise AuditError(f"{path}: this is no key: it has {len(key)} bytes, not {KEY_BYTES}.")
        return key

    def rotate(self) -> str:
        """Make a new key that is used from now on, and give its id.

        :raises AuditError: when it cannot be written
        """
        identity, key = secrets.token_hex(4), secrets.token_bytes(KEY_BYTES)
        path = self._folder / f"{self._last + 1:04d}-{identity}.key"
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.write(fd, key)
                os.fsync(fd)
            finally:
                os.close(fd)
        except OSError as error:
            raise system_fault("make a key", path, error) from None
        self._last += 1
        self._keys[identity] = key
        self._use(identity)
        return identity

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the oldest first; the last one is in use."""
        return tuple(self._keys)

    def sign(self, content: bytes) -> str:
        """Give ``id:hex``: HMAC-SHA-256 of ``content`` with the key in use (RFC 2104)."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return self._prefix + outer.hexdigest()

    def possible(self, content: bytes) -> tuple[str, ...]:
        """Give what :meth:`sign` gave, or would have given, with each key."""
        return tuple(
            f"{identity}:{hmac.digest(key, content, 'sha256').hex()}" for identity, key in self._keys.items()
        )

    def _use(self, identity: str) -> None:
        """Sign with this key from now on; its two beginnings are hashed once, which is most of the work."""
        key = self._keys[identity].ljust(_BLOCK_BYTES, b"\0")
        self._prefix = f"{identity}:"
        self._inner = sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in key))
