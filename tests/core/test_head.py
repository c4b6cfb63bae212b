"""The head phase: every doubtful head is refused, every good one is read one way, remembered or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.fields import MAX_FIELD_LINE, MAX_FIELDS, FieldMemo, HeadMemo
from gateway.core.head import (
    MAX_HEAD,
    MAX_REQUEST_LINE,
    check_partial,
    parse_media_type,
    read_head,
    trace_id,
)
from gateway.core.types import Phase, Rejection, RequestHead
from tests.sockets.cases import CHUNK_BODIES, REFUSED, SERVED, Case

if TYPE_CHECKING:
    from collections.abc import Iterable

HOST = b"Host: a.test\r\n"
IN_DOUBT = {"bad_request", "expectation_failed", "headers_too_large", "uri_too_long"}


def head(line: bytes = b"GET / HTTP/1.1", *fields: bytes, host: bytes = HOST) -> bytes:
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def good(raw: bytes) -> RequestHead:
    found = read_head(raw)
    assert isinstance(found, RequestHead), found
    return found


def plain(found: RequestHead | Rejection) -> Any:
    """Give all that a head says in a form that compares."""
    if isinstance(found, Rejection):
        return found
    block = found.block
    parts = found._replace(block=None)  # type: ignore[arg-type]
    return tuple(parts), block.fields, block.first, block.host, block.options, block.chunked, block.expect


DOUBTFUL = [
    case for case in REFUSED if case.closed and case.code in IN_DOUBT and case.name not in CHUNK_BODIES
]
HEADS = [
    case.raw[: case.raw.find(b"\r\n\r\n") + 4] for case in [*REFUSED, *SERVED] if b"\r\n\r\n" in case.raw
]


def test_a_plain_head() -> None:
    """Every part of a head is where it belongs."""
    raw = head(b"POST /v1/a%20b?x=1&y HTTP/1.1", b"X-A: \t1 ", b"x-a:2", b"Content-Length: 5")
    found = good(raw)
    assert (found.method, found.target, found.path, found.query) == (
        "POST", b"/v1/a%20b?x=1&y", "/v1/a%20b", "x=1&y",
    )  # fmt: skip
    assert (found.minor, found.host, found.length, found.declared) == (1, "a.test", 5, True)
    assert (found.keep_alive, found.expect) == (True, False)
    assert [field.line for field in found.fields if field.lower == b"x-a"] == [b"X-A: 1\r\n", b"x-a: 2\r\n"]
    assert found.first[b"x-a"] == b"1"


@pytest.mark.parametrize(
    ("raw", "length", "declared"),
    [
        (head(), 0, False),
        (head(b"POST / HTTP/1.1", b"Content-Length: 0"), 0, True),
        (head(b"POST / HTTP/1.1", b"content-LENGTH:  7\t"), 7, True),
        (head(b"POST / HTTP/1.1", b"Content-Length: 9999999999999999"), 9999999999999999, True),
        (head(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked"), None, True),
    ],
)
def test_lengths(raw: bytes, length: int | None, *, declared: bool) -> None:
    """A body's length is what the one framing field says."""
    found = good(raw)
    assert (found.length, found.declared) == (length, declared)


