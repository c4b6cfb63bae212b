"""Loading: what a good configuration becomes, and every fault at its line and column."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from textwrap import dedent

import pytest

from gateway.config.availability import PENDING, pending_keys
from gateway.config.load import Loaded, load
from gateway.config.model import Config
from gateway.config.values import Origin
from gateway.errors import ConfigError

DEFAULT = Path(__file__).parents[2] / "config" / "gateway.yaml"
TAIL = (
    "upstreams: {main: {urls: [http://127.0.0.1:9000]}}\ncontracts: {c: {openapi: pack:p, upstream: main}}\n"
)


def loaded(folder: Path, text: str, **environ: str) -> Loaded:
    path = folder / "g.yaml"
    path.write_text(dedent(text))
    return load(path, environ)


def faults(folder: Path, text: str, **environ: str) -> list[str]:
    """Give the faults, as ``line:column: message``."""
    with pytest.raises(ConfigError) as caught:
        loaded(folder, text, **environ)
    return [str(fault).removeprefix(f"{folder / 'g.yaml'}:") for fault in caught.value.faults]


def test_unknown_packs_are_told_with_the_other_faults(tmp_path: Path) -> None:
    """Whoever loads with the names of the packs need not mend one fault to see the next."""
    path = tmp_path / "g.yaml"
    path.write_text(
        "upstreams: {main: {urls: [http://127.0.0.1:9000]}}\n"
        "contracts:\n"
        "  a: {openapi: pack:one, upstream: main}\n"
        "  b: {openapi: pack:two, upstream: main}\n"
        "  c: {openapi: one.yaml, upstream: main}\n"
        "  d: 1\n"
        "nonsense: 1\n"
    )
    (tmp_path / "one.yaml").write_text("{}")
    with pytest.raises(ConfigError) as caught:
        load(path, {}, packs={"one"})
    told = [(fault.line, fault.message.partition(".")[0]) for fault in caught.value.faults]
    assert [line for line, _ in told] == [4, 6, 7]
    assert told[0] == (4, "There is no pack 'two'")
    with pytest.raises(ConfigError) as caught:
        load(path, {})
    assert [fault.line for fault in caught.value.faults] == [6, 7]


def test_the_shipped_configuration_holds_the_defaults() -> None:
    """config/gateway.yaml says nothing but what the model would say without it."""
    config = load(DEFAULT, {}).config
    assert config == Config.model_validate(
        {
            "upstreams": {"main": {"urls": ["http://127.0.0.1:9000"]}},
            "contracts": {
                "assistants-v1": {"openapi": "pack:assistants-v1", "prefix": "/v1", "upstream": "main"}
            },
        },
        context={"base": DEFAULT.absolute().parent},
    )


def test_the_defaults_are_those_of_the_interface(tmp_path: Path) -> None:
    config = loaded(tmp_path, TAIL).config
    assert (config.listen.host, config.listen.port, config.listen.tls) == ("127.0.0.1", 8080, None)
    assert (config.admin.host, config.admin.port, config.admin.tokens) == ("127.0.0.1", 9901, ())
    assert config.workers == 1
    assert config.deadlines.model_dump() == {"header": 10.0, "body": 30.0, "keepalive": 75.0, "drain": 30.0}
    assert config.body.model_dump() == {"max_bytes": 1 << 20, "max_depth": 32, "max_decoded_ratio": 100}
    assert config.capacity.model_dump() == {"in_flight": 1000, "body_bytes": 256 << 20}
    assert config.trusted_proxies == ()
    upstream = config.upstreams["main"]
    assert upstream.urls == (Origin("http", "127.0.0.1", 9000),)
    assert upstream.timeouts.model_dump() == {"connect": 5.0, "first_byte": 600.0, "idle": 300.0}
    assert (upstream.pool, upstream.authorization, upstream.forwarded, upstream.tls) == (
        200,
        None,
        True,
        None,
    )
    contract = config.contracts["c"]
    assert (contract.pack, contract.file, contract.prefix, contract.operations) == ("p", None, None, None)
    assert (contract.mode, contract.max_bytes) == ("enforce", None)
    assert (contract.overlays, contract.when) == ((), {})
    assert config.policies == {}
    assert (config.unlisted, config.errors) == ("reject", "openai")


def test_everything_served_can_be_set(tmp_path: Path) -> None:
    """Each served key takes a value, files beside the configuration and variables included."""
    for name in ("chain.pem", "key.pem", "api.yaml", "mend.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "token").write_text("t0ken\n")
    config = loaded(
        tmp_path,
        """\
        listen: {host: "::", port: "${PORT}", tls: {certificate: chain.pem, key: key.pem}}
        admin:
          host: 0.0.0.0
          port: 0
          tokens:
          - {name: ops, role: operator, token: {file: token}}
          - {name: eyes, role: "${ROLE}", token: "${TOKEN}"}
        workers: "${WORKERS:-1}"
        deadlines: {header: 250ms, body: "${BODY}", keepalive: 1m, drain: 1h}
        body: {max_bytes: 64KiB, max_depth: 200, max_decoded_ratio: "${RATIO}"}
        capacity: {in_flight: 1, body_bytes: 1GiB}
        trusted_proxies: [10.0.0.0/8, "fd00::/8", 192.0.2.1]
        upstreams:
          a.b_c-1:
            urls: [https://API.example.org, "http://[::1]:81/", http://localhost:80]
            timeouts: {connect: 1s, first_byte: 2s, idle: 3s}
            pool: 3
            authorization: "Bearer ${KEY}"
            forwarded: "${FORWARDED}"
            tls: {ca: chain.pem, certificate: chain.pem, key: key.pem}
        contracts:
          x:
            openapi: api.yaml
            prefix: /
            upstream: "${UP}"
            operations: [createMessage, getMessage]
            overlays: [mend.yaml, pack:errata/e]
            mode: report
            max_bytes: 2MiB
            when: {OpenAI-Beta: "assistants=v${V}", X-A: b c}
          y: {openapi: api.yaml, upstream: a.b_c-1, mode: off}
        policies:
          default:
            extends: base
            metadata: {max_pairs: "${PAIRS}", max_key_length: 9, max_value_length: null, required: [a, b]}
            schemas: {createMessage: {properties: {x: {const: "${V}"}}}, "x:getMessage": false}
            mode: report
          base:
            metadata: {allowed_keys: [a, b, c]}
            files: {max_count: 0, unique: false, id_pattern: "^file-"}
        unlisted: reject
        errors: problem
        """,
        PORT="8443", ROLE="viewer", TOKEN="t", BODY="5s", KEY="k$y", FORWARDED="false", UP="a.b_c-1", V="2",
        PAIRS="3", RATIO="1000",
    ).config  # fmt: skip
    assert (config.listen.host, config.listen.port) == ("::", 8443)
    assert config.listen.tls is not None
    assert config.listen.tls.certificate == tmp_path / "chain.pem"
    assert [token.token.get_secret_value() for token in config.admin.tokens] == ["t0ken", "t"]
    assert [token.role for token in config.admin.tokens] == ["operator", "viewer"]
    assert config.workers == 1
    assert (config.deadlines.header, config.deadlines.body) == (0.25, 5.0)
    assert config.trusted_proxies == tuple(
        map(ipaddress.ip_network, ("10.0.0.0/8", "fd00::/8", "192.0.2.1/32"))
    )
    upstream = config.upstreams["a.b_c-1"]
    assert [str(url) for url in upstream.urls] == [
        "https://api.example.org",
        "http://[::1]:81",
        "http://localhost",
    ]
    assert [url.authority for url in upstream.urls] == ["api.example.org", "[::1]:81", "localhost"]
    assert upstream.authorization is not None
    assert upstream.authorization.get_secret_value() == "Bearer k$y"
    assert upstream.forwarded is False
    contract = config.contracts["x"]
    assert (contract.pack, contract.file, contract.prefix) == (None, tmp_path / "api.yaml", "")
    assert (contract.upstream, contract.operations) == ("a.b_c-1", ("createMessage", "getMessage"))
    assert contract.max_bytes == 2 << 20
    assert (contract.mode, config.contracts["y"].mode) == ("report", "off")
    assert contract.overlays == (str(tmp_path / "mend.yaml"), "pack:errata/e")
    assert contract.when == {"openai-beta": "assistants=v2", "x-a": "b c"}
    default, base = config.policies["default"], config.policies["base"]
    assert (default.extends, default.mode, base.extends, base.mode) == ("base", "report", None, "enforce")
    assert default.metadata.model_dump(exclude_unset=True) == {
        "max_pairs": 3, "max_key_length": 9, "max_value_length": None, "required": ("a", "b"),
    }  # fmt: skip
    assert default.schemas == {
        "createMessage": {"properties": {"x": {"const": "2"}}},
        "x:getMessage": False,
    }
    assert base.metadata.allowed_keys == ("a", "b", "c")
    assert base.files.model_dump() == {"max_count": 0, "unique": False, "id_pattern": "^file-"}
    assert config.errors == "problem"


CASES = [
    ("", ["1:1: expected a mapping of settings, but got nothing"]),
    ("- a\n", ["1:1: expected a mapping of settings, but got a list"]),
    ("errors: openai\n", ["1:1: contracts is missing", "1:1: upstreams is missing"]),
    ("a: 1\na: 2\nb: !x y\n",
     ["1:1: contracts is missing", "1:1: unknown key 'a'", "1:1: upstreams is missing",
      "2:1: key 'a' stands twice, first on line 1", "3:1: unknown key 'b'",
      "3:4: tags are not supported: !x"]),
    ("!x y\n", ["1:1: tags are not supported: !x"]),
    ("upstreams: {}\ncontracts: {}\n", ["1:1: expected at least one", "2:1: expected at least one"]),
    ("upstreams: []\ncontracts:\n", ["1:1: expected a mapping, but got a list",
                                     "2:1: expected a mapping, but got nothing"]),
    ("contacts: {}\n" + TAIL, ["1:1: unknown key 'contacts'; did you mean 'contracts'?"]),
    ("polices: {}\nzzz: 1\n" + TAIL, ["1:1: unknown key 'polices'; did you mean 'policies'?",
                                      "2:1: unknown key 'zzz'"]),
    ("listen: {host: 1, prt: 80, tls: {cert: x}}\n" + TAIL,
     ["1:10: expected an IP address or a host name, without a port, but got a whole number",
      "1:19: unknown key 'prt'; did you mean 'port'?",
      "1:28: certificate is missing", "1:28: key is missing", "1:34: unknown key 'cert'"]),
    ("listen: {port: 65536}\nadmin: {port: -1}\n" + TAIL, ["1:10: expected a whole number from 0 to 65535",
                                                        "2:9: expected a whole number from 0 to 65535"]),
    ("listen: {port: '80'}\nadmin: {port: true}\n" + TAIL,
     ["1:10: expected a whole number from 0 to 65535",
      "2:9: expected a whole number from 0 to 65535, but got a boolean"]),
    ("listen: {host: 'a:1'}\n" + TAIL, ["1:10: expected an IP address or a host name, without a port"]),
    ("listen: {host: 1.2.3}\n" + TAIL, ["1:10: expected an IP address or a host name, without a port"]),
    ("listen: 5\n" + TAIL, ["1:1: expected a mapping, but got a whole number"]),
    ("deadlines: {header: 10, body: 5 s, drain: 0s}\n" + TAIL,
     ["1:13: expected a duration such as 250ms, 5s, 10m, 24h or 7d",
      "1:25: expected a duration such as 250ms, 5s, 10m, 24h or 7d",
      "1:36: expected a duration from 1ms to 365d"]),
    ("body:\n  max_bytes: 1024\n  max_depth: 201\n" + TAIL,
     ["2:3: expected a size such as 512B, 64KiB or 1MiB", "3:3: expected a whole number from 1 to 200"]),
    ("body:\n  max_decoded_ratio: 0\n" + TAIL, ["2:3: expected a whole number from 1 to 100000"]),
    ("body: {max_bytes: 2GiB}\n" + TAIL, ["1:8: expected a size from 1B to 1GiB"]),
    ("workers: auto\n" + TAIL, ["1:1: more than one worker is not available yet; expected 1"]),
    ("workers: 4\n" + TAIL, ["1:1: more than one worker is not available yet; expected 1"]),
    ("workers: 0\n" + TAIL, ["1:1: expected 1"]),
    ("unlisted: forward\nerrors: html\n" + TAIL,
     ["1:1: forward is not available yet; expected reject", "2:1: expected openai or problem"]),
    ("trusted_proxies: [10.0.0.1/8, nowhere, 7]\n" + TAIL,
     ["1:19: has bits set right of the network's length",
      "1:31: expected a network such as 10.0.0.0/8 or fd00::/8, or an address",
      "1:40: expected a network such as 10.0.0.0/8 or fd00::/8, or an address, but got a whole number"]),
    ("trusted_proxies: 10.0.0.0/8\n" + TAIL, ["1:1: expected a list, but got a string"]),
    ("admin: {host: 0.0.0.0}\n" + TAIL,
     ["1:9: the admin listener is off loopback and has no token: add admin.tokens, or listen on 127.0.0.1"]),
    ("admin: {host: example.org, port: x}\n" + TAIL,
     ["1:9: the admin listener is off loopback and has no token: add admin.tokens, or listen on 127.0.0.1",
      "1:28: expected a whole number from 0 to 65535"]),
    ("listen: {port: 9901}\n" + TAIL, ["1:1: listen and admin have the same address"]),
    ("listen: {host: 0.0.0.0}\nadmin:\n  port: 8080\n" + TAIL,
     ["3:3: listen and admin have the same address"]),
    ("admin: {tokens: [{name: a, role: king, token: ''}, {name: b c, role: viewer}]}\n" + TAIL,
     ["1:28: expected viewer or operator", "1:40: a secret is empty", "1:52: token is missing",
      "1:53: expected a name of at most 64 letters, digits, dots, dashes and underscores"]),
    ("admin:\n  tokens:\n  - {name: a, role: viewer, token: x}\n"
     "  - {name: a, role: viewer, token: y}\n" + TAIL,
     ["2:3: two tokens have the same name"]),
    ("admin:\n  tokens:\n  - {name: a, role: viewer, token: x}\n"
     "  - {name: b, role: viewer, token: x}\n" + TAIL,
     ["2:3: two tokens have the same value"]),
    ("body: {max_bytes: 2MiB}\ncapacity: {body_bytes: 1MiB}\n" + TAIL,
     ["1:8: 2MiB never fits into capacity.body_bytes, 1MiB"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_faults_with_their_place(tmp_path: Path, text: str, expected: list[str]) -> None:
    """All faults at once, each in its place, in words that name no library."""
    assert faults(tmp_path, text) == expected


UPSTREAM = [
    ("urls: []", ["3:5: expected at least one"]),
    ("urls: http://a", ["3:5: expected a list, but got a string"]),
    ("urls: [http://a/x, http://a?, 'http://a/#']", [
        "3:12: expected scheme and authority only: no path, query or fragment",
        "3:24: expected scheme and authority only: no path, query or fragment",
        "3:35: expected scheme and authority only: no path, query or fragment"]),
    ("urls: [http://u:p@a]", ["3:12: expected no user name or password; use authorization"]),
    ("urls: [ftp://a, a:80, http://, 'http://a:0', 'http://a:99999', 'http://[::1', 'http://a b']",
     [f"3:{column}: expected a URL such as http://127.0.0.1:9000: http or https, host and port"
      for column in (12, 21, 27, 36, 50, 68, 83)]),
    ("urls: [http://a, 'http://A:80/']", ["3:5: a URL stands twice"]),
    ("urls: [http://a]\n    pool: 0\n    forwarded: yes", [
        "4:5: expected a whole number from 1 to 100000", "5:5: expected true or false"]),
    ("urls: [http://a]\n    tls: {ca: nowhere.pem}",
     ["4:11: cannot read 'nowhere.pem': No such file or directory"]),
    ("urls: [http://a]\n    tls: {}", ["2:3: tls is set, but no URL is https"]),
    ("urls: [https://a]\n    tls: {certificate: g.yaml}", ["4:5: certificate and key are needed together"]),
    ("urls: [http://a]\n    authorization: {file: .}", ["4:21: cannot read '.': not a regular file"]),
    ("urls: [http://a]\n    authorization: {fiel: x}",
     ["4:5: expected a string or {file: PATH}, but got another mapping"]),
    ("urls: [http://a]\n    authorization: 5",
     ["4:5: expected a string or {file: PATH}, but got a whole number"]),
    ('urls: [http://a]\n    authorization: "a\\nb"', [
        "4:5: a secret must be printable ASCII without spaces around it, as header fields are"]),
    ("urls: [http://a]\n    timeouts: {conect: 1s}", ["4:16: unknown key 'conect'; did you mean 'connect'?"]),
    ("urls: [http://a]\n    tls: {keys: 1}", ["4:11: unknown key 'keys'; did you mean 'key'?"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), UPSTREAM)
def test_faults_of_an_upstream(tmp_path: Path, text: str, expected: list[str]) -> None:
    document = f"upstreams:\n  main:\n    {text}\ncontracts: {{c: {{openapi: pack:p, upstream: main}}}}\n"
    assert faults(tmp_path, document) == expected


HEADER_VALUE = "expected a header field's value: printable ASCII without a comma, no space around it"
NAME = "expected a name of at most 64 letters, digits, dots, dashes and underscores"
CONTRACT = [
    ("upstream: main", ["3:3: openapi is missing"]),
    ("openapi: pack:p", ["3:3: upstream is missing"]),
    ("{openapi: pack:p, upstream: mian}", ["3:24: no upstream is named 'mian'; did you mean 'main'?"]),
    ("{openapi: pack:p, upstream: other}", ["3:24: no upstream is named 'other'"]),
    ("{openapi: pack:../p, upstream: main}", ["3:7: expected pack:NAME or the path of a file"]),
    ("{openapi: nowhere.yaml, upstream: main}",
     ["3:7: cannot read 'nowhere.yaml': No such file or directory"]),
    ("{openapi: '', upstream: main}", ["3:7: expected the path of a file"]),
    ("{openapi: pack:p, upstream: main, prefix: v1}",
     ["3:40: expected a path such as /v1, without a slash at its end"]),
    ("{openapi: pack:p, upstream: main, prefix: /v1/}",
     ["3:40: expected a path such as /v1, without a slash at its end"]),
    ("{openapi: pack:p, upstream: main, prefix: /a/../b}",
     ["3:40: expected a path such as /v1, without a slash at its end"]),
    ("{openapi: pack:p, upstream: main, operations: []}", ["3:40: expected at least one"]),
    ("{openapi: pack:p, upstream: main, operations: [a, 'b c', 3]}",
     ["3:56: expected an operationId", "3:63: expected an operationId, but got a whole number"]),
    ("{openapi: pack:p, upstream: main, operations: [a, a]}", ["3:40: an operation stands twice"]),
    ("{openapi: pack:p, upstream: main, mode: on}", ["3:40: expected enforce, report or off"]),
    ("{openapi: pack:p, upstream: main, overlays: x.yaml}", ["3:40: expected a list, but got a string"]),
    ("{openapi: pack:p, upstream: main, overlays: [x.yaml, pack:x, pack:errata/x, 5]}",
     ["3:51: cannot read 'x.yaml': No such file or directory",
      "3:59: expected pack:errata/NAME or the path of a file",
      "3:82: expected pack:errata/NAME or the path of a file, but got a whole number"]),
    ("{openapi: pack:p, upstream: main, when: {a b: c, d: 1, e: 'f,g', h: ' i', j: ''}}",
     ["3:47: expected the name of a header field", f"3:55: {HEADER_VALUE}, but got a whole number",
      *(f"3:{column}: {HEADER_VALUE}" for column in (61, 71, 80))]),
    ("{openapi: pack:p, upstream: main, when: {A: b, a: b}}",
     ["3:40: a header field stands twice; their names are the same in upper and lower case"]),
    ("{openapi: pack:p, upstream: main, when: a}", ["3:40: expected a mapping, but got a string"]),
    ("{openapi: pack:p, upstream: main, max_bytes: 1GiB}",
     ["3:40: 1GiB never fits into capacity.body_bytes, 256MiB"]),
    ("", ["3:3: expected a mapping, but got nothing"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CONTRACT)
def test_faults_of_a_contract(tmp_path: Path, text: str, expected: list[str]) -> None:
    text = text if text.startswith("{") or not text else f"{{{text}}}"
    document = f"upstreams: {{main: {{urls: [http://a]}}}}\ncontracts:\n  c: {text}\n"
    assert faults(tmp_path, document) == expected


POLICIES = [
    ("default: {}", []),
    ("default:", ["2:3: expected a mapping, but got nothing"]),
    ("a: {}", ["1:1: no policy is named default, so none would be used: others serve as what it extends"]),
    ("default: {extends: defualt}", ["2:13: no policy is named 'defualt'; did you mean 'default'?"]),
    ("default: {extends: '${E}'}", ["2:13: no policy has the name given"]),
    ("default: {extends: '${MISSING}'}", ["2:13: environment variable MISSING is not set"]),
    ("default: {extends: 5}", [f"2:13: {NAME}, but got a whole number"]),
    ("default: {extends: default}", ["2:13: a policy cannot extend itself: default extends default"]),
    ("default: {extends: a}\n  a: {extends: b}\n  b: {extends: a}",
     ["3:7: a policy cannot extend itself: a extends b extends a",
      "4:7: a policy cannot extend itself: b extends a extends b"]),
    ("default: 5\n  a: []", ["2:3: expected a mapping, but got a whole number",
                            "3:3: expected a mapping, but got a list"]),
    ("default: {rate: {}, rates: 1}", ["2:13: rate is not available yet",
                                       "2:23: unknown key 'rates'; did you mean 'rate'?"]),
    ("default: {metadata: {max_pair: 1, max_pairs: -1, max_key_length: '1', required: a}}",
     ["2:24: unknown key 'max_pair'; did you mean 'max_pairs'?",
      "2:37: expected a whole number from 0 to 1000000",
      "2:52: expected a whole number from 0 to 1000000",
      "2:73: expected a list, but got a string"]),
    ("default: {metadata: {required: ['', a, a], allowed_keys: [b, b]}}",
     ["2:35: expected a key of 1 to 512 characters", "2:46: a key stands twice"]),
    ("default: {files: {unique: 1, id_pattern: '(?=a)', max_count: 1.5}}",
     ["2:21: expected true or false",
      "2:32: cannot be used as a pattern: it looks around, which cannot be done in linear time",
      "2:53: expected a whole number from 0 to 1000000, but got a number"]),
    ("default: {files: {id_pattern: '${BAD}'}}", ["2:21: cannot be used as a pattern"]),
    ("default: {files: {id_pattern: 5}}", ["2:21: expected a regular expression, but got a whole number"]),
    ("default: {schemas: {a b: {}, c: [], d: 1, 'e:f:g': {}}}",
     ["2:23: expected an operationId",
      "2:32: expected a JSON Schema, a mapping or a boolean, but got a list",
      "2:39: expected a JSON Schema, a mapping or a boolean, but got a whole number",
      "2:45: expected an operationId"]),
    ("default: {mode: off}", ["2:13: expected enforce or report"]),
    ("default: {metadata: {required: [a, b], max_pairs: 1}}",
     ["2:24: more keys are required than max_pairs allows, 1"]),
    ("default: {metadata: {required: [a, b], allowed_keys: [b]}}",
     ["2:24: a required key is not among allowed_keys"]),
    ("default: {metadata: {required: [abc], max_key_length: 2}}",
     ["2:24: a required key is longer than max_key_length allows, 2"]),
    ("default: {extends: a, metadata: {max_pairs: 0}}\n  a: {metadata: {required: [b]}}",
     ["3:18: more keys are required than max_pairs allows, 0 (in default)"]),
    ("[]", ["1:1: expected a mapping, but got a list"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), POLICIES)
def test_faults_of_policies(tmp_path: Path, text: str, expected: list[str]) -> None:
    document = f"policies:\n  {text}\n{TAIL}"
    if expected:
        assert faults(tmp_path, document, E="default2", BAD="(?=s3cret)") == expected
    else:
        assert loaded(tmp_path, document).config.policies


def test_the_document_has_what_the_environment_gives(tmp_path: Path) -> None:
    """Schemas of policies are read from it, so variables and $$ are put in, with their places kept."""
    text = "policies:\n  default:\n    schemas: {o: {pattern: '^${A}$$', const: '$x'}}\n" + TAIL
    result = loaded(tmp_path, text, A="b")
    schema = result.document.value["policies"]["default"]["schemas"]["o"]
    assert schema == {"pattern": "^b$", "const": "$x"}
    place = ("policies", "default", "schemas", "o", "const")
    assert str(result.document.fault(place, "x")).endswith("g.yaml:3:39: x")


def nested(path: tuple[str, ...]) -> str:
    """Write a document's top-level value that holds only the key at ``path``, in flow style."""
    return "".join(f"{{{step if step != '*' else 'main'}: " for step in path) + "{x: 1}" + "}" * len(path)


@pytest.mark.parametrize("path", PENDING, ids=".".join)
def test_a_key_that_nothing_serves_yet_is_refused_by_name(tmp_path: Path, path: tuple[str, ...]) -> None:
    """It is told apart from an unknown key, whatever its value, at its own place."""
    text = nested(path)
    column = text.index(path[-1] + ":") + 1
    assert f"1:{column}: {path[-1]} is not available yet" in faults(tmp_path, text)
    assert not [fault for fault in faults(tmp_path, text) if f"unknown key '{path[-1]}'" in fault]


def test_pending_keys_are_not_served_ones() -> None:
    """A key that was moved to the model is no longer listed as one to come."""
    assert not set(pending_keys(())) & set(Config.model_fields)


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    """Variables, unknown keys, keys to come, types, files and dangling names: one run tells them all."""
    assert faults(
        tmp_path,
        """\
        listen: {host: "${HOST}", prot: 1}
        candidate: {policies: {}}
        deadlines: {body: soon}
        upstreams:
          main: {urls: ["http://${H}:${P}", "http://b/c"], authorization: {file: "${F}"}}
        contracts:
          c: {openapi: no.yaml, upstream: mani}
          d: {openapi: pack:p, upstream: "${U}"}
        """,
    ) == [
        "1:10: environment variable HOST is not set",
        "1:27: unknown key 'prot'; did you mean 'port'?",
        "2:1: candidate is not available yet",
        "3:13: expected a duration such as 250ms, 5s, 10m, 24h or 7d",
        "5:17: environment variable H is not set",
        "5:17: environment variable P is not set",
        "5:37: expected scheme and authority only: no path, query or fragment",
        "5:68: environment variable F is not set",
        "7:7: cannot read 'no.yaml': No such file or directory",
        "7:25: no upstream is named 'mani'; did you mean 'main'?",
        "8:24: environment variable U is not set",
    ]


def test_faults_never_repeat_what_came_from_the_environment_or_a_secret(tmp_path: Path) -> None:
    """A wrong value from a variable, a secret and a secret file stay out of every message."""
    (tmp_path / "token").write_text("s3cret\n\n s3cret")
    text = "".join(
        f"{fault}\n"
        for fault in faults(
            tmp_path,
            """\
            listen: {host: "${X} /", port: "${X}", tls: {certificate: "${X}", key: "a${X}"}}
            admin: {tokens: [{name: "${X} ", role: "${X}", token: {file: token}}]}
            workers: "${X}"
            deadlines: {body: "${X}"}
            body: {max_bytes: "${X}", max_depth: "${X}"}
            trusted_proxies: ["${X}"]
            upstreams:
              main: {urls: ["${X}"], authorization: "s3cret\\u00e4", forwarded: "${X}"}
            contracts:
              c: {openapi: "${X}", upstream: "${X}", mode: "${X}", prefix: "${X}", operations: ["${X} "]}
            errors: "${X}"
            """,
            X="s3cret",
        )
    )
    assert text.count("\n") == 21
    assert "s3cret" not in text


def test_digits_from_the_environment_are_numbers_within_bounds(tmp_path: Path) -> None:
    assert loaded(tmp_path, 'listen: {port: "${P}"}\n' + TAIL, P="0").config.listen.port == 0
    for wrong in ("65536", "1e3", "-1", "", "\u0665", "9" * 5000):
        assert faults(tmp_path, 'listen: {port: "${P}"}\n' + TAIL, P=wrong) == [
            "1:10: expected a whole number from 0 to 65535"
        ]


def test_the_same_address_is_seen_through_variables(tmp_path: Path) -> None:
    assert faults(tmp_path, 'listen: {port: "${P}"}\n' + TAIL, P="9901") == [
        "1:1: listen and admin have the same address"
    ]


def test_one_port_on_two_addresses_is_fine(tmp_path: Path) -> None:
    config = loaded(tmp_path, "listen: {host: '::1', port: 9901}\n" + TAIL).config
    assert config.listen.port == config.admin.port


@pytest.mark.parametrize("content", [b"key\n", b"key\r\n", b"key"])
def test_secret_files_lose_their_last_newline(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "k").write_bytes(content)
    text = TAIL.replace("urls:", "authorization: {file: k}, urls:")
    secret = loaded(tmp_path, text).config.upstreams["main"].authorization
    assert secret is not None
    assert secret.get_secret_value() == "key"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n", "a secret is empty"),
        (b"\xff", "the file's content is not UTF-8"),
        (b"x" * 70_000, "the secret is longer than 64KiB"),
    ],
)
def test_secret_files_that_hold_no_secret(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "k").write_bytes(content)
    text = TAIL.replace("urls:", "authorization: {file: k}, urls:")
    assert faults(tmp_path, text) == [f"1:36: {message}"]


def test_secrets_do_not_show(tmp_path: Path) -> None:
    result = loaded(tmp_path, TAIL.replace("urls:", "authorization: s3cret, urls:"))
    assert (
        "s3cret" not in f"{result!r} {result.config} {result.config.upstreams} {result.config.model_dump()}"
    )


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "none.yaml", {})
    assert str(caught.value) == f"{tmp_path / 'none.yaml'}:0:0: cannot be read: No such file or directory"


def test_later_faults_find_their_place(tmp_path: Path) -> None:
    """What only shows while contracts compile is told like the rest."""
    result = loaded(tmp_path, TAIL)
    fault = result.fault(("contracts", "c", "openapi"), "no such pack")
    assert str(fault) == f"{tmp_path / 'g.yaml'}:2:17: no such pack"


def test_relative_paths_start_from_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the current folder, and also when the configuration itself is named relatively."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "api.yaml").touch()
    (tmp_path / "conf" / "g.yaml").write_text(TAIL.replace("pack:p", "api.yaml"))
    monkeypatch.chdir(tmp_path)
    assert load(Path("conf/g.yaml"), {}).config.contracts["c"].file == tmp_path / "conf" / "api.yaml"
