"""What single values cannot show: names that dangle, listeners in each other's way, sizes that never fit.

The first checks take the document's value as it stands, whatever else is wrong with it, so that their
faults come together with all others; they pass over what has another shape than they expect.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from gateway.config.environment import FromEnvironment, Unresolved
from gateway.config.units import render_size
from gateway.config.values import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from gateway.config.model import Config

Found = tuple[tuple[str | int, ...], str]
"""A fault: path and message."""

_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def suggestion(name: str, known: Iterable[str]) -> str:
    """Give ``; did you mean 'x'?`` where one of ``known`` is near ``name``, else nothing."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_document(raw: dict[str, Any]) -> Iterator[Found]:
    """Give the faults between sections of the substituted document."""
    yield from _dangling_upstreams(raw)
    yield from _listeners(raw)


def check_config(config: Config) -> Iterator[Found]:
    """Give the faults between the values of a configuration that is right in itself."""
    capacity = config.capacity.body_bytes
    limits: list[tuple[tuple[str | int, ...], int]] = [(("body", "max_bytes"), config.body.max_bytes)]
    limits += [
        (("contracts", name, "max_bytes"), contract.max_bytes)
        for name, contract in config.contracts.items()
        if contract.max_bytes is not None
    ]
    for path, limit in limits:
        if limit > capacity:
            yield path, f"{render_size(limit)} never fits into capacity.body_bytes, {render_size(capacity)}"


def _dangling_upstreams(raw: dict[str, Any]) -> Iterator[Found]:
    upstreams, contracts = raw.get("upstreams"), raw.get("contracts")
    if not isinstance(upstreams, dict) or not isinstance(contracts, dict):
        return
    for name, contract in contracts.items():
        target = contract.get("upstream") if isinstance(contract, dict) else None
        if not isinstance(target, str) or isinstance(target, Unresolved) or target in upstreams:
            continue
        if isinstance(target, FromEnvironment):
            message = "no upstream has the name given"
        else:
            message = f"no upstream is named {target!r}{suggestion(target, upstreams)}"
        yield ("contracts", name, "upstream"), message


def _listeners(raw: dict[str, Any]) -> Iterator[Found]:
    host, port = _address(raw.get("admin"), 9901)
    if host is not None and not is_loopback(host) and not raw.get("admin", {}).get("tokens"):
        yield (
            ("admin", "host"),
            "the admin listener is off loopback and has no token: add admin.tokens, or listen on 127.0.0.1",
        )
    other, other_port = _address(raw.get("listen"), 8080)
    if host is None or other is None or port != other_port or not port:
        return
    if host == other or _WILDCARDS & {host, other}:
        yield ("admin", "port"), "listen and admin have the same address"


def _address(section: object, default: int) -> tuple[str | None, int | None]:
    """Give a listener's host and port, None for what is not usable."""
    if section is None:
        return "127.0.0.1", default
    if not isinstance(section, dict):
        return None, None
    host, port = section.get("host", "127.0.0.1"), section.get("port", default)
    if isinstance(port, FromEnvironment) and port.isascii() and port.isdigit():
        port = int(port[:9])
    usable = isinstance(host, str) and not isinstance(host, Unresolved)
    return host if usable else None, port if type(port) is int else None
