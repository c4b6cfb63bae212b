"""Bodies in a content coding, on their way through the phases: decoded once, judged, and never in doubt."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core import encodings
from gateway.core.codes import status_of
from gateway.core.decide import Rules, admit, decide, decode
from gateway.core.head import read_head
from gateway.core.route import RouteTable
from gateway.core.types import Body, Content, Layer, Operation, Permit, Phase, Rejection
from tests.support.encoders import CODINGS, ENCODERS
from tests.support.plane import BODY, RULES, SCHEMAS, SMALL, request

if TYPE_CHECKING:
    from gateway.core.encodings import Coding
    from gateway.core.types import Verdict

LINE = b"POST /v1/messages"
each = pytest.mark.parametrize("coding", CODINGS)


def field(coding: str) -> bytes:
    return b"Content-Encoding: " + coding.encode()


def encoded(coding: Coding, body: bytes = BODY, line: bytes = LINE) -> bytes:
    """Make a request whose body is encoded."""
    return request(line, field(coding), body=ENCODERS[coding](body))


def ask(raw: bytes, rules: Rules = RULES) -> Verdict:
    head, _, body = raw.partition(b"\r\n\r\n")
    return decide(rules, head + b"\r\n\r\n", body)


def permitted(raw: bytes, rules: Rules = RULES) -> tuple[bytes, bool]:
    """Give the body of a Permit, and whether a coding was removed from it."""
    verdict = ask(raw, rules)
    assert isinstance(verdict, Permit)
    return verdict.body, verdict.decoded


def refused(raw: bytes, rules: Rules = RULES) -> tuple[Phase, str, bool]:
    """Give phase and code of a refusal, and whether it ends the connection."""
    verdict = ask(raw, rules)
    assert isinstance(verdict, Rejection)
    return verdict.phase, verdict.code, verdict.close


def rules_of(*operations: Operation, ratio: int = 100) -> Rules:
    return Rules(RouteTable(operations), 32, ratio)


OBJECT = Content("json", SCHEMAS.validator({"type": ["object"]}))
OPERATION = Operation(
    "o", "c", "POST", "/v1/messages", "main", 1000, body=Body(True, {"application/json": OBJECT})
)


@each
def test_the_decoded_bytes_are_judged_and_permitted(coding: Coding) -> None:
    """A permit has the decoded bytes and says so; a refusal is that of the decoded body."""
    assert permitted(encoded(coding)) == (BODY, True)
    assert refused(encoded(coding, b"{]")) == (Phase.PARSE, "invalid_json", False)
    assert refused(encoded(coding, b"{}")) == (Phase.SCHEMA, "missing_required_parameter", False)


@pytest.mark.parametrize("value", ["GZIP", "x-gzip", "X-Gzip", "gzip ", "\tgzip"])
def test_names_in_any_case(value: str) -> None:
    """Names of codings are compared without case, and x-gzip is gzip (RFC 9110 section 8.4.1)."""
    raw = request(LINE, field(value), body=ENCODERS["gzip"](BODY))
    assert permitted(raw) == (BODY, True)


def test_identity_is_no_coding() -> None:
    """It is forwarded as it came."""
    assert permitted(request(LINE, field("identity"))) == (BODY, False)
    assert permitted(request(LINE, field("Identity"))) == (BODY, False)


@pytest.mark.parametrize(
    "value",
    ["", "compress", "lzma", "gzip, br", "gzip,gzip", "identity, gzip", "gzip, identity", "gzip,", "gzip;q=1",
     '"gzip"', "g zip", "*", "x-br", "aes128gcm", "dcb", "dcz", "x-deflate", "gz\xeep"],
)  # fmt: skip
def test_other_codings(value: str) -> None:
    """What is unknown, empty or more than one is refused with the head, and told what would be taken."""
    raw = request(LINE, b"Content-Encoding: " + value.encode("latin-1"), body=ENCODERS["gzip"](BODY))
    verdict = ask(raw)
    assert isinstance(verdict, Rejection)
    assert (verdict.phase, verdict.code, verdict.close) == (
        Phase.BODY,
        "unsupported_content_encoding",
        False,
    )
    assert verdict.headers == (("accept-encoding", "br, deflate, gzip, zstd"),)


@each
def test_no_body_and_a_coding(coding: Coding) -> None:
    """An absent body has no coding to remove; where one is needed it is one that ends too early."""
    chunked = b"Transfer-Encoding: chunked"
    typed = b"Content-Type: application/json"
    for framing in (None, b"Content-Length: 0", chunked):
        for line in (b"GET /v1/messages", b"PUT /v1/notes"):
            raw = request(line, field(coding), typed, body=b"", framing=framing)
            assert permitted(raw) == (b"", True)
        raw = request(LINE, field(coding), typed, body=b"", framing=framing)
        assert refused(raw) == (Phase.BODY, "bad_request", False)


@each
def test_an_unexpected_body(coding: Coding) -> None:
    """Where no body belongs, none is decoded: also not one that decodes to nothing."""
    line = b"GET /v1/messages"
    for body in (BODY, b""):
        assert refused(encoded(coding, body, line)) == (Phase.BODY, "unexpected_body", False)
        raw = request(line, field(coding), body=ENCODERS[coding](body), framing=b"Transfer-Encoding: chunked")
        assert refused(raw) == (Phase.BODY, "unexpected_body", False)


@each
def test_an_optional_body(coding: Coding) -> None:
    """It is decoded where it is there; decoded to nothing it is none."""
    assert permitted(encoded(coding, BODY, b"PUT /v1/notes")) == (BODY, True)
    assert permitted(encoded(coding, b"", b"PUT /v1/notes")) == (b"", True)
    assert refused(encoded(coding, b"{}", b"PUT /v1/notes"))[1] == "missing_required_parameter"
    assert refused(encoded(coding, b""))[:2] == (Phase.PARSE, "invalid_json")


@each
def test_limits(coding: Coding) -> None:
    """The operation's bytes hold for the decoded body, the ratio is that of the rules."""
    text = Random(1).randbytes(SMALL).hex()[: SMALL - 12].encode()
    assert permitted(encoded(coding, b'{"text": "%b"}' % text)) == (b'{"text": "%b"}' % text, True)
    assert refused(encoded(coding, b'{"text": "%b"} ' % text)) == (Phase.BODY, "body_too_large", False)
    body = b'{"text": "%b"}' % (b"a" * 700)
    ratio = len(body) // len(ENCODERS[coding](body))
    assert refused(encoded(coding, body), rules_of(OPERATION, ratio=ratio)) == (
        Phase.BODY,
        "body_too_large",
        False,
    )
    assert permitted(encoded(coding, body), rules_of(OPERATION, ratio=ratio + 1)) == (body, True)


