"""Content codings: what was encoded, or a refusal; never more than the limits, never something else."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import tracemalloc
import zlib
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any, Final

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import encodings
from gateway.core.encodings import MAX_WINDOW, STEP, EncodingFault, decode
from tests.support.encoders import CODINGS, ENCODERS, bomb, zstd, zstd_frame

if TYPE_CHECKING:
    from gateway.core.encodings import Coding

WIDE = {"max_bytes": 1 << 30, "max_ratio": 1 << 30}
BODY = b'{"role": "user", "content": "Hello, hello, hello, hello \xf0\x9f\x91\x8b"}'
CODED = tuple((coding, encode(BODY)) for coding, encode in ENCODERS.items())
each = pytest.mark.parametrize("coding", CODINGS)
each_coded = pytest.mark.parametrize(("coding", "coded"), CODED, ids=CODINGS)


def fault(body: bytes, coding: Coding, max_bytes: int = 1 << 30, max_ratio: int = 1 << 30) -> tuple[str, str]:
    """Give code and message of a refusal."""
    with pytest.raises(EncodingFault) as caught:
        decode(body, coding, max_bytes=max_bytes, max_ratio=max_ratio)
    return caught.value.code, caught.value.message


def refused(body: bytes, coding: Coding) -> str:
    """Give the message of a refusal for what the bytes are, not for how many."""
    code, message = fault(body, coding)
    assert code == "bad_request"
    return message


# What is good.


@each
@pytest.mark.parametrize(
    "body",
    [b"", b"x", BODY, bytes(3 * STEP), Random(1).randbytes(5 * STEP + 1), BODY * 20_000],
    ids=["empty", "one byte", "small", "zeros", "noise", "text"],
)
def test_what_was_encoded(coding: Coding, body: bytes) -> None:
    """One piece or many, in and out."""
    assert decode(ENCODERS[coding](body), coding, **WIDE) == body


@each
@given(st.binary(max_size=2000) | st.text().map(str.encode))
def test_any_body(coding: Coding, body: bytes) -> None:
    """Whatever is encoded comes out again."""
    assert decode(ENCODERS[coding](body), coding, **WIDE) == body


def _stored(body: bytes) -> bytes:
    """Give a deflate stream, without what zlib and gzip put around it."""
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(body) + encoder.flush()


def _gzip(flags: int, *fields: bytes, crc: int | None = None, method: int = 8) -> bytes:
    """Make a gzip member with header fields (RFC 1952 section 2.3)."""
    header = b"\x1f\x8b" + bytes([method, flags]) + bytes(4) + b"\x00\xff" + b"".join(fields)
    if flags & 2:
        header += struct.pack("<H", (zlib.crc32(header) if crc is None else crc) & 0xFFFF)
    return header + _stored(BODY) + struct.pack("<II", zlib.crc32(BODY), len(BODY))


@pytest.mark.parametrize(
    "member",
    [
        _gzip(0),
        _gzip(1),
        _gzip(2),
        _gzip(4, b"\x05\x00AB\x01\x00x"),
        _gzip(8, b"a.json\x00"),
        _gzip(16, b"n\xf6te\x00"),
        _gzip(31, b"\x05\x00AB\x01\x00x", b"a.json\x00", b"note\x00"),
    ],
    ids=["none", "text", "header crc", "extra", "name", "comment", "all"],
)
def test_gzip_headers(member: bytes) -> None:
    """All that a gzip header may hold is passed over."""
    assert decode(member, "gzip", **WIDE) == BODY


def test_flushes_and_empty_blocks() -> None:
    """What encoders of streams do between: nothing of it is in the body."""
    encoder = zlib.compressobj(wbits=31)
    parts = [encoder.compress(BODY), encoder.flush(zlib.Z_SYNC_FLUSH), encoder.flush(zlib.Z_FULL_FLUSH)]
    parts += [encoder.compress(BODY), encoder.flush()]
    assert decode(b"".join(parts), "gzip", **WIDE) == BODY * 2
    stream = zstd.ZstdCompressor()
    parts = [stream.compress(BODY, mode=stream.FLUSH_BLOCK), stream.compress(b"", mode=stream.FLUSH_BLOCK)]
    assert decode(b"".join(parts) + stream.flush(), "zstd", **WIDE) == BODY
    flushing = brotli.Compressor()
    parts = [flushing.process(BODY), flushing.flush(), flushing.flush(), flushing.finish()]
    assert decode(b"".join(parts), "br", **WIDE) == BODY


# What is not one whole stream.


@each_coded
def test_cut_anywhere(coding: Coding, coded: bytes) -> None:
    """Each beginning of a body is refused as one, from no bytes to all but the last."""
    for end in range(len(coded)):
        assert "ends before" in refused(coded[:end], coding), end


@each
def test_cut_anywhere_after_many_steps(coding: Coding) -> None:
    """The same where most of the body was decoded already, the checksum included."""
    coded = ENCODERS[coding](Random(2).randbytes(2 * STEP))
    for end in range(len(coded) - 12, len(coded)):
        assert "ends before" in refused(coded[:end], coding), end


@pytest.mark.parametrize(
    "content", [BODY, Random(3).randbytes(64), b"a" * 2000], ids=["text", "noise", "run"]
)
@each
def test_one_flipped_bit(coding: Coding, content: bytes) -> None:
    """No flipped bit makes another body: it is refused, or was none of the content's.

    gzip, deflate and zstd (where its encoder wrote one) have a checksum. br has none: what its decoder
    takes may differ, and is judged as what it now is; nothing but bytes or a refusal comes out.
    """
    coded = ENCODERS[coding](content)
    differing = 0
    for place in range(len(coded)):
        for bit in range(8):
            flipped = coded[:place] + bytes([coded[place] ^ 1 << bit]) + coded[place + 1 :]
            with suppress(EncodingFault):
                differing += decode(flipped, coding, **WIDE) != content
    assert differing == 0 or coding == "br"


def test_wrong_checksums() -> None:
    """CRC-32 and length of gzip, Adler-32 of zlib and XXH64 of zstd are compared."""
    for coding, size in (("gzip", 8), ("deflate", 4), ("zstd", 4)):
        coded = ENCODERS[coding](BODY)
        for place in range(1, size + 1):
            wrong = bytearray(coded)
            wrong[-place] ^= 1
            assert "not valid" in refused(bytes(wrong), coding), (coding, place)


SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"


@each_coded
@pytest.mark.parametrize("more", [b"\0", b"\n", bytes(STEP), None], ids=["NUL", "LF", "NULs", "the same"])
def test_more_behind_the_end(coding: Coding, coded: bytes, more: bytes | None) -> None:
    """Nothing may follow: not one byte, and no second member, stream or frame."""
    message = refused(coded + (coded if more is None else more), coding)
    assert "goes on after" in message or (coding == "br" and "not valid br" in message)


@each
def test_more_behind_the_end_of_a_step(coding: Coding) -> None:
    """The same where the stream ends with a step, and the decoder is never given the rest."""
    coded = next(
        found
        for size in range(STEP - 200, STEP)
        if len(found := ENCODERS[coding](Random(4).randbytes(size))) == STEP
    )
    assert len(decode(coded, coding, **WIDE)) > STEP - 200
    assert "goes on after" in refused(coded + b"x", coding)
    assert "goes on after" in refused(coded + bytes(9 * STEP), coding)


def test_skippable_frames() -> None:
    """Some decoders pass zstd's skippable frames over, some end with them (RFC 8878 section 3.1.2)."""
    frame = zstd_frame(BODY)
    for body in (SKIPPABLE, SKIPPABLE + frame, SKIPPABLE * 2):
        assert "does not begin with" in refused(body, "zstd")
    assert "goes on after" in refused(frame + SKIPPABLE, "zstd")
    assert "ends before" in refused(SKIPPABLE[:5], "zstd")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", _gzip(2, crc=0)),
        ("gzip", _gzip(0x20)),
        ("gzip", _gzip(0, method=7)),
        ("gzip", zlib.compress(BODY)),
        ("deflate", _stored(BODY)),
        ("deflate", gzip.compress(BODY, mtime=0)),
        ("deflate", BODY),
        ("br", BODY),
        ("br", b"\x91" + brotli.compress(BODY)[1:]),
        ("zstd", BODY),
        ("zstd", gzip.compress(BODY, mtime=0)),
        ("zstd", b"\x27" + zstd_frame(BODY)[1:]),
    ],
)
def test_something_else(coding: Coding, body: bytes) -> None:
    """Wrong header checksums, reserved flags, other methods and other formats, raw deflate among them."""
    assert "not valid" in (message := refused(body, coding)) or "does not begin" in message


