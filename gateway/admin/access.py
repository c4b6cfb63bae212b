"""Who may ask the admin listener: Host, Origin and bearer tokens.

A web page that somebody on the operator's network happens to read can make his browser send requests here,
from its own origin or, by DNS rebinding, from what looks like ours. So:

- Host must be a name under which this listener is known: the configured one, and, in any case, localhost,
  127.0.0.1 and [::1], each with any port (it may be mapped or tunnelled).
- Off loopback the names are not all known (load balancers, pod addresses), but tokens are mandatory there,
  and no web page has one: a request with a valid token may name any Host. So may the health endpoints, which
  probes ask for by address and which tell nothing worth stealing. On loopback they may not.
- Origin, which browsers add to what pages send, must be this listener's own as the request names it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from gateway.config.values import is_loopback
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp import web

Role: TypeAlias = Literal["viewer", "operator"]

# RFC 3986 section 3.2.2: a name or address, or an IP literal in brackets; then perhaps a port.
_AUTHORITY: Final = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class AdminToken:
    """A bearer token of the admin listener; only its SHA-256 is kept."""

    name: str
    role: Role
    digest: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, role: Role, secret: str) -> AdminToken:
        """Make one from the secret itself."""
        return cls(name, role, hashlib.sha256(secret.encode()).digest())


class AdminError(Exception):
    """Why a request is not done: HTTP status, a stable code, a sentence for the one who asked."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.code = code
        self.message = message
        super().__init__(message)


class AccessDenied(AdminError):
    """Whoever asks may not."""


class AccessRules:
    """The rules of one admin listener. Raises GatewayError for one off loopback without a token."""

    def __init__(self, host: str, tokens: Sequence[AdminToken]) -> None:
        self._tokens = tuple(tokens)
        self._loopback = is_loopback(host)
        if not (self._loopback or tokens):
            raise GatewayError(
                f"The admin listener on {host} is not on loopback and needs at least one token."
            )
        own = f"[{host}]" if ":" in host else host
        self._hosts = _LOOPBACK | {own.lower()}

    def check(self, request: web.BaseRequest, *, health: bool) -> None:
        """Let ``request`` pass or raise :class:`AccessDenied`; ``health`` says that it needs no token."""
        authorized = self.token_of(request) is not None
        hosts = request.headers.getall("Host", [])
        host = hosts[0] if len(hosts) == 1 else ""
        parts = _AUTHORITY.fullmatch(host)
        known = parts is not None and parts[1].lower() in self._hosts
        anonymous_host = not self._loopback and parts is not None and (health or authorized)
        if not (known or anonymous_host):
            raise AccessDenied(403, "unknown_host", "This listener is not known under that Host.")
        origins = request.headers.getall("Origin", [])
        if any(origin.lower() != f"{request.scheme}://{host.lower()}" for origin in origins):
            raise AccessDenied(403, "unknown_origin", "Requests of other origins are not answered.")
        if self._tokens and not (health or authorized):
            raise AccessDenied(401, "invalid_token", "A valid bearer token is needed.")

    def token_of(self, request: web.BaseRequest) -> AdminToken | None:
        """Give the token that the request bears. All are compared, in constant time each."""
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        digest = hashlib.sha256(secret.strip().encode("utf-8", "surrogateescape")).digest()
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found
