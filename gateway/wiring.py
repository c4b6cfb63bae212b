"""Configuration in, running parts out: the only place that knows every concrete class.

Two steps, since one of them is slow and needs no event loop: :func:`compile_plan` reads and compiles
everything a configuration names; :func:`make_snapshot` turns that into what the listener serves by.
"""

from __future__ import annotations

import ssl
from collections import Counter
from dataclasses import dataclass, replace
from hashlib import pbkdf2_hmac, sha256
from typing import TYPE_CHECKING

from gateway import documents
from gateway.config.effective import canonical
from gateway.config.load import load
from gateway.contracts import pack_files, pack_path, read_contract
from gateway.core.decide import Rules
from gateway.core.route import RouteConflictError, RouteTable
from gateway.errors import ConfigError, Fault, GatewayError
from gateway.listener.snapshot import Capacity, Deadlines, Snapshot
from gateway.upstream.pool import Pool, UpstreamSettings

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.config.load import Loaded
    from gateway.config.model import Config, Contract, Upstream
    from gateway.core.types import Operation
    from gateway.documents import Document

_REVISION_ROUNDS = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A configuration with everything that it names read and compiled; nothing of it runs yet.

    ``files`` are all files it was made from. ``revision`` is 16 hexadecimal digits.
    """

    config: Config
    path: Path
    operations: tuple[Operation, ...]
    rules: Rules
    revision: str
    files: tuple[Path, ...]
    listen_tls: ssl.SSLContext | None
    upstream_tls: Mapping[str, ssl.SSLContext]


def compile_plan(path: Path, environ: Mapping[str, str]) -> Plan:
    """Read the configuration at ``path`` and all that it names; ConfigError with every fault found.

    ``environ`` serves ``${NAME}``. Needs no event loop and may run in a thread of its own.
    """
    loaded = load(path, environ, packs=pack_files())
    faults: list[Fault] = []
    digest = sha256()
    files = [loaded.path]
    operations: list[Operation] = []
    for name, contract in loaded.config.contracts.items():
        try:
            file = _contract_file(contract)
            content = file.read_bytes()
            digest.update(content)
            operations += _read_operations(
                name, contract, documents.parse_document(content, str(file)), loaded.config
            )
            files.append(file)
        except ConfigError as error:
            faults += error.faults
        except (GatewayError, OSError) as error:
            faults.append(loaded.fault(("contracts", name, "openapi"), str(error)))
    operations = _named_apart(operations)
    routes = _routes(operations, loaded, faults)
    listen_tls = _listen_tls(loaded, faults)
    upstream_tls = _upstream_tls(loaded, faults)
    if faults or routes is None:
        raise ConfigError(sorted(set(faults)))
    return Plan(
        loaded.config,
        loaded.path,
        tuple(operations),
        Rules(routes, loaded.config.body.max_depth),
        _revision(loaded.config, digest.digest()),
        tuple(files),
        listen_tls,
        upstream_tls,
    )


def _contract_file(contract: Contract) -> Path:
    return pack_path(contract.openapi) if contract.file is None else contract.file


def _read_operations(name: str, contract: Contract, source: Document, config: Config) -> list[Operation]:
    limit = config.body.max_bytes if contract.max_bytes is None else contract.max_bytes
    return read_contract(
        name,
        source,
        prefix=contract.prefix,
        upstream=contract.upstream,
        operations=contract.operations,
        max_bytes=limit,
    )


def _named_apart(operations: list[Operation]) -> list[Operation]:
    """Put the contract's name before operationIds that two contracts share."""
    counts = Counter(operation.name for operation in operations)
    return [
        replace(operation, name=f"{operation.contract}:{operation.name}")
        if counts[operation.name] > 1
        else operation
        for operation in operations
    ]


def _routes(operations: list[Operation], loaded: Loaded, faults: list[Fault]) -> RouteTable | None:
    try:
        return RouteTable(operations)
    except RouteConflictError as error:
        faults.append(loaded.fault(("contracts", error.second.contract), f"{error}"))
        return None


def _listen_tls(loaded: Loaded, faults: list[Fault]) -> ssl.SSLContext | None:
    tls = loaded.config.listen.tls
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except (OSError, ssl.SSLError) as error:
        faults.append(loaded.fault(("listen", "tls", "certificate"), _tls_message(error)))
    return context


def _upstream_tls(loaded: Loaded, faults: list[Fault]) -> dict[str, ssl.SSLContext]:
    contexts: dict[str, ssl.SSLContext] = {}
    for name, upstream in loaded.config.upstreams.items():
        if not any(url.scheme == "https" for url in upstream.urls):
            continue
        tls = upstream.tls
        place = ("upstreams", name, "tls")
        try:
            context = ssl.create_default_context(cafile=tls.ca if tls is not None else None)
            context.set_alpn_protocols(["http/1.1"])
            if tls is not None and tls.certificate is not None:
                context.load_cert_chain(tls.certificate, tls.key, password="")
            contexts[name] = context
        except (OSError, ssl.SSLError) as error:
            faults.append(loaded.fault(place, _tls_message(error)))
    return contexts


def _tls_message(error: OSError) -> str:
    reason = error.strerror or getattr(error, "reason", None) or "no usable PEM data"
    return f"the certificate or key cannot be used: {reason}"


def _revision(config: Config, documents_digest: bytes) -> str:
    """Digest everything that requests are treated by.

    Secrets are part of it, so that a rotated one shows, and the digest is public: it is made slowly, so
    that a weak secret cannot be guessed from it at speed.
    """
    return pbkdf2_hmac("sha256", canonical(config), b"revision" + documents_digest, _REVISION_ROUNDS, 8).hex()


class Pools:
    """The upstream pools of the live configuration; those that a reload does not change live on."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pools: dict[str, tuple[Upstream, Pool]] = {}

    def replace(self, plan: Plan) -> dict[str, Pool]:
        """Give the plan's pools by upstream name; the ones that it no longer has are retired."""
        before = self._pools
        self._pools = {
            name: before[name]
            if name in before and before[name][0] == upstream and upstream.tls is None
            else (upstream, Pool(self._loop, _settings(upstream), plan.upstream_tls.get(name)))
            for name, upstream in plan.config.upstreams.items()
        }
        kept = {id(pool) for _, pool in self._pools.values()}
        for _, pool in before.values():
            if id(pool) not in kept:
                pool.retire()
        return {name: pool for name, (_, pool) in self._pools.items()}

    def retire(self) -> None:
        """Close all pools: the gateway ends."""
        for _, pool in self._pools.values():
            pool.retire()


def _settings(upstream: Upstream) -> UpstreamSettings:
    secret = upstream.authorization
    return UpstreamSettings(
        tuple(map(str, upstream.urls)),
        upstream.timeouts.connect,
        upstream.timeouts.first_byte,
        upstream.timeouts.idle,
        upstream.pool,
        None if secret is None else secret.get_secret_value(),
        upstream.forwarded,
    )


def make_snapshot(plan: Plan, pools: Pools) -> Snapshot:
    """Give what the listener serves by; swaps the pools, so the snapshot has to go live now."""
    config = plan.config
    return Snapshot(
        plan.revision,
        plan.rules,
        pools.replace(plan),
        Deadlines(config.deadlines.header, config.deadlines.body, config.deadlines.keepalive),
        Capacity(config.capacity.in_flight, config.capacity.body_bytes),
        config.errors,
        tuple(config.trusted_proxies),
    )