def test_no_dictionaries() -> None:
    """A body that is to be read with a dictionary, which nobody here has, is refused."""
    encoder = zlib.compressobj(zdict=BODY)
    assert "not valid" in refused(encoder.compress(BODY) + encoder.flush(), "deflate")
    dictionary = zstd.train_dict([BODY + str(number).encode() * 9 for number in range(500)], 500)
    assert "not valid" in refused(zstd.compress(BODY, zstd_dict=dictionary), "zstd")


def zstd_by_hand(window: int, content: bytes = BODY, *, sized: bool = False) -> bytes:
    """Make a zstd frame with a window descriptor (RFC 8878 section 3.1.1), its content in one raw block."""
    size = struct.pack("<I", len(content)) if sized else b""
    block = struct.pack("<I", 1 | len(content) << 3)[:3] + content
    return b"\x28\xb5\x2f\xfd" + bytes([0x80 if sized else 0, window]) + size + block


@pytest.mark.parametrize("sized", [False, True])
def test_the_window_of_zstd(sized: bool) -> None:
    """8 MiB are taken, more is not, whether the frame says how little it holds or not (RFC 9659)."""
    largest = (MAX_WINDOW.bit_length() - 1 - 10) << 3
    for window in (0, 7, largest - 1, largest):
        assert decode(zstd_by_hand(window, sized=sized), "zstd", **WIDE) == BODY
    for window in (largest + 1, largest + 8, (27 - 10) << 3, 255):
        assert "window" in refused(zstd_by_hand(window, sized=sized), "zstd")