@pytest.mark.parametrize(
    ("line", "fields", "keep_alive", "expect"),
    [
        (b"GET / HTTP/1.1", (), True, False),
        (b"GET / HTTP/1.1", (b"Connection: Close",), False, False),
        (b"GET / HTTP/1.1", (b"Connection: a", b"Connection: b , close"), False, False),
        (b"GET / HTTP/1.0", (), False, False),
        (b"GET / HTTP/1.0", (b"Connection: Keep-Alive",), True, False),
        (b"GET / HTTP/1.0", (b"Connection: keep-alive, close",), False, False),
        (b"PUT / HTTP/1.1", (b"Expect: 100-Continue", b"Content-Length: 1"), True, True),
        (b"PUT / HTTP/1.1", (b"Expect: 100-continue", b"Transfer-Encoding: chunked"), True, True),
        (b"PUT / HTTP/1.1", (b"Expect: 100-continue",), True, False),
        (b"PUT / HTTP/1.0", (b"Expect: 100-continue", b"Content-Length: 1"), False, False),
    ],
)
def test_connection_and_expect(
    line: bytes, fields: tuple[bytes, ...], *, keep_alive: bool, expect: bool
) -> None:
    """Whether the connection goes on, and whether 100 is awaited."""
    found = good(head(line, *fields))
    assert (found.keep_alive, found.expect) == (keep_alive, expect)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"\r\n\r\n",
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\n\r",
        head()[:-2],
        head() + b"x",
        head()[:-2] + b"\n\n",
        b"\r\n" + head(),
        head()[:-4] + b"\r\n\r\n" + HOST + b"\r\n",
    ],
)
def test_what_is_no_head(raw: bytes) -> None:
    """Only a whole head, from its first byte to the empty line, is one."""
    found = read_head(raw)
    assert isinstance(found, Rejection)
    assert (found.code, found.phase, found.close) == ("bad_request", Phase.HEAD, True)


@pytest.mark.parametrize("case", DOUBTFUL, ids=lambda case: case.name)
def test_what_is_in_doubt(case: Case) -> None:
    """A head that servers may read in different ways is refused by itself, whatever follows it."""
    found = read_head(b"".join(case.raw.partition(b"\r\n\r\n")[:2]))
    assert isinstance(found, Rejection)
    assert (found.code, found.phase, found.close) == (case.code, Phase.HEAD, True)


def test_limits() -> None:
    """What is just within a limit passes, one byte more does not."""
    line = b"GET /" + b"a" * (MAX_REQUEST_LINE - 14) + b" HTTP/1.1"
    assert len(line) == MAX_REQUEST_LINE
    good(head(line))
    _refused(head(line.replace(b"/", b"/a", 1)), "uri_too_long")
    field = b"X: " + b"a" * (MAX_FIELD_LINE - 3)
    good(head(b"GET / HTTP/1.1", field))
    _refused(head(b"GET / HTTP/1.1", field + b"a"), "headers_too_large")
    many = [b"X: a"] * (MAX_FIELDS - 1)
    good(head(b"GET / HTTP/1.1", *many))
    _refused(head(b"GET / HTTP/1.1", *many, b"X: a"), "headers_too_large")
    raw = head(b"GET / HTTP/1.1", *[b"X: " + b"a" * 16_000] * 4)
    good(head(b"GET / HTTP/1.1", b"X: " + b"a" * (MAX_HEAD - len(raw) - 5), *[b"X: " + b"a" * 16_000] * 4))
    _refused(
        head(b"GET / HTTP/1.1", b"X: " + b"a" * (MAX_HEAD - len(raw) - 4), *[b"X: " + b"a" * 16_000] * 4),
        "headers_too_large",
    )


def _refused(raw: bytes, code: str) -> None:
    found = read_head(raw)
    assert isinstance(found, Rejection)
    assert (found.code, found.close) == (code, True)


@pytest.mark.parametrize("raw", HEADS)
def test_a_memo_changes_nothing(raw: bytes) -> None:
    """With nothing remembered, with everything of another head, and with the very same head: one answer."""
    expected = plain(read_head(raw))
    memo = HeadMemo(FieldMemo())
    for other in (head(), raw, head(b"POST / HTTP/1.1", b"Content-Length: 3", b"X-A: b"), raw, raw):
        found = plain(read_head(other, memo))
        assert found == (expected if other is raw else plain(read_head(other)))


def test_a_memo_forgets_secrets_and_is_bounded() -> None:
    """Secrets are never shared between connections, and what is shared has a bound."""
    lines = FieldMemo()
    read_head(
        head(b"GET / HTTP/1.1", b"Authorization: Bearer x", b"Cookie: y", b"X-Plain: z"), HeadMemo(lines)
    )
    assert set(lines.known) == {b"Host: a.test", b"X-Plain: z"}
    for number in range(3 * lines.MOST):
        read_head(head(b"GET / HTTP/1.1", b"X: %d" % number), HeadMemo(lines))
        assert len(lines.known) <= lines.MOST
    read_head(head(b"GET / HTTP/1.1", b"X: " + b"a" * lines.LONGEST), HeadMemo(lines))
    assert all(len(line) <= lines.LONGEST for line in lines.known)


