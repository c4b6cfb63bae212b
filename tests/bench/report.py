"""The figures: medians, tables, ratios and the bars they must clear; and the same for machines."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.bench.rounds import Findings, Plan, Sample

_HEAD = ("peer", "CPU µs", "user", "system", "spread", "req/s", "p50 ms", "p99 ms", "kept", "dropped")
_NOISE = ("steal", "iowait", "elsewhere")


@dataclass(frozen=True, slots=True)
class Summary:
    """Medians over the kept rounds of one peer and body.

    ``spread`` is how far the lowest and the highest CPU time lie apart, as a share of the median; the last
    three are medians of shares of time over all rounds.
    """

    peer: str
    body: str
    cpu_us: float
    user_us: float
    system_us: float
    spread: float
    per_second: float
    p50_ms: float
    p99_ms: float
    kept: int
    dropped: int
    steal: float
    iowait: float
    elsewhere: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise: ``figure`` must be ``limit`` or less; None when too many rounds were dropped to tell."""

    text: str
    figure: float | None
    limit: float
    unit: str = ""

    @property
    def verdict(self) -> str:
        """Say in a word whether the promise was kept."""
        if self.figure is None:
            return "not judged"
        return "pass" if self.figure <= self.limit else "FALLS SHORT"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the report: its lines, the promises it judged, and what ``--json`` keeps of it."""

    lines: list[str]
    bars: list[Bar] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)


def summarize(findings: Findings) -> dict[tuple[str, str], Summary]:
    """Give the medians by body and peer; what has no kept round is left out."""
    grouped: dict[tuple[str, str], list[Sample]] = {}
    for sample in findings.samples:
        grouped.setdefault((sample.body, sample.peer), []).append(sample)
    return {key: _summary(samples) for key, samples in grouped.items() if any(one.kept for one in samples)}


def _summary(samples: list[Sample]) -> Summary:
    kept = [one for one in samples if one.kept]
    costs = [one.cpu_us for one in kept]
    return Summary(
        peer=samples[0].peer,
        body=samples[0].body,
        cpu_us=median(costs),
        user_us=median(one.user_us for one in kept),
        system_us=median(one.system_us for one in kept),
        spread=(max(costs) - min(costs)) / max(median(costs), 1e-9),
        per_second=median(one.per_second for one in kept),
        p50_ms=median(one.p50_ms for one in kept),
        p99_ms=median(one.p99_ms for one in kept),
        kept=len(kept),
        dropped=len(samples) - len(kept),
        steal=median(one.steal for one in samples),
        iowait=median(one.iowait for one in samples),
        elsewhere=median(one.elsewhere for one in samples),
    )


def ratio(findings: Findings, body: str, peer: str, of: str = "gateway") -> float | None:
    """Give CPU per request of ``of`` over that of ``peer``: the median of the rounds' own ratios.

    Both sides of such a ratio were measured seconds apart, so a machine that speeds up or slows down during
    the run moves it less than the ratio of two medians. None when no round of both was kept.
    """
    costs = {(one.number, one.peer): one.cpu_us for one in findings.samples if one.body == body and one.kept}
    ours = {number: cost for (number, name), cost in costs.items() if name == of}
    ratios = [cost / theirs for number, cost in ours.items() if (theirs := costs.get((number, peer)))]
    return median(ratios) if ratios else None


def bars(findings: Findings) -> list[Bar]:
    """Give the promises about what this run measured."""
    measured = {one.peer for one in findings.samples if one.body == "small"}
    found = [
        Bar(f"small body: CPU per request, gateway/{peer}", ratio(findings, "small", peer), limit)
        for peer, limit in (("plain", 0.25), ("nginx", 5.0))
        if {"gateway", peer} <= measured
    ]
    if {"gateway-1", "gateway-300"} <= measured:
        cost = ratio(findings, "small", "gateway-1", of="gateway-300")
        found.append(Bar("small body: CPU per request, 300 operations/1 operation", cost, 1.05))
    if idle := findings.idle.get("gateway"):
        found.append(Bar("idle memory of the gateway's own process (VmRSS)", idle.own / 1024, 60.0, " MiB"))
    return found


def section(findings: Findings, plan: Plan) -> Section:
    """Lay out what requests cost, for a terminal of some 110 columns."""
    lines = [f"{peer.name:<12}{peer.note}" for peer in plan.peers]
    summaries = summarize(findings)
    for body in plan.bodies:
        rows = [one for (name, _), one in summaries.items() if name == body.name]
        lines += ["", f"{body.name}: {len(body.payload)} bytes, {'forwarded' if body.valid else 'refused'}"]
        lines += _table(rows)
        dropped = {one.peer for one in findings.samples if one.body == body.name} - {one.peer for one in rows}
        lines += [f"  {name}: every round was dropped, the host stole too much" for name in sorted(dropped)]
        ratios = [(one.peer, ratio(findings, body.name, one.peer)) for one in rows if one.peer != "gateway"]
        said = [f"gateway/{name} {value:.3f}" for name, value in ratios if value is not None]
        lines += ["  CPU per request: " + ", ".join(said)] if said else []
    lines += ["", "memory, MiB        VmRSS idle   Pss idle  VmRSS after load  Pss after load"]
    for name, idle in findings.idle.items():
        after = findings.loaded[name]
        sizes = (idle.rss, 13), (idle.pss, 11), (after.rss, 18), (after.pss, 16)
        lines.append(f"  {name:<14}" + "".join(f"{kib / 1024:>{width}.1f}" for kib, width in sizes))
    document = {
        "peers": {peer.name: peer.note for peer in plan.peers},
        "bodies": {body.name: len(body.payload) for body in plan.bodies},
        "summaries": [asdict(one) for one in summaries.values()],
        "memory_kib": {
            name: {"idle": asdict(idle), "after_load": asdict(findings.loaded[name])}
            for name, idle in findings.idle.items()
        },
        "samples": [asdict(sample) | {"cpu_us": sample.cpu_us} for sample in findings.samples],
    }
    return Section(lines, bars(findings), document)


def text(about: dict[str, str], sections: list[Section]) -> str:
    """Give the whole report for a terminal: what was measured where, each section, the promises."""
    lines = [f"{name:<12}{value}" for name, value in about.items()]
    for one in sections:
        lines += ["", *one.lines]
    judged = [bar for one in sections for bar in one.bars]
    lines += ["", *map(_bar_line, judged)] if judged else []
    return "\n".join(lines)


def as_json(about: dict[str, str], sections: list[Section]) -> str:
    """Give everything, each sample included, as one JSON document."""
    judged = [asdict(bar) | {"verdict": bar.verdict} for one in sections for bar in one.bars]
    document: dict[str, Any] = {"about": about, "bars": judged}
    for one in sections:
        document |= one.document
    return json.dumps(document, indent=2)


def _table(rows: list[Summary]) -> list[str]:
    lines = [f"  {_HEAD[0]:<12}" + "".join(f"{name:>9}" for name in _HEAD[1:]) + "  " + " ".join(_NOISE)]
    for one in rows:
        cells = [f"{one.cpu_us:.1f}", f"{one.user_us:.1f}", f"{one.system_us:.1f}", f"{one.spread:.0%}"]
        cells += [
            f"{one.per_second:.0f}",
            f"{one.p50_ms:.2f}",
            f"{one.p99_ms:.2f}",
            str(one.kept),
            str(one.dropped),
        ]
        noise = " ".join(f"{getattr(one, name):>{len(name)}.0%}" for name in _NOISE)
        lines.append(f"  {one.peer:<12}" + "".join(f"{cell:>9}" for cell in cells) + "  " + noise)
    return lines


def _bar_line(bar: Bar) -> str:
    figure = "too many rounds were dropped" if bar.figure is None else f"{bar.figure:.2f}{bar.unit}"
    return f"{bar.verdict:<12}{bar.text}: {figure}, to be at most {bar.limit:g}{bar.unit}"
