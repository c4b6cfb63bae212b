"""What single values cannot show: names that dangle, listeners in each other's way, sizes that never fit.

The first checks take the document's value as it stands, whatever else is wrong with it, so that their
faults come together with all others; they pass over what has another shape than they expect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from gateway.config.environment import FromEnvironment, Unresolved
from gateway.config.policies import DEFAULT, contradictions
from gateway.config.units import render_size
from gateway.config.values import is_loopback
from gateway.errors import suggestion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gateway.config.model import Config

Found = tuple[tuple[str | int, ...], str]
"""A fault: path and message."""

_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to


def check_document(raw: dict[str, Any]) -> Iterator[Found]:
    """Give the faults between sections of the substituted document."""
    yield from _dangling_upstreams(raw)
    yield from _dangling_policies(raw)
    yield from _listeners(raw)


def check_config(config: Config) -> Iterator[Found]:
    """Give the faults between the values of a configuration that is right in itself."""
    yield from contradictions(config.policies)
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


def _dangling_policies(raw: dict[str, Any]) -> Iterator[Found]:
    policies = raw.get("policies")
    if not isinstance(policies, dict):
        return
    if policies and DEFAULT not in policies:
        yield (
            ("policies",),
            f"no policy is named {DEFAULT}, so none would be used: others serve as what it extends",
        )
    parents = {
        name: policy.get("extends") if isinstance(policy, dict) else None for name, policy in policies.items()
    }
    for name, parent in parents.items():
        place = ("policies", name, "extends")
        if not isinstance(parent, str) or isinstance(parent, Unresolved):
            continue
        if parent in policies:
            line = _circle(parents, name)
            if line:
                yield place, f"a policy cannot extend itself: {' extends '.join(line)}"
        elif isinstance(parent, FromEnvironment):
            yield place, "no policy has the name given"
        else:
            yield place, f"no policy is named {parent!r}{suggestion(parent, policies)}"


def _circle(parents: dict[str, Any], name: str) -> list[str]:
    """Give the policies from ``name`` back to itself; nothing where it does not lead there."""
    line = [name]
    following = parents[name]
    while isinstance(following, str) and following in parents and following not in line:
        line.append(following)
        following = parents[following]
    return [*line, name] if following == name else []


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