@pytest.mark.parametrize("raw", [item for item in HEADS if isinstance(read_head(item), RequestHead)])
def test_beginnings_of_good_heads(raw: bytes) -> None:
    """No beginning of a good head is refused, whichever part of it passed before."""
    starts = {0, 1, *(place + 1 for place in range(len(raw)) if raw[place] in b"\r\n")}
    for end in range(len(raw)) if len(raw) < 2000 else range(0, len(raw), 997):
        for start in [start for start in starts if start <= end] if len(raw) < 2000 else [0, end]:
            assert check_partial(raw[:end], start) is None


def first_refusal(raw: bytes, ends: Iterable[int]) -> Rejection | None:
    """Give what the first beginning of ``raw`` that is refused is told, each byte looked at once."""
    start = 0
    for end in ends:
        found = check_partial(raw[:end], start)
        if found is not None:
            return found
        start = end
    return None


_LINE = b"GET /" + b"a" * (MAX_REQUEST_LINE - 14) + b" HTTP/1.1"
_FILLED = b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * (MAX_HEAD - 19)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (head(_LINE), None),
        (head(b"P" + _LINE), "uri_too_long"),
        (head(_LINE + b"\r"), "bad_request"),
        (head(_LINE + b"\n"), "bad_request"),
        (head(_LINE + b"\x00"), "bad_request"),
        (head(_LINE + b"a\x00"), "uri_too_long"),
        (head(_LINE[:-1] + b"\n"), "bad_request"),
        (head(_LINE[:-1] + b"\x00a"), "bad_request"),
        (head(b"GET / HTTP/2.0", b"X: \x00"), "bad_request"),
        (head(b"GET / HTTP/2.0", b"Expect: x"), "bad_request"),
        (head(b"GET / HTTP/1.1", b"Expect: x"), "expectation_failed"),
        (head(b"GET / HTTP/1.1", b"Expect: x", b"X: \x00"), "bad_request"),
        (_FILLED[:-4] + b"\r\n\r\n", "headers_too_large"),
        (_FILLED + b"\x00\r\n\r\n", "headers_too_large"),
        (_FILLED + b"a\x00\r\n\r\n", "headers_too_large"),
        (_FILLED[:-1] + b"\x00\r\n\r\n", "bad_request"),
        (_FILLED[:-2] + b"\r\ra\r\n\r\n", "bad_request"),
        (_FILLED[:-1] + b"\r\ra\r\n\r\n", "bad_request"),
        (b"\r" + head(b"GET / HTTP/1.1"), "bad_request"),
    ],
)
def test_cuts_make_no_difference_at_a_limit(raw: bytes, code: str | None) -> None:
    """Whole or in two pieces, cut around a limit or a fault: the fault that comes first is told."""
    found = read_head(raw)
    assert (found.code if isinstance(found, Rejection) else None) == code
    places = {0, MAX_REQUEST_LINE, MAX_HEAD, len(raw), raw.find(b"\x00"), raw.find(b"\n"), raw.find(b"\r")}
    near = sorted({end for place in places for end in range(place - 4, place + 5) if 0 <= end < len(raw)})
    for end in near:
        assert first_refusal(raw, [end]) in (None, found)
    assert first_refusal(raw, near) in (None, found)