def test_the_window_of_zstd_is_its_content() -> None:
    """A frame of a single segment has a window as large as its content, and the same limit."""
    for size in (MAX_WINDOW, MAX_WINDOW + 1):
        head = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", size)
        blocks = [struct.pack("<I", 1 << 1 | 131072 << 3)[:3] + b"a" for _ in range(size // 131072)]
        last = struct.pack("<I", 1 | 1 << 1 | size % 131072 << 3)[:3] + b"a"
        body = head + b"".join(blocks) + last
        if size == MAX_WINDOW:
            assert len(decode(body, "zstd", **WIDE)) == size
        else:
            assert "not valid" in refused(body, "zstd")


# Limits.


@each_coded
def test_as_many_bytes_as_there_may_be(coding: Coding, coded: bytes) -> None:
    """Exactly ``max_bytes`` pass, one more does not, and the refusal says which limit it was."""
    assert decode(coded, coding, max_bytes=len(BODY), max_ratio=100) == BODY
    assert fault(coded, coding, len(BODY) - 1, 100) == (
        "body_too_large",
        f"The request body is larger than {len(BODY) - 1} bytes once it is decoded.",
    )


@each
def test_as_many_times_the_size_as_there_may_be(coding: Coding) -> None:
    """Exactly ``max_ratio`` times the encoded size pass, one byte more does not; there is no floor."""
    bodies = {size: ENCODERS[coding](b"a" * size) for size in range(50, 3000)}
    exact = next(size for size, coded in bodies.items() if size % len(coded) == 0)
    ratio = exact // len(bodies[exact])
    assert len(decode(bodies[exact], coding, max_bytes=exact, max_ratio=ratio)) == exact
    over = next(size for size, coded in bodies.items() if size % len(coded) == 1 and size > len(coded))
    ratio = over // len(bodies[over])
    assert fault(bodies[over], coding, max_ratio=ratio) == (
        "body_too_large",
        f"The request body is more than {ratio} times as large decoded as it is encoded.",
    )


def test_which_limit_is_told() -> None:
    """The lower one; the bytes where both are the same."""
    coded = gzip.compress(bytes(100_000), mtime=0)
    assert "10 times" in fault(coded, "gzip", 10 * len(coded) + 1, 10)[1]
    assert "bytes" in fault(coded, "gzip", 10 * len(coded), 10)[1]


def br_window(stream: bytes) -> int:
    """Give the window that a Brotli stream states, in bits (RFC 7932 section 9.1)."""
    if not stream[0] & 1:
        return 16
    return 17 + (stream[0] >> 1 & 7) if stream[0] & 0x0E else 8 + ((stream[0] >> 4 & 7) or 9)


@pytest.mark.parametrize("window", range(10, 25))
def test_the_window_of_br(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library never gets a window of more than twice the limit, and reads the same in it.

    It would fill the window, 16 MiB for 14 bytes, before it gave out the first of them.
    """
    windows: list[int] = []
    start = encodings._DECODERS["br"]

    def recorded(stream: bytes) -> Any:
        windows.append(br_window(stream))
        return start(stream)

    monkeypatch.setattr(encodings, "_DECODERS", {"br": recorded})
    noise = bytes(
        Random(7).choices(b"abcdefgh", k=1 << 18)
    )  # which comes again at the greatest distance there may be
    for content in (BODY, noise[:-15] + noise[:14], noise + noise[:200]):
        coded = brotli.compress(content, quality=9, lgwin=window)
        assert br_window(coded) == window
        assert decode(coded, "br", max_bytes=len(content), max_ratio=100) == content
        assert 1 << windows[-1] <= max(2 * (len(content) + 15), 1 << 18)
        assert decode(coded, "br", **WIDE) == content
        assert windows[-1] == br_window(coded)
        assert fault(coded, "br", len(content) - 1)[0] == "body_too_large"
    zeros = brotli.compress(bytes(1 << 24), quality=9, lgwin=window)
    assert fault(zeros, "br", 1 << 20, 100)[0] == "body_too_large"


class Counting:
    """A decoder that counts what goes through another one."""

    given: list[int]
    got: list[int]

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder
        self.given, self.got = [], []

    eof = property(lambda self: self._decoder.eof)
    unused_data = property(lambda self: self._decoder.unused_data)

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        piece: bytes = self._decoder.decompress(data, max_length)
        self.given.append(len(data))
        self.got.append(len(piece))
        return piece


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Counting]:
    """Count what each decoder is given and gives from here on."""
    counted: list[Counting] = []

    def start(begin: Any, body: bytes) -> Any:
        decoder, error = begin(body)
        counted.append(Counting(decoder))
        return counted[-1], error

    monkeypatch.setattr(
        encodings,
        "_DECODERS",
        {
            coding: lambda body, begin=begin: start(begin, body)
            for coding, begin in encodings._DECODERS.items()
        },
    )
    return counted


MORE_THAN_A_STEP: Final = 2 * STEP
"""What a decoder gives at once at most; br's library gives whole buffers."""


@pytest.mark.parametrize(("max_bytes", "max_ratio"), [(1 << 20, 1 << 30), (1 << 30, 100), (1, 1)])
@each
def test_a_bomb(coding: Coding, max_bytes: int, max_ratio: int, counted: list[Counting]) -> None:
    """Of 200 MB no more is decoded, or read, than what passes the limit, and no more is held."""
    body = bomb(coding, 200)
    limit = min(max_bytes, max_ratio * len(body))
    tracemalloc.start()
    try:
        code, _ = fault(body, coding, max_bytes, max_ratio)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert code == "body_too_large"
    [decoder] = counted
    assert limit < sum(decoder.got) <= limit + MORE_THAN_A_STEP
    assert max(decoder.got) <= MORE_THAN_A_STEP
    assert sum(decoder.given) <= len(body) * (limit + MORE_THAN_A_STEP) // 200_000_000 + STEP
    assert peak <= limit + limit // 8 + 8 * STEP


@each
def test_cost_is_linear(coding: Coding, counted: list[Counting]) -> None:
    """A long body is given once, step by step, and asked for in steps."""
    body = Random(5).randbytes(64 * STEP)
    coded = ENCODERS[coding](body)
    assert decode(coded, coding, **WIDE) == body
    [decoder] = counted
    assert sum(decoder.given) == len(coded)
    assert max(decoder.given) <= STEP
    assert len(decoder.got) <= 5 * len(body) // STEP


@each
def test_a_good_body_is_held_once(coding: Coding) -> None:
    """What comes out is not copied at the end; a buffer that grows has an eighth to spare."""
    coded = bomb(coding, 16)
    decode(coded, coding, **WIDE)
    tracemalloc.start()
    try:
        decoded = decode(coded, coding, **WIDE)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(decoded) == 16_000_000
    assert peak <= len(decoded) + len(decoded) // 8 + 8 * STEP


def test_libraries_are_imported_when_needed() -> None:
    """The core by itself does without those of br and zstd until a body needs them."""
    program = (
        "import sys, gateway.core.decide\n"
        "assert not {'brotli', 'backports.zstd', 'compression.zstd'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
