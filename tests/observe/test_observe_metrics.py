"""Metrics: names, figures, exposition, and that no caller can make a label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.core.codes import CODES
from gateway.core.types import Decision, Outcome, Phase, Violation
from gateway.observe.metrics import DURATION_BUCKETS, OVERHEAD_BUCKETS, Gauges, Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prometheus_client import Metric

OWN_NAMES = {
    "gateway_requests",
    "gateway_request_duration_seconds",
    "gateway_overhead_seconds",
    "gateway_violations",
    "gateway_upstream_requests",
    "gateway_upstream_duration_seconds",
    "gateway_in_flight",
    "gateway_connections",
    "gateway_config_info",
    "gateway_reloads",
    "gateway_log_lines_dropped",
    "gateway_audit_records",
    "gateway_audit_lag_seconds",
    "gateway_audit_queue",
}


def make(*, configured: bool = True) -> Metrics:
    metrics = Metrics(
        Gauges(
            in_flight=lambda: 3,
            connections=lambda: 5,
            log_lines_dropped=lambda: 7,
            audit_records=lambda: {"written": 11, "lost": 13, "refused": 17},
            audit_lag=lambda: 1.5,
            audit_queue=lambda: 19,
        )
    )
    if configured:
        metrics.configured("rev1", operations=["createMessage"], upstreams=["main"])
    return metrics


def families(metrics: Metrics) -> Mapping[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(metrics.expose().decode())}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """Give the sample ``name`` with exactly ``labels``."""
    for family in families(metrics).values():
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def fault(code: str, param: str | None) -> Violation:
    return Violation(None, None, code, "", None, param)


def test_every_metric_is_there_from_the_start() -> None:
    """The documented names, before any request; the process's own figures beside them."""
    names = set(families(make()))
    assert names >= OWN_NAMES
    assert {name for name in names if name.startswith("gateway_")} == OWN_NAMES
    assert "process_resident_memory_bytes" in names


def test_an_allowed_exchange_is_counted(allowed: Outcome) -> None:
    """Counters, both histograms and the upstream's."""
    metrics = make()
    metrics.settled(allowed)
    metrics.settled(allowed)
    labels = {"operation": "createMessage", "app": "-", "decision": "allow", "status": "200"}
    assert value(metrics, "gateway_requests_total", **labels) == 2
    seconds = {"operation": "createMessage"}
    assert value(metrics, "gateway_request_duration_seconds_count", **seconds) == 2
    assert value(metrics, "gateway_request_duration_seconds_sum", **seconds) == pytest.approx(0.0246912)
    assert value(metrics, "gateway_overhead_seconds_sum", **seconds) == pytest.approx(160.5e-6)
    ended = {"upstream": "main", "outcome": "complete"}
    assert value(metrics, "gateway_upstream_requests_total", **ended) == 2
    assert value(metrics, "gateway_upstream_duration_seconds_sum", upstream="main") == pytest.approx(0.021)
    assert families(metrics)["gateway_violations"].samples == []


def test_a_refusal_is_counted_by_violation(refused: Outcome) -> None:
    """Each violation counts, under the name that is safe to tell; no upstream was involved."""
    metrics = make()
    violations = (*refused.violations, fault("unknown_parameter", "*"), fault("invalid_json", None))
    for _ in range(2):
        metrics.settled(refused._replace(violations=violations))
    labels = {"operation": "createMessage"}
    assert (
        value(
            metrics, "gateway_violations_total", code="string_above_max_length", param="metadata.*", **labels
        )
        == 2
    )
    assert value(metrics, "gateway_violations_total", code="unknown_parameter", param="*", **labels) == 2
    assert value(metrics, "gateway_violations_total", code="invalid_json", param="-", **labels) == 2
    assert families(metrics)["gateway_upstream_requests"].samples == []


def test_a_rejection_without_violations_counts_by_its_code(refused: Outcome) -> None:
    metrics = make()
    metrics.settled(refused._replace(operation=None, code="unknown_route", violations=()))
    labels = {"operation": "-", "code": "unknown_route", "param": "-"}
    assert value(metrics, "gateway_violations_total", **labels) == 1


def test_a_fault_of_the_upstream_is_no_violation(allowed: Outcome) -> None:
    """An upstream that timed out says nothing about the request; it has a metric of its own."""
    metrics = make()
    timed_out = allowed._replace(
        decision=Decision.ERROR,
        code="upstream_timeout",
        upstream_outcome="first_byte_timeout",
        upstream_ms=None,
    )
    metrics.settled(timed_out)
    assert families(metrics)["gateway_violations"].samples == []
    labels = {"upstream": "main", "outcome": "first_byte_timeout"}
    assert value(metrics, "gateway_upstream_requests_total", **labels) == 1
    assert families(metrics)["gateway_upstream_duration_seconds"].samples == []


@given(st.lists(st.sampled_from(DURATION_BUCKETS) | st.floats(0, 1000), min_size=1))
def test_buckets_are_cumulative_and_inclusive(seconds: list[float]) -> None:
    """Each bucket counts what is at most its bound (the bound itself included); +Inf counts all."""
    metrics = make()
    outcome = Outcome("id", 0.0, 0.0, "", "", Phase.RELAY, Decision.ALLOW, 200)
    stored = [second * 1e3 / 1e3 for second in seconds]  # what arrives: milliseconds, as floats have it
    for second in seconds:
        metrics.settled(outcome._replace(duration_ms=second * 1e3))
    samples = families(metrics)["gateway_request_duration_seconds"].samples
    buckets = {
        float(sample.labels["le"]): sample.value for sample in samples if sample.name.endswith("_bucket")
    }
    assert set(buckets) == {*DURATION_BUCKETS, float("inf")}
    for bound, count in buckets.items():
        assert count == sum(second <= bound for second in stored)
    assert value(metrics, "gateway_request_duration_seconds_count", operation="-") == len(seconds)


