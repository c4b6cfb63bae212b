"""What hostile bodies cost the running gateway, as whole requests: compressed bombs, and JSON of odd shapes.

``tests.bench.parse`` has more shapes, for the reader of JSON alone.
"""

from __future__ import annotations

import http.client
import zlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import brotli

from tests.bench.bodies import FIELDS, PATH
from tests.bench.faults import BenchError
from tests.bench.machine import Cores, exact_cpu_time, forget_peak, memory, peak
from tests.bench.peers import PEERS, Running, peer_started, upstream
from tests.bench.report import Bar, Section
from tests.core.json_shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BOMB_BYTES = 200_000_000
BOMBS_SENT = 50
SIZES = (256 * 1024, 512 * 1024, 1024 * 1024)
SHAPE_BYTES = 2 * 1024 * 1024
"""How much of a shape is sent in a round: the larger a body, the fewer of it."""
ROUNDS = 3
LIMIT = 2.0
"""What a byte of the largest body may cost, over one of the smallest.

Linear is 1, and somewhat more where the values outgrow the processor's caches; growing with the square is 4.
"""
_OPEN, _CLOSE = b'{"role":"user","content":"Hello","metadata":', b"}"
_KEYS = "keys"
_SHAPES = (
    _KEYS,
    "keys, colliding where hashes are not random",
    "keys, escaped",
    "keys, the last one twice",
    "one key in each of many objects",
    "objects as deep as allowed",
    "escapes \\u0041",
    "quotes and brackets in turn",
    "decimals hard to round",
)


@dataclass(frozen=True, slots=True)
class Bomb:
    """A compressed body of BOMB_BYTES: its size as sent, CPU per request, and by how many KiB memory grew.

    ``peak`` is the most that was resident at any time, over what was before.
    """

    coding: str
    sent: int
    cpu_ms: float
    peak: int
    left: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape of JSON: the answer's status, and ns of CPU for each byte at each of SIZES."""

    name: str
    status: int
    costs: tuple[float, ...]

    @property
    def growth(self) -> float:
        """What a byte of the largest costs over one of the smallest."""
        return self.costs[-1] / self.costs[0]


@dataclass(slots=True)
class Findings:
    """All that was measured."""

    bombs: list[Bomb] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)


def measure(cores: Cores, home: Path, tell: Callable[[str], None]) -> Findings:
    """Measure the gateway with files in ``home``; ``tell`` hears of progress.

    :raises BenchError: when it answers otherwise than it should
    """
    findings = Findings()
    with (
        upstream(home, cores.load) as target,
        peer_started(PEERS["gateway"], home, target.port, cores.peer) as gateway,
    ):
        for coding, compressor in _CODINGS.items():
            tell(f"bombs: {coding}")
            findings.bombs.append(_bomb(gateway, coding, b"".join(compressor())))
        for name, make in _bodies().items():
            tell(f"hostile JSON: {name}")
            findings.shapes.append(_shape(gateway, name, make))
    return findings


def _bomb(gateway: Running, coding: str, body: bytes) -> Bomb:
    _send(gateway, body, 1, coding)  # what it imports for a coding is not the bomb's
    before = memory(gateway.pid).rss
    forget_peak(gateway.pid)
    status, seconds = _send(gateway, body, BOMBS_SENT, coding)
    if status != 413:
        raise BenchError(f"a bomb in {coding} is answered with {status}\n{gateway.last_words()}")
    left = memory(gateway.pid).rss - before
    return Bomb(coding, len(body), seconds / BOMBS_SENT * 1e3, peak(gateway.pid) - before, left)


def _shape(gateway: Running, name: str, make: Callable[[int], bytes]) -> Shape:
    costs = []
    statuses: set[int] = set()
    for size in SIZES:
        body = make(size - 1024)  # shapes are of about a size; none may exceed max_bytes
        count = SHAPE_BYTES // size
        sent = [_send(gateway, body, count) for _ in range(ROUNDS)]
        statuses.update(status for status, _ in sent)
        costs.append(min(seconds for _, seconds in sent) / count / len(body) * 1e9)
    if len(statuses) != 1:
        raise BenchError(f"{name} is answered with {statuses}, by its size")
    return Shape(name, statuses.pop(), tuple(costs))