@pytest.mark.parametrize(
    "path",
    [
        b"/%2e", b"/%2E%2e/a", b"/a/.%2e", b"/a/%252e%252e/b", b"/a/%25252e", b"/..;a/b", b"/..%3Ba/b",
        b"/a/.;", b"/a%2Fb", b"/a%252fb", b"/a%5c", b"/a%255C", b"/a%00", b"/a%2500", b"/a%0a", b"/a%250D",
        b"/%ff", b"/%c0%af", b"/%c0%ae%c0%ae", b"/%e0%80%af", b"/%ed%a0%80", b"/a%c3", b"/%a9%c3",
    ],
)  # fmt: skip
def test_unsafe_paths(path: bytes) -> None:
    """What decoders differ over is refused in a path, and stands in a query as it came."""
    found = read_head(head(b"GET " + path + b" HTTP/1.1"))
    assert isinstance(found, Rejection)
    assert found.close
    assert good(head(b"GET /?" + path + b" HTTP/1.1")).target == b"/?" + path


@pytest.mark.parametrize(
    "path",
    [b"/a%2eb", b"/...", b"/.a", b"/a.", b"/%25", b"/100%25/a", b"/%c3%a9", b"/%f0%9f%98%80", b"/a%3bb"],
)
def test_safe_paths(path: bytes) -> None:
    """A path that all decoders read alike arrives as it came."""
    assert good(head(b"GET " + path + b" HTTP/1.1")).target == path


@pytest.mark.parametrize("scheme", [b"https", b"HTTPS", b"http"])
def test_an_https_address_asks_for_tls(scheme: bytes) -> None:
    """A target of the absolute form is good where its scheme is (RFC 9110 section 7.4)."""
    raw = head(b"GET %b://a.test/b HTTP/1.1" % scheme)
    found = read_head(raw, secured=True)
    assert isinstance(found, RequestHead)
    assert found.target == b"/b"
    assert isinstance(read_head(raw), Rejection if scheme.lower() == b"https" else RequestHead)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 8200 + b"\x00", "bad_request"),
        (b"EHLO a\r\n", "bad_request"),
        (b"PRI * HTTP/2.0\r\n", "bad_request"),
        (b"\x16\x03\x01", "bad_request"),
        (b"\n", "bad_request"),
        (b" ", "bad_request"),
        (b"\r\n\r\n", "bad_request"),
        (b"GET / HTTP/1.1\n", "bad_request"),
        (b"GET / HTTP/1.1\rX", "bad_request"),
        (b"GET / HTTP/1.1\r\nX: \x00", "bad_request"),
        (b"GET /" + b"a" * 9000, "uri_too_long"),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 70000, "headers_too_large"),
    ],
)
def test_beginnings_that_are_refused_at_once(raw: bytes, code: str) -> None:
    """What cannot become a good head is refused without waiting for its end."""
    found = check_partial(raw)
    assert isinstance(found, Rejection)
    assert (found.code, found.close) == (code, True)


