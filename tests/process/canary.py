"""Canaries: texts that must not be found where they do not belong, and where to look for them.

Six kinds, by what may become of them. Each is looked for in whatever form it may have been written.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Canary(NamedTuple):
    """A text to send, and the pieces of it that count as found."""

    text: str
    pieces: tuple[str, ...]

    @property
    def raw(self) -> bytes:
        """Its bytes."""
        return self.text.encode()

    def found_in(self, content: bytes) -> list[str]:
        """Give its pieces that ``content`` holds in any form: upper case, escaped, base64, hexadecimal."""
        lowered = content.lower()
        return [piece for piece in self.pieces if any(form in lowered for form in _forms(piece))]


def _forms(piece: str) -> Iterable[bytes]:
    raw = piece.encode()
    yield raw.lower()
    yield quote(piece, safe="").lower().encode()
    yield json.dumps(piece)[1:-1].lower().encode()
    yield raw.hex().encode()
    # Base64 of what stands behind 0, 1 or 2 other bytes, without the characters that those have a part in.
    for shift in range(3):
        yield b64encode(bytes(shift) + raw)[4 if shift else 0 : -4].lower()


def _made(text: str) -> Canary:
    """Make a text of more than 32 characters: of a key so long a refusal names the first 16, no more."""
    assert len(text) > 32
    return Canary(text, (text[:17], text[16:28], text[-12:]))


SECRET: Final = _made("sk-Qx7vR2mZ9tLw4KpN8sYbH3dFgJ6cVaE5uT")
"""A caller's key. Nowhere."""
OWN: Final = Canary(
    "own-Tz5kD8nB1qXe6RjU3hWc9MyPfS2gLvA7oE", ("own-Tz5kD8nB", "1qXe6RjU3hWc", "9MyPfS2gLvA7oE")
)
"""A secret of the gateway's own configuration. Nowhere, not by its beginning."""
TEXT: Final = _made("canary-text-lorem-ipsum-dolor-sit-amet-consectetur-adipiscing")
"""What a request holds. Nowhere."""
RECORDED: Final = _made("canary-record-sed-do-eiusmod-tempor-incididunt-ut-labore-et-dolore")
"""What a request holds where the record keeps it: in :data:`RECORD_FIELDS` of the log, else nowhere."""
UPSTREAM: Final = _made("canary-answer-ut-enim-ad-minim-veniam-quis-nostrud-exercitation")
"""What a broken answer holds, and its ``x-request-id``: in ``upstream_request_id``, else nowhere."""
SHORT: Final = Canary("canary-key-nisi-ut-aliquip", ("canary-key-nisi-ut-aliquip",))
"""A key of at most 32 characters that no schema names: a refusal names it, nothing else does."""
UNSPEAKABLE: Final = (SECRET, OWN, TEXT, RECORDED, UPSTREAM)
"""What no answer may hold."""
EVERYTHING: Final = (*UNSPEAKABLE, SHORT)

RECORD_FIELDS: Final = frozenset(("path", "thread_id", "user_agent", "client_request_id"))
"""The only fields of the log that repeat texts of callers, cut at 256 characters."""

FAULTY: Final = tuple(
    line.replace("OWN", OWN.text)
    for line in (
        'errors: "${UPSTREAM_KEY}"',
        'workers: "${UPSTREAM_KEY}"',
        'unlisted: "OWN"',
        'deadlines: {header: "${UPSTREAM_KEY}"}',
        'body: {max_bytes: "OWN", max_depth: "${UPSTREAM_KEY}"}',
        'listen: {port: "${UPSTREAM_KEY}", host: "${UPSTREAM_KEY}/"}',
        "listen: {tls: {certificate: token, key: token}}",
        'trusted_proxies: ["${UPSTREAM_KEY}"]',
        'admin: {host: 0.0.0.0, port: 0, tokens: [{name: a, role: viewer, token: "OWN é"}]}',
        'admin: {tokens: [{name: "OWN!", role: viewer, token: "OWN\\n"}]}',
        "admin: {tokens: [{name: a, role: viewer, token: [OWN]}]}",
        "admin: {tokens: [{name: a, role: viewer, token: {OWN: x}}]}",
        "admin: {tokens: [{name: a, role: OWN, token: x}]}",
        "admin: {tokens: [{name: a, role: viewer, token: {file: odd}}]}",
        "admin: {tokens: [{name: a, role: viewer, token: OWN}, {name: b, role: viewer, token: OWN}]}",
        'admin: {tokens: [{name: a, role: viewer, token: "OWN',
        'admin: {tokens: [{name: a, role: viewer, token: "OWN\\q"}]}',
        'admin: {tokens: [{name: a, role: viewer, token: "${OWN"}]}',
        'upstreams: {main: {urls: ["http://a:OWN@127.0.0.1"], authorization: "OWN\\r\\nx: 1"}}',
        'upstreams: {main: {urls: ["http://127.0.0.1"], authorization: 5, pool: "${UPSTREAM_KEY}"}}',
    )
)
"""Sections of a configuration with secrets where none belongs, some in the files ``token`` and ``odd``."""


def with_section(config: str, section: str) -> str:
    """Put a section in the place of the configuration's own."""
    name = section.partition(":")[0]
    kept = re.sub(rf"^{name}:.*\n(?: .*\n)*", "", config, flags=re.MULTILINE)
    return f"{kept}{section}\n"


def leaks(content: bytes, canaries: Iterable[Canary] = EVERYTHING) -> list[str]:
    """Give the pieces of canaries that ``content`` holds."""
    return [piece for canary in canaries for piece in canary.found_in(content)]


def leaks_of_line(line: str) -> list[str]:
    """Give the pieces that a line of the JSON log holds outside the fields that are meant to."""
    event: dict[str, Any] = json.loads(line)
    kept = {name: str(event.pop(name)) for name in RECORD_FIELDS & event.keys()}
    upstream = str(event.pop("upstream_request_id", ""))
    return [
        *leaks(json.dumps(event).encode()),
        *leaks(json.dumps(kept).encode(), (SECRET, OWN, TEXT, UPSTREAM, SHORT)),
        *leaks(upstream.encode(), (SECRET, OWN, TEXT, RECORDED, SHORT)),
    ]


def leaks_of_files(*folders: Path) -> Iterator[tuple[Path, list[str]]]:
    """Give each file and folder below ``folders`` with the pieces that it and its name hold."""
    for folder in folders:
        for path in folder.rglob("*"):
            yield path, leaks(path.name.encode() + (path.read_bytes() if path.is_file() else b""))
