"""The live configuration as the listener sees it. Made whole by ``wiring``, swapped whole by a reload."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Literal

from gateway.ports import Client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gateway.core.decide import Rules
    from gateway.core.types import RequestHead
    from gateway.ports import Forwarder

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the listener waits downstream, in seconds."""

    header: float = 10.0
    body: float = 30.0
    keepalive: float = 75.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """How much the gateway takes on at once: requests in flight, and bytes of bodies held."""

    in_flight: int = 1000
    body_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that a request is treated by, from its head to its settle.

    ``revision`` is the digest of all of it. ``forwarders`` are by upstream name.
    """

    revision: str
    rules: Rules
    forwarders: Mapping[str, Forwarder]
    deadlines: Deadlines = field(default_factory=Deadlines)
    capacity: Capacity = field(default_factory=Capacity)
    dialect: Literal["openai", "problem"] = "openai"
    trusted_proxies: tuple[Network, ...] = ()

    def trusts(self, ip: str) -> bool:
        """Say whether ``ip`` is a proxy whose X-Forwarded-* is believed."""
        address = parse_ip(ip)
        return address is not None and any(address in network for network in self.trusted_proxies)

    def client(self, peer: Client, head: RequestHead | None) -> Client:
        """Give who is behind ``peer``: whom X-Forwarded-For names, if the peer is a trusted proxy."""
        if head is None or not self.trusts(peer.ip):
            return peer
        chain = [
            entry
            for _, lower, value in head.fields
            if lower == b"x-forwarded-for"
            for entry in value.decode("latin-1").split(",")
        ]
        return Client(self.client_ip(peer.ip, chain), peer.ip, peer.scheme, trusted=True)

    def client_ip(self, peer: str, chain: list[str]) -> str:
        """Give the nearest address of X-Forwarded-For that is no trusted proxy's, from the peer outwards."""
        client = peer
        for entry in reversed(chain):
            if not self.trusts(client):
                break
            address = parse_ip(entry)
            if address is None:
                break
            client = str(address)
        return client


def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address; None if ``text`` is none. IPv4 addresses mapped into IPv6 come out as IPv4."""
    try:
        address = ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
