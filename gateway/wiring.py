"""Configuration in, running parts out: the only place that knows every concrete class.

Two steps, since one of them is slow and needs no event loop: :func:`compile_plan` reads and compiles
everything a configuration names; :func:`make_snapshot` turns that into what the listener serves by.
"""

from __future__ import annotations

import ssl
from collections import Counter
from dataclasses import dataclass, replace
from hashlib import pbkdf2_hmac
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.config.effective import canonical
from gateway.config.load import load
from gateway.config.policies import misplaced_schemas, resolve_policy, stated_schemas
from gateway.contracts import overlay_path, pack_files, pack_path
from gateway.contracts.cache import Cache
from gateway.contracts.load import File, load_cached_contract, load_contract
from gateway.contracts.operations import make_operations
from gateway.contracts.packs import PREFIX
from gateway.contracts.schemas.reader import read_schema
from gateway.core.decide import Rules
from gateway.core.loosening import loosened
from gateway.core.policy import policy_schema
from gateway.core.route import RouteConflictError, RouteTable
from gateway.errors import ConfigError, Fault, GatewayError
from gateway.listener.snapshot import Capacity, Deadlines, Snapshot
from gateway.upstream.pool import Pool, UpstreamSettings

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from gateway.config.load import Loaded
    from gateway.config.model import Config, Upstream
    from gateway.contracts.described import Description
    from gateway.contracts.load import Inspector, LoadedContract
    from gateway.core.policy import Policy, PolicySchema
    from gateway.core.types import Operation

