"""Heads that are in doubt: request lines, other protocols, hosts; and the limits of heads."""

from __future__ import annotations

from tests.sockets.cases.case import POST, Case, bad, get, kept, line
from tests.support.plane import request

_HOSTS = (
    b"", b"a/path", b"u@a", b"a, b", b"a b", b"a:b", b"a:123456", b"a:", b"[::1", b"a#b", b"a?b", b"\xe4",
    b"a\\b", b"[g]", b"a%41", b"a,b", b"<a>", b"a:80:80", b"a:0", b"a:65536", b"a:99999", b"a:080", b"a:-1",
    b"a:+80", b"a:8 0", b":80", b"[", b"]", b"[]", b"[]:80", b"[1]", b"[:]", b"[1.2.3.4]", b"[::1]x",
    b"[::1]:", b"[::1]:0", b"[::1]:65536", b"::1", b"[fe80::1%eth0]", b"[fe80::1%25eth0]", b"[::1]@a",
    b"[v1.a]", b"a;b", b"a=b", b"http://a", b"a\tb", b"\xa0a", b"a\x85", b"u:p@a:80", b"a*", b"a/", b"a:80/",
)  # fmt: skip
_VERSIONS = (
    b"HTTP/0.9", b"HTTP/1.2", b"HTTP/1.9", b"HTTP/2.0", b"HTTP/2", b"HTTP/3", b"HTTP/1", b"HTTP/1.",
    b"HTTP/1.10", b"HTTP/1.01", b"HTTP/01.1", b"HTTP/1.1.1", b"HTTP/11", b"http/1.1", b"Http/1.1",
    b"HTTP/1,1", b"HTTP 1.1", b"HTTP/ 1.1", b"HTTP /1.1", b"HTTPS/1.1", b"RTSP/1.0", b"SIP/2.0",
    b"HTTP/1.1x", b"HTTP/1.+1", b"HTTP/1.1\xa0", b"HTTP/1.1\x0b", b"HTTP/1.1\x00", b"HTTP/1.1 ",
    b"HTTP/1.1\t", b"HTTP/1.1\r", b"HTTP/1.1 HTTP/1.1", b" HTTP/1.1",
)  # fmt: skip
_PROTOCOLS = {
    "HTTP/0.9": b"GET /v1/messages\r\n\r\n",
    "HTTP/0.9, its line alone": b"GET /v1/messages\r\n",
    "HTTP/0.9 with a space": b"GET /v1/messages \r\n",
    "HTTP/0.9 with a bare LF": b"GET /v1/messages\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/2 preface, its first packet": b"PRI * HTTP/2.0\r\n",
    "HTTP/2 preface and settings": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "TLS hello with a request": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
    + bytes(range(256))
    + get(b"/"),
    "SSL 2 hello": b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10",
    "SOCKS 4": b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
    "SOCKS 5": b"\x05\x01\x00",
    "SMTP": b"EHLO gateway.test\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "FTP": b"USER anonymous\r\n",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "memcached": b"stats\r\n",
    "PostgreSQL": b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
    "PROXY": b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + get(b"/v1/messages"),
    "PROXY 2": b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c",
    "FastCGI": b"\x01\x01\x00\x01\x00\x08\x00\x00",
    "NUL first": b"\x00" * 16,
    "byte order mark first": b"\xef\xbb\xbf" + get(b"/v1/messages"),
}
_LINES = {
    "a method alone": b"GET\r\n\r\n",
    "two spaces": line(b"GET  /v1/messages HTTP/1.1"),
    "a tab for a space": line(b"GET\t/v1/messages HTTP/1.1"),
    "a tab before the version": line(b"GET /v1/messages\tHTTP/1.1"),
    "a vertical tab for a space": line(b"GET\x0b/v1/messages HTTP/1.1"),
    "a CR for a space": line(b"GET\r/v1/messages HTTP/1.1"),
    "a leading space": line(b" GET /v1/messages HTTP/1.1"),
    "a space in the target": line(b"GET /v1/mess ages HTTP/1.1"),
    "no method": line(b"/v1/messages HTTP/1.1"),
    "method with a bracket": line(b"G[T /v1/messages HTTP/1.1"),
    "method with a colon": line(b"GET: /v1/messages HTTP/1.1"),
    "method outside ASCII": line(b"G\xc4T /v1/messages HTTP/1.1"),
    "byte outside ASCII before the method": line(b"\xa0GET /v1/messages HTTP/1.1"),
    "byte outside ASCII after the method": line(b"GET\x85 /v1/messages HTTP/1.1"),
    "byte outside ASCII before the target": line(b"GET \xa0/v1/messages HTTP/1.1"),
    "byte outside ASCII after the target": line(b"GET /v1/messages\x85 HTTP/1.1"),
    "bare LF after the line": b"GET /v1/messages HTTP/1.1\nHost: gateway.test\r\n\r\n",
    "bare LF everywhere": b"GET /v1/messages HTTP/1.1\nHost: gateway.test\n\n",
    "bare LF at the end": b"GET /v1/messages HTTP/1.1\r\nHost: gateway.test\r\n\n",
    "bare CR after the line": b"GET /v1/messages HTTP/1.1\rHost: gateway.test\r\n\r\n",
    "bare CR everywhere": b"GET /v1/messages HTTP/1.1\rHost: gateway.test\r\r",
    "no fields": b"GET /v1/messages HTTP/1.1\r\n\r\n",
    "LF first": line(b"\nGET /v1/messages HTTP/1.1"),
    "CR first": line(b"\rGET /v1/messages HTTP/1.1"),
    "CR CR LF first": line(b"\r\r\nGET /v1/messages HTTP/1.1"),
    "an empty line and a space first": line(b"\r\n GET /v1/messages HTTP/1.1"),
    "a folded line first": line(b"GET /v1/messages HTTP/1.1\r\n X-A: b"),
    "CONNECT": b"CONNECT gateway.test:80 HTTP/1.1\r\nHost: gateway.test:80\r\n\r\n",
    "CONNECT in absolute form": line(b"CONNECT http://gateway.test/ HTTP/1.1"),
    "CONNECT in origin form": line(b"CONNECT /v1/messages HTTP/1.1"),
    "CONNECT with a body": request(b"CONNECT /v1/messages"),
    "OPTIONS *": line(b"OPTIONS * HTTP/1.1"),
    "TRACE *": line(b"TRACE * HTTP/1.1"),
    "two Hosts": get(b"/v1/messages", b"Host: gateway.test"),
    "two Hosts that differ": get(b"/v1/messages", b"host: other.test"),
    "no Host on HTTP/1.0": b"GET /v1/messages HTTP/1.0\r\n\r\n",
    "two Authorizations": request(POST, b"Authorization: a", b"Authorization: b"),
}


