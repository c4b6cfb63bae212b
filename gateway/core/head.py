"""The head phase: raw bytes of a request head in, a :class:`RequestHead` or a refusal out.

The grammar is a strict subset of RFC 9112, one that leaves no two parsers room to differ: one way to end
a line, no folding, one way to say how long the body is. Everything outside of it is refused with the
connection closed, since nobody can tell where the next request would begin.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from gateway.core.fields import TOKEN, FieldMemo, HeadMemo, refuse, repeated
from gateway.core.types import MediaType, Rejection, RequestHead

if TYPE_CHECKING:
    from gateway.core.types import FieldBlock

MAX_REQUEST_LINE: Final = 8 * 1024
"""Longest request line in bytes, its CRLF not counted; longer: 414."""
MAX_HEAD: Final = 64 * 1024
"""Longest head in bytes, all of it; longer: 431."""

_PCHAR: Final = rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/]*"
_QCHAR: Final = rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/?\[\]]*"
_ENCODED: Final = rb"%[0-9A-Fa-f]{2}"
_PATH: Final = rb"/" + _PCHAR + rb"(?:" + _ENCODED + _PCHAR + rb")*"
_QUERY: Final = _QCHAR + rb"(?:" + _ENCODED + _QCHAR + rb")*"
_ORIGIN_FORM: Final = rb"((" + _PATH + rb")(?:\?(" + _QUERY + rb"))?)"
_REQUEST_LINE: Final = re.compile(rb"((?!CONNECT )" + TOKEN + rb") " + _ORIGIN_FORM + rb" HTTP/1\.([01])")
_OTHER_LINE: Final = re.compile(rb"(" + TOKEN + rb") ([!-~]+) HTTP/1\.[01]")
_ABSOLUTE: Final = re.compile(rb"[Hh][Tt][Tt][Pp]([Ss]?)://([^/?#]+)([!-~]*)")
_LENGTH_LINE: Final = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: ?(0|[1-9][0-9]{0,15})(?=\r\n)")
_PERCENT: Final = rb"%(?:25)*"
"""A percent sign, which may be encoded itself: there are servers that decode twice."""
_UNSAFE_PATH: Final = re.compile(
    rb"/(?:\.|" + _PERCENT + rb"2[Ee]){1,2}(?:/|;|" + _PERCENT + rb"3[Bb]|\Z)"
    rb"|" + _PERCENT + rb"(?:2[Ff]|5[Cc]|0[0AaDd])"
)
_HEAD_BYTES: Final = re.compile(rb"(?:[\t -~\x80-\xff]++|\r(?:\n|\Z))*+")
_METHOD_START: Final = re.compile(TOKEN)


def check_partial(data: bytes, start: int = 0) -> Rejection | None:
    """Judge the beginning of a head that is not whole yet: None while it may still become a good one.

    The bytes before ``start`` have passed already. This is what answers a bare-LF client, a TLS hello, an
    HTTP/0.9 request, another protocol's banner or an endless line at once rather than at the deadline. The
    fault that comes first in the stream is told, so that it makes no difference how the stream is cut.
    """
    # A CR by itself passes, for it may begin an empty line: what follows it is looked at together with it.
    if start < 2 and _METHOD_START.match(data) is None and data not in (b"", b"\r"):
        return refuse("The request does not begin with an HTTP method.")
    # Only a CR, whose LF was still to come, leaves the last byte that passed in doubt.
    good = _HEAD_BYTES.match(data, start - data.startswith(b"\r", start - 1) if start else 0)
    wrong = 0 if good is None else good.end()
    end = data.find(b"\r\n", 0, wrong)
    if end < 0:
        if wrong > MAX_REQUEST_LINE and data[MAX_REQUEST_LINE:] != b"\r":
            return _line_too_long()
    elif end > MAX_REQUEST_LINE:
        return _line_too_long()
    elif start <= end + 1 and _OTHER_LINE.fullmatch(data, 0, end) is None:
        return refuse("The request line is malformed.")
    if min(wrong + 1, len(data)) > MAX_HEAD:
        return refuse(f"The request head is longer than {MAX_HEAD} bytes.", "headers_too_large")
    if wrong < len(data):
        return refuse("The request head holds a byte that does not belong there, or a bare CR or LF.")
    return None


def _line_too_long() -> Rejection:
    return refuse(f"The request line is longer than {MAX_REQUEST_LINE} bytes.", "uri_too_long")


def read_head(raw: bytes, memo: HeadMemo | None = None, *, secured: bool = False) -> RequestHead | Rejection:
    """Read one whole head, from the method to the empty line (RFC 9112 sections 2 to 6).

    ``memo`` is what the caller keeps from head to head of a connection to save time; ``secured`` says that
    the connection is TLS, without which no https address is good for a target (RFC 9110 section 7.4).
    """
    if len(raw) > MAX_REQUEST_LINE and (rejection := check_partial(raw)) is not None:
        return rejection
    found = _read(raw, memo, secured=secured)
    # Had it come in pieces, a beginning of it might have been refused, and for another fault.
    return check_partial(raw) or found if isinstance(found, Rejection) else found


def _read(raw: bytes, memo: HeadMemo | None, *, secured: bool) -> RequestHead | Rejection:
    end = raw.find(b"\r\n")
    stop = len(raw) - 4
    if end < 0 or end > stop or not raw.endswith(b"\r\n\r\n"):
        return refuse("The request head is malformed.")
    if memo is None:
        memo = HeadMemo(FieldMemo())
    # The length is all that differs between most heads of a client: without it the rest is known.
    found = _LENGTH_LINE.search(raw, end)
    fields = raw[end:stop] if found is None else raw[end : found.start()] + raw[found.end() : stop]
    block = memo.block if fields == memo.raw and memo.block is not None else memo.read(fields)
    if isinstance(block, Rejection):
        return block
    length: int | None = 0
    declared = True
    if found is not None:
        if block.chunked:
            return refuse("Transfer-Encoding and Content-Length exclude each other.")
        if b"content-length" in block.first:
            return repeated(b"content-length")
        length = int(found[1])
    elif block.chunked:
        length = None
    elif b"content-length" in block.first:
        length = int(block.first[b"content-length"])
    else:
        declared = False
    return _assemble(raw[:end], block, length, declared=declared, secured=secured)


def _assemble(
    line: bytes, block: FieldBlock, length: int | None, *, declared: bool, secured: bool
) -> RequestHead | Rejection:
    """Read the request line, and what it says together with the fields."""
    match = _REQUEST_LINE.fullmatch(line) or _absolute_form(line, block.host, secured=secured)
    if isinstance(match, Rejection):
        return match
    method, target, path, query, version = match.groups()
    if (b"%" in path or b"/." in path) and not _is_safe(path):
        return refuse("The path holds dot segments, encoded separators or what is not UTF-8.")
    minor = 1 if version == b"1" else 0
    if minor == 0 and length is None:
        return refuse("HTTP/1.0 has no Transfer-Encoding.")
    options = block.options
    keep_alive = minor == 1
    if options:
        keep_alive = b"close" not in options and (minor == 1 or b"keep-alive" in options)
    return RequestHead(
        method.decode("ascii"),
        target,
        path.decode("ascii"),
        None if query is None else query.decode("ascii"),
        minor,
        block,
        length,
        declared,
        keep_alive,
        block.expect and minor == 1 and length != 0,
    )


def _is_safe(path: bytes) -> bool:
    """Say whether a path is the same to servers that decode it first, or remove dot segments.

    What is not UTF-8 is not: a lenient decoder takes ``%c0%af`` for a slash (RFC 3629 section 10).
    """
    if _UNSAFE_PATH.search(path) is not None:
        return False
    try:
        return unquote_to_bytes(path).decode("utf-8") != ""
    except UnicodeDecodeError:
        return False


def _absolute_form(line: bytes, host: str, *, secured: bool) -> re.Match[bytes] | Rejection:
    """Read a request line in absolute form as its origin form (RFC 9112 section 3.2.2), or say why not."""
    match = _OTHER_LINE.fullmatch(line)
    if match is None:
        return refuse("The request line is malformed.")
    if match[1] == b"CONNECT":
        return refuse("CONNECT is not accepted.")
    absolute = _ABSOLUTE.fullmatch(match[2])
    if absolute is None:
        return refuse("The request target has to be a well-formed path, or an absolute http address.")
    if absolute[1] and not secured:
        return refuse("The request target is an https address, which asks for TLS.")
    if absolute[2].lower() != host.lower().encode("ascii"):
        return refuse("The request target's authority differs from the Host header field.")
    rest = absolute[3] if absolute[3].startswith(b"/") else b"/" + absolute[3]
    origin = _REQUEST_LINE.fullmatch(match[1] + b" " + rest + line[match.end(2) :])
    return origin or refuse("The request target holds characters that have to be percent-encoded.")


_MEDIA_TYPE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)"
    rb"((?:[ \t]*;[ \t]*" + TOKEN + rb"=(?:" + TOKEN + rb'|"(?:[^"\\\x00-\x1f\x7f]|\\[\t -~])*"))*)[ \t]*;?'
)
_MEDIA_PARAMETER: Final = re.compile(rb";[ \t]*(" + TOKEN + rb")=(?:(" + TOKEN + rb')|"((?:[^"\\]|\\.)*)")')
_JSON: Final = MediaType("application/json", None)
_CHARSET: Final = re.compile(rb"charset[ \t]*=", re.IGNORECASE)
_BOUNDARY: Final = re.compile(
    rb"(?!.*boundary=)[0-9A-Za-z'()+_\-./:=? ]{0,69}[0-9A-Za-z'()+_\-./:=?]", re.IGNORECASE
)
"""Without a comma, at which there are readers that cut it off."""


def parse_media_type(value: bytes) -> MediaType | None:
    """Parse a Content-Type value (RFC 9110 section 8.3.1); None if it is malformed.

    Only charset and boundary (RFC 2046 section 5.1.1) are kept. Malformed are ranges, too, and a second one
    of either, also as RFC 2231 writes it (``boundary*``). There are readers that take whatever follows the
    first such word, or the last: ``charset=`` anywhere else is malformed, too (``x="charset=d"``), and a
    boundary is no good one beside anything but a charset.
    """
    if value == b"application/json":
        return _JSON
    match = _MEDIA_TYPE.fullmatch(value)
    if match is None or b"*" in match[1]:
        return None
    kept: dict[bytes, bytes] = {}
    others = False
    for name, token, quoted in _MEDIA_PARAMETER.findall(match[2]):
        lower, extended, _ = name.lower().partition(b"*")
        if lower in (b"charset", b"boundary"):
            if lower in kept or extended:
                return None
            kept[lower] = token or quoted
        else:
            others = True
    if len(_CHARSET.findall(match[2])) > (b"charset" in kept):
        return None
    charset = kept.get(b"charset")
    boundary = kept.get(b"boundary", b"")
    return MediaType(
        match[1].decode("ascii").lower(),
        None if charset is None else charset.decode("latin-1").lower(),
        boundary if _BOUNDARY.fullmatch(boundary) is not None and not others else None,
    )


_TRACEPARENT: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def trace_id(traceparent: bytes) -> str | None:
    """Give the trace id of a traceparent; None if malformed or all zero (W3C Trace Context, 3.2.2)."""
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or match[1] == b"0" * 32:
        return None
    return match[1].decode("ascii")