_REVISION_ROUNDS = 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A configuration with everything that it names read and compiled; nothing of it runs yet.

    ``files`` are all files it was made from. ``revision`` is 16 hexadecimal digits. ``warnings`` are of the
    contracts' documents: what is written there and means less than it may seem.
    """

    config: Config
    path: Path
    operations: tuple[Operation, ...]
    rules: Rules
    revision: str
    files: tuple[Path, ...]
    listen_tls: ssl.SSLContext | None
    upstream_tls: Mapping[str, ssl.SSLContext]
    warnings: tuple[Fault, ...] = ()


def compile_plan(
    path: Path,
    environ: Mapping[str, str],
    *,
    later: Callable[[Callable[[], None]], None] | None = None,
    cached: bool = False,
    inspect: Inspector | None = None,
) -> Plan:
    """Read the configuration at ``path`` and all that it names; ConfigError with every fault found.

    ``environ`` serves ``${NAME}``, and says where the cache is. Needs no event loop and may run in a thread
    of its own. ``later`` runs a piece of work on another thread, where the code of validators is made once
    they are used; None makes it at once. ``cached`` takes descriptions of contracts from the cache, and gives
    no warnings. ``inspect`` has more warnings of each document; see :mod:`gateway.contracts.inspect`.
    """
    loaded = load(path, environ, packs=pack_files())
    faults: list[Fault] = []
    cache = Cache.of(environ) if cached else None
    contracts = _load_contracts(loaded, cache, inspect, faults)
    policy = _policy(loaded, faults)
    operations = []
    for name, contract in contracts.items():
        operations += _operations(name, contract.description, policy, loaded, later)
        _refuse_loosening(name, contract.description, policy, loaded, faults)
    operations = _named_apart(operations, loaded, faults)
    if contracts.keys() == loaded.config.contracts.keys():
        misplaced = misplaced_schemas(loaded.config.policies, operations)
        faults += (loaded.fault(place, message) for place, message in misplaced)
    routes = _routes(operations, loaded, faults)
    listen_tls = _listen_tls(loaded, faults)
    upstream_tls = _upstream_tls(loaded, faults)
    if faults or routes is None:
        raise ConfigError(sorted(set(faults)))
    return Plan(
        loaded.config,
        loaded.path,
        tuple(operations),
        Rules(routes, loaded.config.body.max_depth, loaded.config.body.max_decoded_ratio),
        _revision(loaded.config, b"".join(contract.digest for contract in contracts.values())),
        tuple(dict.fromkeys((loaded.path, *(file for one in contracts.values() for file in one.files)))),
        listen_tls,
        upstream_tls,
        tuple(warning for contract in contracts.values() for warning in contract.warnings),
    )


def _load_contracts(
    loaded: Loaded, cache: Cache | None, inspect: Inspector | None, faults: list[Fault]
) -> dict[str, LoadedContract]:
    """Read all contracts, by name; those that have faults are left out."""
    contracts = {}
    for name, contract in loaded.config.contracts.items():
        place = ("contracts", name)
        document = _file(contract.openapi, pack_path, loaded, (*place, "openapi"), faults)
        overlays = [
            _file(overlay, overlay_path, loaded, (*place, "overlays", index), faults)
            for index, overlay in enumerate(contract.overlays)
        ]
        files = [overlay for overlay in overlays if overlay is not None]
        if document is None or len(files) < len(overlays):
            continue
        prefixed = contract.prefix is not None
        wanted = contract.operations
        try:
            if cache is None:
                read = load_contract(document, files, wanted, prefixed=prefixed, inspect=inspect)
            else:
                read = load_cached_contract(document, files, wanted, cache, prefixed=prefixed)
            contracts[name] = read
        except ConfigError as error:
            faults += error.faults
        except OSError as error:  # a file that the document refers to is gone again
            faults.append(loaded.fault((*place, "openapi"), _unreadable(error)))
    return contracts


def _file(
    reference: str,
    packed: Callable[[str], Path],
    loaded: Loaded,
    place: tuple[str | int, ...],
    faults: list[Fault],
) -> File | None:
    """Read what the configuration names at ``place``, a pack or a file; None, and a fault, if that fails."""
    try:
        path = packed(reference) if reference.startswith(PREFIX) else Path(reference)
        return File(path, path.read_bytes())
    except GatewayError as error:
        faults.append(loaded.fault(place, str(error)))
    except OSError as error:
        faults.append(loaded.fault(place, _unreadable(error)))
    return None


def _unreadable(error: OSError) -> str:
    return f"{error.filename} cannot be read: {error.strerror}"


def _policy(loaded: Loaded, faults: list[Fault]) -> Policy:
    """Give the policy ``default``; the schemas of all policies are read, for the faults that they have."""
    policies = loaded.config.policies
    read: dict[object, PolicySchema] = {}
    for path, operation in stated_schemas(policies):
        schema, definitions, found = read_schema(
            loaded.document, path, formats=True, name=f"the schema of {operation}"
        )
        faults += found
        if not found:
            read[path] = policy_schema(operation, schema, definitions, path)
    resolved = resolve_policy(policies)
    schemas = {operation: read[path] for operation, path in resolved.schemas.items() if path in read}
    return replace(resolved.policy, schemas=schemas)


def _operations(
    name: str,
    description: Description,
    policy: Policy,
    loaded: Loaded,
    later: Callable[[Callable[[], None]], None] | None,
) -> list[Operation]:
    contract = loaded.config.contracts[name]
    return make_operations(
        description,
        contract=name,
        prefix=contract.prefix,
        upstream=contract.upstream,
        max_bytes=loaded.config.body.max_bytes if contract.max_bytes is None else contract.max_bytes,
        mode=contract.mode,
        when=contract.when,
        policy=policy,
        later=later,
    )


def _refuse_loosening(
    contract: str, description: Description, policy: Policy, loaded: Loaded, faults: list[Fault]
) -> None:
    for operation in description.operations:
        for content in (operation.content or {}).values():
            name = f"{contract}:{operation.name}"
            found = loosened(content.schema, description.definitions, policy, name)
            faults += (loaded.fault(place, message) for place, message in found)


def _named_apart(operations: list[Operation], loaded: Loaded, faults: list[Fault]) -> list[Operation]:
    """Put the contract's name before operationIds that two contracts share."""
    counts = Counter(operation.name for operation in operations)
    named = [
        replace(operation, name=f"{operation.contract}:{operation.name}")
        if counts[operation.name] > 1
        else operation
        for operation in operations
    ]
    for name, count in Counter(operation.name for operation in named).items():
        if count > 1:
            faults.append(loaded.fault(("contracts",), f"two operations would be named {name}"))
    return named


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
        tell_sent = plan.config.audit.verify_sent
        self._pools = {
            name: before[name]
            if name in before and before[name][0] == upstream and upstream.tls is None
            else (upstream, Pool(self._loop, _settings(upstream, tell_sent), plan.upstream_tls.get(name)))
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


def _settings(upstream: Upstream, tell_sent: bool) -> UpstreamSettings:
    secret = upstream.authorization
    return UpstreamSettings(
        tuple(map(str, upstream.urls)),
        upstream.timeouts.connect,
        upstream.timeouts.first_byte,
        upstream.timeouts.idle,
        upstream.pool,
        None if secret is None else secret.get_secret_value(),
        upstream.forwarded,
        tell_sent,
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
