"""Prometheus metrics of the gateway.

Counting is plain integers in plain dictionaries, several times cheaper than prometheus_client's children;
prometheus_client comes in when somebody scrapes. Label values come from known sets only: names that the
configuration gave, codes of the one table, words of ours. Whatever else turns up is counted under ``-``.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from gateway.core.codes import CODES
from gateway.core.types import Decision

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from gateway.core.types import Outcome

UNKNOWN: Final = "-"
DURATION_BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip
"""Upper bounds in seconds: from a cached answer to the longest that ``first_byte`` allows by default."""
OVERHEAD_BUCKETS: Final = (
    25e-6, 50e-6, 75e-6, 100e-6, 150e-6, 250e-6, 500e-6, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
)  # fmt: skip
"""Upper bounds in seconds of what the gateway itself adds."""

ReloadOutcome: TypeAlias = Literal["applied", "refused"]

_REFUSALS: Final = frozenset({Decision.REJECT, Decision.WOULD_REJECT})
_MAX_PARAMS: Final = 500
_MAX_PARAM_LENGTH: Final = 128
_MAX_WORDS: Final = 32
_MAX_REMEMBERED: Final = 4096
_MAX_PENDING: Final = 256
_INDEX: Final = re.compile(r"\[[0-9]+\]")


class Gauges(NamedTuple):
    """What is read at each scrape rather than counted: functions that give the figure of now.

    ``audit_records`` gives how many there were by what became of them; ``audit_lag`` is in seconds.
    """

    in_flight: Callable[[], int]
    connections: Callable[[], int]
    log_lines_dropped: Callable[[], int]
    audit_records: Callable[[], Mapping[str, int]]
    audit_lag: Callable[[], float]
    audit_queue: Callable[[], int]


class _Histogram:
    """Counts for each bucket, not yet cumulated; the last one is for what exceeds every bound."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        names = [*map(str, self.bounds), "+Inf"]
        return list(zip(names, accumulate(self.counts), strict=True))


class _Requests:
    """One series of gateway_requests_total and the histograms that its requests go into."""

    __slots__ = ("count", "duration", "overhead")

    def __init__(self, duration: _Histogram, overhead: _Histogram) -> None:
        self.count = 0
        self.duration = duration
        self.overhead = overhead