def _bodies() -> dict[str, Callable[[int], bytes]]:
    """Give what is sent: shapes as whole bodies, and one where the schema has to look at each key."""

    def metadata(size: int) -> bytes:
        return _OPEN + SHAPES[_KEYS](size - len(_OPEN + _CLOSE)) + _CLOSE

    return {"keys of metadata": metadata} | {name: SHAPES[name] for name in _SHAPES}


def _send(gateway: Running, body: bytes, count: int, coding: str | None = None) -> tuple[int, float]:
    """Send ``body`` ``count`` times, one after the other; give the status and the CPU seconds of it all.

    :raises BenchError: when the answers are not all alike
    """
    fields = dict(FIELDS) | ({} if coding is None else {"content-encoding": coding})
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=30)
    statuses = set()
    before = exact_cpu_time(gateway.pid)
    try:
        for _ in range(count):
            connection.request("POST", PATH, body, fields)
            response = connection.getresponse()
            response.read()
            statuses.add(response.status)
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{gateway.name} does not answer: {error!r}\n{gateway.last_words()}") from error
    finally:
        connection.close()
    if len(statuses) != 1:
        raise BenchError(f"one body, several answers: {statuses}")
    return statuses.pop(), exact_cpu_time(gateway.pid) - before


def _zeros() -> Iterator[bytes]:
    piece = bytes(1_000_000)
    for _ in range(BOMB_BYTES // len(piece)):
        yield piece


def _zlib(bits: int) -> Iterator[bytes]:
    compressor = zlib.compressobj(9, zlib.DEFLATED, bits)
    yield from map(compressor.compress, _zeros())
    yield compressor.flush()


def _brotli() -> Iterator[bytes]:
    compressor = brotli.Compressor(quality=5)
    yield from map(compressor.process, _zeros())
    yield compressor.finish()


def _zstd() -> Iterator[bytes]:
    from backports.zstd import ZstdCompressor  # Python has it itself from 3.14 on

    compressor = ZstdCompressor()
    yield from map(compressor.compress, _zeros())
    yield compressor.flush()


_CODINGS: dict[str, Callable[[], Iterator[bytes]]] = {
    "gzip": lambda: _zlib(31),
    "deflate": lambda: _zlib(15),
    "br": _brotli,
    "zstd": _zstd,
}


def section(findings: Findings) -> Section:
    """Lay it out for the report."""
    lines = [
        f"bombs: {BOMB_BYTES / 1e6:.0f} MB decoded, {BOMBS_SENT} of each, refused with 413",
        f"  {'':12}{'sent, B':>10}{'CPU ms':>10}{'peak KiB':>10}{'left KiB':>10}",
    ]
    for bomb in findings.bombs:
        figures = f"{bomb.sent:>10}{bomb.cpu_ms:>10.2f}{bomb.peak:>10}{bomb.left:>10}"
        lines.append(f"  {bomb.coding:12}{figures}")
    heads = "".join(f"{size // 1024:>7} KiB" for size in SIZES)
    lines += [
        "",
        "hostile JSON: ns of CPU for each byte, whole requests",
        f"  {'':44}{heads}   ratio  status",
    ]
    for shape in findings.shapes:
        figures = "".join(f"{cost:>11.2f}" for cost in shape.costs)
        lines.append(f"  {shape.name:44}{figures}{shape.growth:>8.2f}{shape.status:>8}")
    worst = max(shape.growth for shape in findings.shapes)
    bar = Bar("hostile JSON: CPU per byte of 1 MiB/of 256 KiB, the worst shape", worst, LIMIT)
    return Section(lines, [bar], {"hostile": asdict(findings)})