_PIECES = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\r\n",
        b" ",
        b"\t",
        b"\x00",
        b"\x7f",
        b"\x80",
        b":",
        b";",
        b",",
        b"Host: b\r\n",
        b"%2e",
        b"/",
        b"HTTP/1.0",
        b"Content-Length: 3\r\n",
        b"content-length:4\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"_",
        b"\\",
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"0",
        b"?",
        b"#",
        b"http://a.test",
    ]
) | st.binary(min_size=1, max_size=3)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a head from the tables with a few pieces put in, taken out or written over."""
    raw = draw(st.sampled_from([item for item in HEADS if len(item) < 2000]))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(raw)))
        drop = draw(st.integers(0, 4))
        raw = raw[:at] + draw(_PIECES | st.just(b"")) + raw[at + drop :]
    return raw


@given(raws=st.lists(mutated(), min_size=1, max_size=3))
def test_any_head(raws: list[bytes]) -> None:
    """Any bytes are a head or refused; what was read before, and how they are cut, makes no difference."""
    memo = HeadMemo(FieldMemo())
    for raw in raws:
        found = read_head(raw)
        assert plain(read_head(raw, memo)) == plain(found)
        assert plain(read_head(raw, memo)) == plain(found)
        if isinstance(found, Rejection):
            assert found.close
            assert found.phase is Phase.HEAD
            if raw.find(b"\r\n\r\n") == len(raw) - 4:
                assert first_refusal(raw, range(len(raw))) in (None, found)
            continue
        lines = raw.split(b"\r\n")
        assert found.target in lines[0]
        assert found.path.startswith("/")
        assert found.length is None or 0 <= found.length < 10**16
        for field in found.fields:
            assert field.line.endswith(b"\r\n")
            assert not set(field.line[:-2]) & {0, 10, 13}
        for end in range(len(raw)):
            assert check_partial(raw[:end]) is None


MEDIA_TYPES = {
    b"application/json": ("application/json", None),
    b"Application/JSON": ("application/json", None),
    b"text/plain;charset=UTF-8": ("text/plain", "utf-8"),
    b'text/plain ; a=b; CHARSET="Utf-8"': ("text/plain", "utf-8"),
    b'a/b; c="x;d=e\\"y"': ("a/b", None),
    b'a/b; charset=c; d="charset"': ("a/b", "c"),
    b'a/b; c=";"; charset=e': ("a/b", "e"),
    b"a/b;": ("a/b", None),
    b'a/b; charset=""': ("a/b", ""),
}


@pytest.mark.parametrize(("value", "expected"), MEDIA_TYPES.items())
def test_media_types(value: bytes, expected: tuple[str, str | None]) -> None:
    """A Content-Type is its type in lower case and its charset."""
    assert parse_media_type(value) == (*expected, None)


@pytest.mark.parametrize(
    ("value", "boundary"),
    [
        (b"multipart/form-data; boundary=a-B", b"a-B"),
        (b'multipart/form-data;charset=utf-8; Boundary="a b:/=?"', b"a b:/=?"),
        (b"a/b; boundary=" + b"x" * 70, b"x" * 70),
        (b"a/b; boundary=" + b"x" * 71, None),
        (b'a/b; boundary="a "', None),
        (b'a/b; boundary="a\\"b"', None),
        (b'a/b; boundary=""', None),
        (b"a/b; boundary=a!b", None),
        (b"a/b; x=boundary; boundary=a", None),
        (b'a/b; boundary=a; x=";boundary=b"', None),
        (b'a/b; boundary="a,b"', None),
        (b'a/b; boundary="aBoundary=b"', None),
        (b'a/b; boundary="==a=b"', b"==a=b"),
    ],
)
def test_boundaries(value: bytes, boundary: bytes | None) -> None:
    """A boundary keeps its case; one outside the grammar is none (RFC 2046 section 5.1.1)."""
    found = parse_media_type(value)
    assert found is not None
    assert found.boundary == boundary


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"a",
        b"a/",
        b"/b",
        b"a/b/c",
        b"a b/c",
        b"a/b c",
        b"a/b; charset",
        b"a/b; boundary=a; boundary=a",
        b"a/b; boundary*=utf-8''b; boundary=a",
        b"a/b; boundary*0=b; boundary=a",
        b"a/b; charset*=utf-8''utf-7",
        b"a/*",
        b"*/*",
        b"a/b; =c",
        b'a/b; c="d',
        b"a/b, c/d",
        b"a/b; charset=c; charset=c",
        b'a/b; c="charset=d"',
        b'a/b; charset=utf-8; c="; Charset =d"',
        b"a/b; xcharset=c",
        b"a/b; charset=utf-8; x-charset=c",
        b'a/b; boundary="charset=c"',
        b'a/b; c="\x00"',
        b"a/b; c=d e",
        b"a/b;;c=d\xff",
    ],
)
def test_malformed_media_types(value: bytes) -> None:
    """What is no Content-Type is none."""
    assert parse_media_type(value) is None


ID = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"00-{ID}-b7ad6b7169203331-01", ID),
        (f"01-{ID}-b7ad6b7169203331-01-more", ID),
        (f"ff-{ID}-b7ad6b7169203331-01", None),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", None),
        (f"00-{ID.upper()}-b7ad6b7169203331-01", None),
        (f"00-{ID}-b7ad6b7169203331", None),
        ("", None),
    ],
)
def test_trace_ids(value: str, expected: str | None) -> None:
    """A trace id comes from a well-formed traceparent only."""
    assert trace_id(value.encode()) == expected