class Metrics:
    """The :class:`gateway.ports.Observer` that counts; one for the life of a process.

    :meth:`configured` tells it the names it may use as labels; until then all are ``-``.
    """

    def __init__(self, gauges: Gauges) -> None:
        self._gauges = gauges
        self._revision: str | None = None
        self._reloads: dict[ReloadOutcome, int] = {"applied": 0, "refused": 0}
        self._operations = {UNKNOWN, "unlisted"}
        self._apps = {UNKNOWN}
        self._upstreams = {UNKNOWN}
        self._words = {UNKNOWN}
        self._params = {UNKNOWN, "*"}
        self._pending: list[Outcome] = []
        self._requests: dict[tuple[str, str, str, int], _Requests] = {}
        self._durations: dict[str, _Histogram] = {}
        self._overheads: dict[str, _Histogram] = {}
        self._upstream_requests: dict[tuple[str, str], int] = {}
        self._upstream_durations: dict[str, _Histogram] = {}
        self._violations: dict[tuple[str, str, str], int] = {}
        self._violation_labels: dict[tuple[str, str, str | None], tuple[str, str, str]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def configured(
        self,
        revision: str,
        *,
        operations: Iterable[str],
        upstreams: Iterable[str],
        apps: Iterable[str] = (),
    ) -> None:
        """Take the revision that is live now, and its names as label values.

        Names of earlier revisions stay known: requests that began under them still have to settle.
        """
        self._count_pending()
        self._revision = revision
        self._operations.update(operations)
        self._upstreams.update(upstreams)
        self._apps.update(apps)
        self._violation_labels.clear()

    def reloaded(self, outcome: ReloadOutcome) -> None:
        """Count a reload."""
        self._reloads[outcome] += 1

    def settled(self, outcome: Outcome) -> None:
        """Count ``outcome``, together with others at the latest when somebody looks."""
        self._pending.append(outcome)
        # Violations may hold much of what a client made up; they are not kept waiting.
        if outcome.violations or len(self._pending) >= _MAX_PENDING:
            self._count_pending()

    def _count_pending(self) -> None:
        """Count what has come in: many in one go cost less than one here and one there."""
        pending, self._pending = self._pending, []
        for outcome in pending:
            self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        requests = self._requests.get(
            (outcome.operation or UNKNOWN, outcome.app or UNKNOWN, outcome.decision, outcome.status)
        ) or self._requests_of(outcome)
        requests.count += 1
        requests.duration.observe(outcome.duration_ms / 1e3)
        if outcome.overhead_us is not None:
            requests.overhead.observe(outcome.overhead_us / 1e6)
        if outcome.upstream is not None:
            self._count_upstream(outcome.upstream, outcome)
        if outcome.violations or (outcome.code is not None and outcome.decision in _REFUSALS):
            self._count_violations(outcome)

    def expose(self) -> bytes:
        """Give all metrics in the Prometheus text format, ``text/plain; version=0.0.4``."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Give the metric families; prometheus_client's registry calls this for each scrape."""
        self._count_pending()
        yield from self._collect_requests()
        yield from self._collect_upstreams()
        yield from self._collect_process()

    def _requests_of(self, outcome: Outcome) -> _Requests:
        """Find or make the series of an outcome; an operation or app that is not known counts as ``-``."""
        operation = outcome.operation if outcome.operation in self._operations else UNKNOWN
        app = outcome.app if outcome.app in self._apps else UNKNOWN
        key = (operation, app, str(outcome.decision), outcome.status)
        requests = self._requests.get(key)
        if requests is None:
            requests = self._requests[key] = _Requests(
                self._durations.setdefault(operation, _Histogram(DURATION_BUCKETS)),
                self._overheads.setdefault(operation, _Histogram(OVERHEAD_BUCKETS)),
            )
        return requests

    def _count_upstream(self, upstream: str, outcome: Outcome) -> None:
        if upstream not in self._upstreams:
            upstream = UNKNOWN
        word = outcome.upstream_outcome or UNKNOWN
        if word not in self._words:
            word = self._admit(word, self._words, _MAX_WORDS)
        key = (upstream, word)
        self._upstream_requests[key] = self._upstream_requests.get(key, 0) + 1
        if outcome.upstream_ms is not None:
            histogram = self._upstream_durations.get(upstream)
            if histogram is None:
                histogram = self._upstream_durations[upstream] = _Histogram(DURATION_BUCKETS)
            histogram.observe(outcome.upstream_ms / 1e3)

    def _count_violations(self, outcome: Outcome) -> None:
        counts = self._violations
        operation = outcome.operation or UNKNOWN
        faults = [(v.code, v.safe_param) for v in outcome.violations] or [(outcome.code or UNKNOWN, None)]
        for fault, param in faults:
            labels = self._violation_labels.get((operation, fault, param))
            if labels is None:
                labels = self._labels_of(operation, fault, param)
            counts[labels] = counts.get(labels, 0) + 1

    def _labels_of(self, operation: str, code: str, param: str | None) -> tuple[str, str, str]:
        """Give the labels of a violation, and remember them.

        ``param`` comes from the schema's names, but for its indices, which the caller chose: ``[3]`` becomes
        ``[*]``. Should there be more names than a schema can reasonably have, the rest is ``*``.
        """
        name = UNKNOWN if param is None else _INDEX.sub("[*]", param)
        if name not in self._params:
            name = self._admit(name, self._params, _MAX_PARAMS) if len(name) <= _MAX_PARAM_LENGTH else "*"
        labels = (
            operation if operation in self._operations else UNKNOWN,
            code if code in CODES else UNKNOWN,
            "*" if name == UNKNOWN and param is not None else name,
        )
        if len(self._violation_labels) < _MAX_REMEMBERED:
            self._violation_labels[operation, code, param] = labels
        return labels

    @staticmethod
    def _admit(word: str, known: set[str], limit: int) -> str:
        """Add ``word`` to the ``known`` ones while there is room; give what to use as the label."""
        if len(known) >= limit:
            return UNKNOWN
        known.add(word)
        return word

    def _collect_requests(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "gateway_requests",
            "Finished exchanges.",
            labels=("operation", "app", "decision", "status"),
        )
        for (operation, app, decision, status), series in list(self._requests.items()):
            requests.add_metric((operation, app, decision, str(status)), series.count)
        yield requests
        yield _histograms(
            "gateway_request_duration_seconds",
            "From a request's first byte to its response's end.",
            "operation",
            self._durations,
        )
        yield _histograms(
            "gateway_overhead_seconds",
            "What the gateway itself added to a request and the head of its response.",
            "operation",
            self._overheads,
        )
        violations = CounterMetricFamily(
            "gateway_violations",
            "Faults found in requests; param is a name of the schema's, or - for none.",
            labels=("operation", "code", "param"),
        )
        for labels, count in list(self._violations.items()):
            violations.add_metric(labels, count)
        yield violations

    def _collect_upstreams(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "gateway_upstream_requests",
            "Requests handed to an upstream, by how that ended.",
            labels=("upstream", "outcome"),
        )
        for labels, count in list(self._upstream_requests.items()):
            requests.add_metric(labels, count)
        yield requests
        yield _histograms(
            "gateway_upstream_duration_seconds",
            "From handing over a request to the upstream's last byte.",
            "upstream",
            self._upstream_durations,
        )

    def _collect_process(self) -> Iterator[Metric]:
        gauges = self._gauges
        yield GaugeMetricFamily("gateway_in_flight", "Requests under way.", gauges.in_flight())
        yield GaugeMetricFamily("gateway_connections", "Open downstream connections.", gauges.connections())
        info = GaugeMetricFamily("gateway_config_info", "The live configuration.", labels=("revision",))
        if self._revision is not None:
            info.add_metric((self._revision,), 1)
        yield info
        reloads = CounterMetricFamily(
            "gateway_reloads", "Attempts to load a new configuration.", labels=("outcome",)
        )
        for outcome, count in self._reloads.items():
            reloads.add_metric((outcome,), count)
        yield reloads
        records = CounterMetricFamily(
            "gateway_audit_records", "Audit records, by what became of them.", labels=("outcome",)
        )
        for fate, count in gauges.audit_records().items():
            records.add_metric((fate,), count)
        yield records
        yield GaugeMetricFamily(
            "gateway_audit_lag_seconds", "By how much the index is behind the ledger.", gauges.audit_lag()
        )
        yield GaugeMetricFamily(
            "gateway_audit_queue", "Audit records that wait to be written.", gauges.audit_queue()
        )
        yield CounterMetricFamily(
            "gateway_log_lines_dropped",
            "Log lines lost because nothing read them in time.",
            gauges.log_lines_dropped(),
        )


def _histograms(name: str, text: str, label: str, series: Mapping[str, _Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=(label,))
    for value, histogram in list(series.items()):
        family.add_metric((value,), histogram.buckets(), histogram.total)
    return family