def _head(length: int) -> bytes:
    """Make a head of ``length`` bytes, no line of which is too long."""
    raw = get(b"/v1/messages", *[b"X-A: " + b"a" * 15_000] * 4, b"X-B: ")
    return raw.replace(b"X-B: ", b"X-B: " + b"b" * (length - len(raw)))


_TOO_LARGE = {
    "431 one field": get(b"/v1/messages", b"X-A: " + b"a" * 17_000),
    "431 one field, by one byte": get(b"/v1/messages", b"X-A: " + b"a" * 16_380),
    "431 one name": get(b"/v1/messages", b"a" * 17_000 + b": b"),
    "431 many fields": get(b"/v1/messages", *[b"X-%d: a" % n for n in range(128)]),
    "431 one field repeated": get(b"/v1/messages", *[b"X: a"] * 128),
    "431 all": get(b"/v1/messages", *[b"X-%d: " % n + b"a" * 8000 for n in range(9)]),
    "431 all, by one byte": _head(65_537),
    "431 without end": b"GET / HTTP/1.1\r\n" + b"X-A: %b\r\n" % (b"a" * 60) * 1100,
    "431 one field without end": b"GET / HTTP/1.1\r\nX-A: " + b"a" * 66_000,
}
_TOO_LONG = {
    "414": get(b"/" + b"a" * 9000),
    "414 by one byte": line(b"GET /" + b"a" * 8179 + b" HTTP/1.1"),
    "414 by a query": get(b"/v1/messages?" + b"a" * 9000),
    "414 by a method": line(b"A" * 9000 + b" / HTTP/1.1"),
    "414 without end": b"GET /" + b"a" * 9000,
    "414 without a space": b"A" * 9000,
}

HEADS: list[Case] = [
    *(bad(f"Host {value!r}", request(host=value)) for value in _HOSTS),
    *(bad(f"version {value!r}", line(b"GET /v1/messages " + value)) for value in _VERSIONS),
    *(bad(name, raw) for name, raw in (_PROTOCOLS | _LINES).items()),
    *(bad(name, raw, 431, "headers_too_large") for name, raw in _TOO_LARGE.items()),
    *(bad(name, raw, 414, "uri_too_long") for name, raw in _TOO_LONG.items()),
    kept("a line at the limit", line(b"GET /" + b"a" * 8178 + b" HTTP/1.1"), 404, "unknown_route"),
]
LARGEST = {
    "128 fields": get(b"/v1/messages", *[b"X-%d: a" % n for n in range(127)]),
    "128 fields and a length": request(POST, *[b"X-%d: a" % n for n in range(126)]),
    "a field at the limit": get(b"/v1/messages", b"X-A: " + b"a" * 16_379),
    "a head at the limit": _head(65_536),
}
"""Heads just within the limits."""
