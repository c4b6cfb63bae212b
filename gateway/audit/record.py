"""Records of requests: an outcome and what was judged in, the members of a line of the ledger out.

Hot: one for each request, in the ledger's thread. What the records of other kinds say is in ``records``.
"""

from __future__ import annotations

from json.encoder import encode_basestring_ascii as quote
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from gateway.audit.records import FACTS
from gateway.core.policy import FILE_LISTS
from gateway.core.types import Outcome
from gateway.render.outcome import OutcomeMembers

if TYPE_CHECKING:
    from gateway.audit.instance import Keys
    from gateway.core.types import Json, Operation

MAX_TEXT: Final = 1024
"""How much of a string that a client chose goes into a record, in characters."""
MAX_VIOLATIONS: Final = 100
_MAX_FINGERPRINTS: Final = 1024
_KNOWN: Final = tuple(name for name in FACTS if name in Outcome._fields)
_FINGERPRINT: Final = 9 + 32
"""How much of a signature records keep of a credential: the key's id and 32 hex digits."""


class Judged(NamedTuple):
    """What the record tells of a body that was judged.

    ``hmac`` is of the bytes that were judged. ``file_count`` is how many files it attaches, None where it
    lists none; ``metadata_keys`` are those that schema or policy name. ``body``, ``value`` and ``operation``
    are there only where content is kept; ``value`` is what the body was read as, None for nothing. ``sent``
    is the HMAC of the body as it was sent, None where it was not, or where that is not asked for.
    """

    hmac: str | None
    file_count: int | None
    metadata_keys: tuple[str, ...]
    body: bytes = b""
    value: Json = None
    operation: Operation | None = None
    sent: str | None = None


NOT_JUDGED: Final = Judged(None, None, ())


class RequestRecords:
    """Makes the members of request records. Not for several threads."""

    def __init__(self, keys: Keys) -> None:
        """``keys`` sign credentials, so that they can be looked up and not read."""
        self._keys = keys
        self._members = OutcomeMembers(max_text=MAX_TEXT, max_violations=MAX_VIOLATIONS)
        self._fingerprints: dict[bytes, str] = {}

    def __call__(
        self, outcome: Outcome, judged: Judged, credential: bytes | None, content: str | None = None
    ) -> bytes:
        """Give the members of the record of an exchange.

        ``credential`` is the value of Authorization; ``content`` the HMAC of what is kept of the body.
        """
        text = f'"kind":"request","id":{quote(outcome.request_id)},{self._members(outcome)}'
        if credential is not None:
            text += f',"attribution":"none","key_fingerprint":"{self._fingerprint(credential)}"'
        if judged.hmac is not None:
            text += f',"body_hmac":"{judged.hmac}"'
        if judged.sent is not None:
            text += f',"sent_hmac":"{judged.sent}"'
        if judged.file_count is not None:
            text += f',"file_count":{judged.file_count}'
        if judged.metadata_keys:
            text += f',"metadata_keys":[{",".join(map(quote, judged.metadata_keys))}]'
        if content is not None:
            text += f',"content":"{content}"'
        return text.encode("ascii")

    def facts(
        self, outcome: Outcome, body_hmac: str | None, credential: bytes | None
    ) -> dict[str, str | None]:
        """Give what an intent tells: of ``outcome`` what is known before the request is forwarded."""
        facts: dict[str, str | None] = {name: getattr(outcome, name) for name in _KNOWN}
        facts["body_hmac"] = body_hmac
        if credential is not None:
            facts |= {"attribution": "none", "key_fingerprint": self._fingerprint(credential)}
        return facts

    def _fingerprint(self, credential: bytes) -> str:
        """Give a credential's fingerprint; most callers come again and again."""
        known = self._fingerprints.get(credential)
        if known is None:
            if len(self._fingerprints) >= _MAX_FINGERPRINTS:
                self._fingerprints.clear()
            known = self._fingerprints[credential] = fingerprint(self._keys, credential)
        return known


def fingerprint(keys: Keys, credential: bytes) -> str:
    """Give what records keep of a credential, the value of Authorization or a key alone.

    It is of the second word, without commas behind it, or of the first where there is one: neither the scheme
    nor what a caller writes around the key makes it another.
    """
    return keys.sign(_key(credential))[:_FINGERPRINT]


def fingerprints(keys: Keys, credential: bytes) -> tuple[str, ...]:
    """Give what :func:`fingerprint` gave, or would have given, with each key; the oldest first."""
    return tuple(one[:_FINGERPRINT] for one in keys.possible(_key(credential)))


def _key(credential: bytes) -> bytes:
    words = credential.split(None, 2)[:2]
    return words[-1].rstrip(b",") if words else b""


def file_count(value: dict[str, Any]) -> int | None:
    """Give how many files a body names; None where it has no list of them."""
    count = None
    for name in FILE_LISTS:
        if name in value and isinstance(value[name], list):
            count = (count or 0) + len(value[name])
    return count


def metadata_keys(value: dict[str, Any], known: frozenset[str]) -> tuple[str, ...]:
    """Give the keys of a body's metadata that are among ``known``, in order."""
    if not known:
        return ()
    metadata = value.get("metadata")
    return tuple(sorted(known & metadata.keys())) if isinstance(metadata, dict) else ()
