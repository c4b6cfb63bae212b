"""A running gateway in one process: start, reload, drain.

States: starting, ready, draining, ended. A reload swaps the snapshot whole or leaves everything as it is.
"""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gateway import __version__
from gateway.admin import AdminStatus, AdminToken, make_admin, start_admin
from gateway.config.model import restart_only
from gateway.errors import ConfigError, GatewayError
from gateway.listener.server import GatewayServer, Listener
from gateway.observe.logs import get_logger
from gateway.observe.metrics import Gauges, Metrics
from gateway.process.audit import ProcessAudit
from gateway.process.audit_reading import AuditReading
from gateway.process.background import Background
from gateway.process.descriptors import most_connections
from gateway.wiring import Pools, compile_plan, make_snapshot

if TYPE_CHECKING:
    from aiohttp.web import AppRunner

    from gateway.observe.logs import Logs
    from gateway.wiring import Plan

_log = get_logger()


class Gateway:
    """The listener and the admin listener of one configuration, live."""

    def __init__(self, plan: Plan, logs: Logs, background: Background | None = None) -> None:
        """Make it ready to start; needs a running event loop.

        ``background`` is what ``plan`` was compiled with; it is closed at the end.
        """
        self._plan = plan
        self._background = background or Background()
        self._loop = asyncio.get_running_loop()
        self._pools = Pools(self._loop)
        self._metrics = Metrics(
            Gauges(
                in_flight=lambda: self._server.load.in_flight,
                connections=lambda: self._server.connection_count,
                log_lines_dropped=lambda: logs.dropped,
                audit_records=lambda: self._audit.counts,
                audit_lag=lambda: self._audit.lag,
                audit_queue=lambda: self._audit.queued,
            )
        )
        self._audit = ProcessAudit(self._loop, plan.config.audit, plan.revision)
        self._reading = AuditReading(plan.config.audit, self._audit)
        snapshot = make_snapshot(plan, self._pools)
        self._server = GatewayServer(self._loop, snapshot, (self._metrics, logs.requests), self._audit.trail)
        self._server.max_connections = most_connections(
            sum(upstream.pool for upstream in plan.config.upstreams.values())
        )
        self._listener = Listener(self._server, drain=plan.config.deadlines.drain)
        self._admin: AppRunner | None = None
        self._reloading = asyncio.Lock()
        self._faulty: tuple[Path, ...] = ()
        self._reasons: tuple[str, ...] = ("starting",)
        self.recorded = True
        self._tell_metrics()

    @property
    def plan(self) -> Plan:
        """The configuration that is live."""
        return self._plan

    @property
    def files(self) -> frozenset[Path]:
        """The files that a reload may depend on: those of what is live, and those that were at fault last."""
        return frozenset((*self._plan.files, *self._faulty))

    @property
    def address(self) -> str:
        """Where callers connect, as a URL."""
        scheme = "http" if self._plan.listen_tls is None else "https"
        return _url(scheme, self._listener.addresses[0])

    @property
    def admin_address(self) -> str:
        """Where the admin listener is, as a URL."""
        assert self._admin is not None
        return _url("http", self._admin.addresses[0])

    async def start(self) -> None:
        """Listen; GatewayError if an address cannot be had, and then nothing is left open."""
        try:
            await self._listen()
        except BaseException:
            self._close()
            raise
        self._audit.start()
        self._reasons = ()
        # What was made up to here lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
        _log.info(
            "started",
            listen=self.address,
            admin=self.admin_address,
            revision=self._plan.revision,
            operations=len(self._plan.operations),
            version=__version__,
        )

    async def _listen(self) -> None:
        config = self._plan.config
        tokens = [
            AdminToken.of(token.name, token.role, token.token.get_secret_value())
            for token in config.admin.tokens
        ]
        app = make_admin(
            host=config.admin.host,
            tokens=tokens,
            metrics=self._metrics.expose,
            status=self._status,
            audit=self._reading,
        )
        self._admin = await start_admin(app, config.admin.host, config.admin.port)
        try:
            await self._listener.open(config.listen.host, config.listen.port, self._plan.listen_tls)
        except OSError as error:
            await self._admin.cleanup()
            address = f"{config.listen.host}:{config.listen.port}"
            raise GatewayError(f"Cannot listen on {address}: {error.strerror or error}.") from error

    async def reload(self) -> bool:
        """Read the configuration anew and go over to it; false, and nothing changed, if it has faults."""
        async with self._reloading:
            try:
                plan = await asyncio.to_thread(self._compile)
                _refuse_restart_only(self._plan, plan)
            except ConfigError as error:
                self._faulty = tuple(Path(fault.file) for fault in error.faults)
                return self._refuse_reload([str(fault) for fault in error.faults])
            except GatewayError as error:
                return self._refuse_reload([str(error)])
            except Exception as error:  # noqa: BLE001 - a bug in here must not end what is served
                faults = ["an internal error; the configuration was left as it is"]
                return self._refuse_reload(faults, error)
            self._faulty = ()
            self._audit.applied(plan.revision, self._plan.revision)
            self._plan = plan
            self._server.snapshot = make_snapshot(plan, self._pools)
            self._tell_metrics()
            self._metrics.reloaded("applied")
            _log.info("reloaded", revision=plan.revision, operations=len(plan.operations))
            return True

    def _refuse_reload(self, faults: list[str], bug: Exception | None = None) -> Literal[False]:
        self._metrics.reloaded("refused")
        self._audit.refused(self._plan.revision, faults)
        _log.error("reload_refused", faults=faults, exc_info=bug)
        return False

    async def drain(self) -> None:
        """Stop: no new connection, requests under way may end, then everything is closed."""
        self._reasons = ("draining",)
        _log.info("draining", in_flight=self._server.load.in_flight)
        try:
            await self._listener.drain()
            if self._admin is not None:
                await self._admin.cleanup()
        finally:
            self._close()
            _log.info("stopped")

    def _close(self) -> None:
        # Whoever does not wait for the drain must not be held up by a connection that is left.
        self._server.drop_all()
        self._pools.retire()
        self._background.close()
        self._reading.close()
        self.recorded = self._audit.close(self._plan.revision, drained=not self._server.cut_off)

    def _compile(self) -> Plan:
        return compile_plan(self._plan.path, dict(os.environ), later=self._background.later, cached=True)

    def _status(self) -> AdminStatus:
        return AdminStatus(self._plan.revision, (*self._reasons, *self._audit.reasons))

    def _tell_metrics(self) -> None:
        self._metrics.configured(
            self._plan.revision,
            operations=[operation.name for operation in self._plan.operations],
            upstreams=self._plan.config.upstreams,
        )


def _refuse_restart_only(old: Plan, new: Plan) -> None:
    changed = restart_only(old.config, new.config)
    if changed:
        raise GatewayError(f"A change of {', '.join(changed)} needs a restart; nothing was reloaded.")


def _url(scheme: str, address: tuple[str, int]) -> str:
    host, port = address[0], address[1]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