def test_bounds_are_in_order() -> None:
    """From a millisecond to ten minutes, and from 25 µs to a tenth of a second."""
    assert (DURATION_BUCKETS[0], DURATION_BUCKETS[-1]) == (0.001, 600.0)
    assert (OVERHEAD_BUCKETS[0], OVERHEAD_BUCKETS[-1]) == (25e-6, 0.1)
    for bounds in (DURATION_BUCKETS, OVERHEAD_BUCKETS):
        assert list(bounds) == sorted(set(bounds))


def test_names_are_known_once_configured_and_stay_known(allowed: Outcome) -> None:
    """Before: ``-``. After a reload that drops an operation, requests that began before still have it."""
    metrics = make(configured=False)
    metrics.settled(allowed)
    metrics.configured("rev1", operations=["createMessage"], upstreams=["main"], apps=["billing"])
    metrics.settled(allowed._replace(app="billing"))
    metrics.configured("rev2", operations=["getMessage"], upstreams=[])
    metrics.settled(allowed._replace(app="billing"))
    labels = {"decision": "allow", "status": "200"}
    assert value(metrics, "gateway_requests_total", operation="-", app="-", **labels) == 1
    assert value(metrics, "gateway_requests_total", operation="createMessage", app="billing", **labels) == 2
    assert value(metrics, "gateway_upstream_requests_total", upstream="-", outcome="complete") == 1


def test_what_is_not_known_adds_up_in_one_series(allowed: Outcome) -> None:
    """Any number of operations that nobody configured is one series."""
    metrics = make()
    for name in ("made-up", "/v1/threads/secret", "made-up"):
        metrics.settled(allowed._replace(operation=name))
    metrics.settled(allowed._replace(operation="made-up", upstream="made-up"))
    (sample,) = families(metrics)["gateway_requests"].samples
    assert sample.labels == {"operation": "-", "app": "-", "decision": "allow", "status": "200"}
    assert sample.value == 4
    assert value(metrics, "gateway_upstream_requests_total", upstream="-", outcome="complete") == 1


def test_gauges_and_configuration() -> None:
    """Gauges are read at the scrape; only the live revision has a sample; both reload outcomes start at 0."""
    metrics = make(configured=False)
    assert families(metrics)["gateway_config_info"].samples == []
    metrics.configured("rev1", operations=[], upstreams=[])
    metrics.configured("rev2", operations=[], upstreams=[])
    metrics.reloaded("applied")
    assert value(metrics, "gateway_in_flight") == 3
    assert value(metrics, "gateway_connections") == 5
    assert value(metrics, "gateway_log_lines_dropped_total") == 7
    assert [sample.labels for sample in families(metrics)["gateway_config_info"].samples] == [
        {"revision": "rev2"}
    ]
    assert value(metrics, "gateway_reloads_total", outcome="applied") == 1
    assert value(metrics, "gateway_reloads_total", outcome="refused") == 0


def test_params_have_no_indices_and_an_end(refused: Outcome) -> None:
    """A caller chooses how many items a list has; not how many series there are."""
    metrics = make()
    many = tuple(fault("invalid_type", f"attachments[{number}].tools[0]") for number in range(5000))
    metrics.settled(refused._replace(violations=many))
    labels = {"operation": "createMessage", "code": "invalid_type"}
    assert value(metrics, "gateway_violations_total", param="attachments[*].tools[*]", **labels) == 5000
    odd = tuple(fault("invalid_type", f"name{number}") for number in range(1000))
    metrics.settled(
        refused._replace(violations=(*odd, fault("invalid_type", "x" * 500), fault("invalid_type", "-")))
    )
    samples = families(metrics)["gateway_violations"].samples
    assert len(samples) <= 501
    assert sum(sample.value for sample in samples) == 6002


@given(data=st.data())
def test_labels_come_from_known_sets_whatever_settles(
    data: st.DataObject, outcomes: st.SearchStrategy[Outcome]
) -> None:
    """No operation, app, upstream or code that was not told beforehand becomes a label; nothing is lost."""
    metrics = make()
    settled = data.draw(st.lists(outcomes, max_size=8))
    for outcome in settled:
        metrics.settled(outcome)
    known = {
        "operation": {"createMessage", "-", "unlisted"},
        "app": {"-"},
        "upstream": {"main", "-"},
        "code": {*CODES, "-"},
        "decision": {*map(str, Decision)},
    }
    for family in families(metrics).values():
        for sample in family.samples:
            for name, values in known.items():
                assert sample.labels.get(name) in {None, *values}
    total = sum(sample.value for sample in families(metrics)["gateway_requests"].samples)
    assert total == len(settled)


def test_outcome_words_of_upstreams_have_an_end(allowed: Outcome) -> None:
    """They are words of ours; should a bug make them up, series still stay few."""
    metrics = make()
    for number in range(100):
        metrics.settled(allowed._replace(upstream_outcome=f"word{number}"))
    samples = families(metrics)["gateway_upstream_requests"].samples
    assert len(samples) == 32
    assert sum(sample.value for sample in samples) == 100