def test_the_encoded_body_has_the_same_limit() -> None:
    """What comes may not be larger than what it may become, and then ends the connection."""
    raw = request(LINE, field("gzip"), body=bytes(SMALL + 1))
    assert refused(raw) == (Phase.BODY, "body_too_large", True)


def test_mode_off() -> None:
    """Nothing is decoded: bytes and any coding pass as they came."""
    rules = rules_of(replace(OPERATION, mode="off", judged=False))
    for value in ("gzip", "gzip, br", "unknown", ""):
        assert permitted(request(LINE, field(value), body=b"as it came"), rules) == (b"as it came", False)


def test_mode_report() -> None:
    """Faults of the schema are reported, faults of the coding refused."""
    rules = rules_of(replace(OPERATION, mode="report", reported=frozenset((Layer.CONTRACT,))))
    verdict = ask(encoded("br", b"[]"), rules)
    assert isinstance(verdict, Permit)
    assert verdict.findings is not None
    assert (verdict.body, verdict.decoded) == (b"[]", True)
    assert refused(encoded("gzip")[:-1], rules) == (Phase.BODY, "bad_request", False)


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, ImportError, RecursionError])
def test_a_decoder_that_raises(error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a decoder raises, the request is refused; it is no fault of the gateway's."""

    def fail(_body: bytes) -> NoReturn:
        raise error

    monkeypatch.setattr(encodings, "_DECODERS", {"gzip": fail})
    assert refused(encoded("gzip")) == (Phase.BODY, "bad_request", False)


def test_without_a_coding_the_body_is_the_same_object() -> None:
    """Decoding costs nothing where there is nothing to decode."""
    head = read_head(request().partition(BODY)[0])
    assert not isinstance(head, Rejection)
    admission = admit(RULES, head)
    assert not isinstance(admission, Rejection)
    assert decode(RULES, admission, BODY) is BODY


@given(
    st.sampled_from(CODINGS),
    st.binary(max_size=30) | st.just(BODY),
    st.integers(0, 60),
    st.binary(max_size=3),
)
def test_whatever_comes(coding: Coding, body: bytes, place: int, junk: bytes) -> None:
    """A coded body with junk put in makes a permit of what it decodes to, or a refusal below 500."""
    coded = ENCODERS[coding](body)
    for sent in (coded, coded[:place] + junk + coded[place:], coded[:place] + junk):
        verdict = ask(request(LINE, field(coding), body=sent))
        if isinstance(verdict, Permit):
            assert verdict.decoded
            assert verdict.body == BODY or coding == "br"
        else:
            assert status_of(verdict.code) < 500
