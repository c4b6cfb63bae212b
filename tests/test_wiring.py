"""A configuration becomes a plan: every fault of what it names, names, revisions, pools that live on."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from gateway import wiring
from gateway.contracts import pack_path
from gateway.errors import ConfigError
from gateway.listener.snapshot import Capacity, Deadlines
from gateway.wiring import Plan, Pools, compile_plan, make_snapshot

TLS = Path(__file__).parent / "support" / "tls"
UPSTREAMS = 'upstreams: {main: {urls: ["http://127.0.0.1:9"]}}\n'
CONTRACTS = 'contracts: {a: {openapi: "pack:assistants-v1", upstream: main}}\n'


def plan(folder: Path, text: str = UPSTREAMS + CONTRACTS, environ: dict[str, str] | None = None) -> Plan:
    """Compile a configuration."""
    path = folder / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    return compile_plan(path, environ or {})


def faults(folder: Path, text: str) -> list[str]:
    """Compile a configuration that has faults, and give them with the file's own folder left out."""
    with pytest.raises(ConfigError) as caught:
        plan(folder, text)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def test_what_a_plan_has(tmp_path: Path) -> None:
    """Operations with their whole templates, the files that it was made from, a revision of 16 digits."""
    made = plan(tmp_path)
    assert {operation.name for operation in made.operations} >= {"createMessage", "listMessages"}
    [create] = [operation for operation in made.operations if operation.name == "createMessage"]
    assert create.template == "/v1/threads/{thread_id}/messages"
    assert create.max_bytes == 1 << 20
    assert made.files == (tmp_path / "gateway.yaml", pack_path("pack:assistants-v1"))
    assert len(bytes.fromhex(made.revision)) == 8
    assert made.listen_tls is None
    assert made.upstream_tls == {}


def test_faults_of_several_contracts(tmp_path: Path) -> None:
    """An unknown pack, a document that is not there and one with faults are told at once."""
    (tmp_path / "bad.yaml").write_text("openapi: 3.0.3\npaths: {/x: {get: 5}}\n", encoding="utf-8")
    found = faults(
        tmp_path,
        UPSTREAMS
        + "contracts:\n"
        + '  a: {openapi: "pack:nothing", upstream: main}\n'
        + "  b: {openapi: bad.yaml, upstream: main}\n",
    )
    assert {fault.split(" ", 1)[0] for fault in found} == {"bad.yaml:2:14:", "gateway.yaml:3:7:"}
    assert "There is no pack 'nothing'. The packs are: assistants-v1" in found[-1]


def test_contracts_that_share_operations(tmp_path: Path) -> None:
    """Under prefixes of their own both are served, by names that tell them apart."""
    text = UPSTREAMS + "contracts:\n"
    for name in ("a", "b"):
        text += f'  {name}: {{openapi: "pack:assistants-v1", upstream: main, prefix: /{name}, '
        text += "operations: [createMessage]}\n"
    made = plan(
        tmp_path, text + '  c: {openapi: "pack:assistants-v1", upstream: main, operations: [getThread]}\n'
    )
    assert [(operation.name, operation.template) for operation in made.operations] == [
        ("a:createMessage", "/a/threads/{thread_id}/messages"),
        ("b:createMessage", "/b/threads/{thread_id}/messages"),
        ("getThread", "/v1/threads/{thread_id}"),
    ]


def test_contracts_on_the_same_route(tmp_path: Path) -> None:
    """Two claims of one route are a fault of the second contract."""
    text = UPSTREAMS + "contracts:\n"
    for name in ("a", "b"):
        text += f'  {name}: {{openapi: "pack:assistants-v1", upstream: main, operations: [getThread]}}\n'
    assert faults(tmp_path, text) == [
        "gateway.yaml:4:3: a:getThread and b:getThread are both GET /v1/threads/{thread_id}"
    ]


def test_conditions_tell_contracts_apart(tmp_path: Path) -> None:
    """Two contracts may share a route if one of them, or each another, asks for a header."""
    contract = 'openapi: "pack:assistants-v1", upstream: main, operations: [getThread]'
    a, b = f"  a: {{{contract}, when: {{X: '1'}}}}\n", f"  b: {{{contract}}}\n"
    made = plan(tmp_path, f"{UPSTREAMS}contracts:\n{a}{b}")
    assert [operation.conditions for operation in made.operations] == [(("header", "x", "1"),), ()]
    same = a.replace("a:", "c:", 1).replace("X", "x")
    assert faults(tmp_path, f"{UPSTREAMS}contracts:\n{a}{b}{same}") == [
        "gateway.yaml:5:3: a:getThread and c:getThread are both GET /v1/threads/{thread_id}"
    ]


def test_names_that_cannot_be_told_apart(tmp_path: Path) -> None:
    """An operationId that looks like another contract's operation is a fault."""
    for name, ids in (("a", ("one", "b:one")), ("b", ("one",))):
        paths = "".join(
            f"  /{name}{index}: {{get: {{operationId: '{one}'}}}}\n" for index, one in enumerate(ids)
        )
        (tmp_path / f"{name}.yaml").write_text(f"openapi: 3.0.3\npaths:\n{paths}", encoding="utf-8")
    text = "contracts:\n  a: {openapi: a.yaml, upstream: main}\n  b: {openapi: b.yaml, upstream: main}\n"
    assert faults(tmp_path, UPSTREAMS + text) == ["gateway.yaml:2:1: two operations would be named b:one"]


OVERLAY = """\
overlay: 1.0.0
info: {title: t, version: "1"}
actions:
  - target: $.paths['/threads'].post
    update: {operationId: mended}
"""


def overlaid(folder: Path, overlays: str) -> str:
    """Write a configuration with overlays."""
    (folder / "o.yaml").write_text(OVERLAY, encoding="utf-8")
    return UPSTREAMS + CONTRACTS.replace("upstream: main", f"upstream: main, overlays: {overlays}")


def test_overlays(tmp_path: Path) -> None:
    """They change the document, belong to the plan's files, and to its revision."""
    text = overlaid(tmp_path, "[o.yaml]")
    made = plan(tmp_path, text)
    assert "mended" in {operation.name for operation in made.operations}
    pack = pack_path("pack:assistants-v1")
    assert made.files == (tmp_path / "gateway.yaml", pack, tmp_path / "o.yaml")
    with (tmp_path / "o.yaml").open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert plan(tmp_path, text).revision != made.revision
    both = overlaid(tmp_path, '[o.yaml, "pack:errata/openai-v1"]')
    assert any(
        "targets nothing" in warning.message or warning.line for warning in plan(tmp_path, both).warnings
    )


def test_overlays_that_cannot_be_had(tmp_path: Path) -> None:
    """Each is a fault where it is named; an overlay's own faults stand in its file."""
    found = faults(tmp_path, overlaid(tmp_path, '[gone.yaml, o.yaml, "pack:errata/nothing"]'))
    assert found[0].startswith("gateway.yaml:2:75: ")
    found = faults(tmp_path, overlaid(tmp_path, '[o.yaml, "pack:errata/nothing"]'))
    assert [fault.split(" ", 1)[0] for fault in found] == ["gateway.yaml:2:83:"]
    text = overlaid(tmp_path, "[o.yaml]")
    (tmp_path / "o.yaml").write_text("overlay: 7\n", encoding="utf-8")
    assert all(fault.startswith("o.yaml:") for fault in faults(tmp_path, text))


def test_files_that_a_document_refers_to(tmp_path: Path) -> None:
    """They belong to the plan's files and to its revision."""
    (tmp_path / "part.yaml").write_text("S: {type: string}\n", encoding="utf-8")
    (tmp_path / "root.yaml").write_text(
        "openapi: 3.0.3\npaths:\n  /a:\n    post:\n      requestBody:\n"
        "        {content: {application/json: {schema: {$ref: 'part.yaml#/S'}}}}\n",
        encoding="utf-8",
    )
    text = UPSTREAMS + "contracts: {a: {openapi: root.yaml, upstream: main}}\n"
    made = plan(tmp_path, text)
    assert made.files[1:] == (tmp_path / "root.yaml", tmp_path / "part.yaml")
    assert [operation.name for operation in made.operations] == ["POST /a"]
    (tmp_path / "part.yaml").write_text("S: {type: integer}\n", encoding="utf-8")
    assert plan(tmp_path, text).revision != made.revision


def test_the_default_policy(tmp_path: Path) -> None:
    """Its limits and schemas are put onto the contracts' bodies; other policies are only read."""
    made = plan(
        tmp_path,
        UPSTREAMS
        + CONTRACTS
        + "policies:\n"
        + "  default: {metadata: {max_pairs: 1}, schemas: {createMessage: {required: [metadata]}}}\n"
        + "  other: {metadata: {max_pairs: 0}}\n",
    )
    [create] = [operation for operation in made.operations if operation.name == "createMessage"]
    assert create.body is not None
    validator = create.body.media_types["application/json"].validator
    body = {"role": "user", "content": "x"}
    assert not validator.fast(body)
    assert validator.fast(body | {"metadata": {"a": "b"}})
    assert not validator.fast(body | {"metadata": {"a": "b", "c": "d"}})


def test_faults_of_policies(tmp_path: Path) -> None:
    """What loosens a contract, cannot be read, or is for no operation, is told at its own place."""
    found = faults(
        tmp_path,
        UPSTREAMS
        + CONTRACTS
        + "policies:\n"
        + "  default:\n"
        + "    metadata: {max_pairs: 17}\n"
        + "    schemas:\n"
        + "      createMessage: {maxLength: x}\n"
        + "      createTread: {}\n"
        + "  other: {schemas: {getThread: {}}}\n",
    )
    assert {fault.split(" ", 1)[0] for fault in found} == {
        "gateway.yaml:5:16:",
        "gateway.yaml:7:23:",
        "gateway.yaml:8:7:",
        "gateway.yaml:9:21:",
    }


def test_the_cache(tmp_path: Path) -> None:
    """A plan from the cache is the same but for warnings, which it has none of."""
    (tmp_path / "root.yaml").write_text(
        "openapi: 3.0.3\npaths: {/a?b=c: {get: {operationId: one}}}\n", encoding="utf-8"
    )
    path = tmp_path / "gateway.yaml"
    contract = "contracts: {a: {openapi: root.yaml, upstream: main}}\n"
    path.write_text(UPSTREAMS + contract, encoding="utf-8")
    environ = {"GATEWAY_CACHE": str(tmp_path / "cache")}
    plain = compile_plan(path, environ)
    assert len(plain.warnings) == 1
    assert not (tmp_path / "cache").exists()
    for _ in range(2):
        cached = compile_plan(path, environ, cached=True)
        assert (cached.revision, cached.files, cached.warnings) == (plain.revision, plain.files, ())
        assert [operation.name for operation in cached.operations] == ["one"]
    assert len(list((tmp_path / "cache").iterdir())) == 1
    without = compile_plan(path, {}, cached=True)
    assert (without.revision, without.warnings) == (plain.revision, plain.warnings)


def test_a_document_that_is_gone_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was there a moment ago and cannot be read is a fault where it is named."""
    monkeypatch.setattr(wiring, "pack_path", lambda _: tmp_path / "gone.yaml")
    assert faults(tmp_path, UPSTREAMS + CONTRACTS) == [
        "gateway.yaml:2:17: gone.yaml cannot be read: No such file or directory"
    ]


def test_a_file_that_is_gone_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read any more when it is digested is a fault of its contract."""

    def gone(*_: object, **__: object) -> None:
        raise FileNotFoundError(2, "No such file or directory", "part.yaml")

    monkeypatch.setattr(wiring, "load_contract", gone)
    (found,) = faults(tmp_path, UPSTREAMS + CONTRACTS)
    assert found == "gateway.yaml:2:17: part.yaml cannot be read: No such file or directory"


def test_limits_of_a_contract(tmp_path: Path) -> None:
    """A contract's own max_bytes goes before the general one."""
    text = UPSTREAMS + CONTRACTS.replace("upstream: main", "upstream: main, max_bytes: 2KiB")
    made = plan(tmp_path, text + "body: {max_bytes: 1KiB}\n")
    assert {operation.max_bytes for operation in made.operations} == {2048}


def test_limits_of_bodies(tmp_path: Path) -> None:
    """How deep JSON may nest, and how much compressed bodies may hold, is what the configuration says."""
    rules = plan(tmp_path, UPSTREAMS + CONTRACTS + "body: {max_depth: 7, max_decoded_ratio: 8}\n").rules
    assert (rules.max_depth, rules.max_decoded_ratio) == (7, 8)


def test_revisions(tmp_path: Path) -> None:
    """The same for the same; another for another value, another document, another secret."""
    (tmp_path / "openapi.yaml").write_bytes(pack_path("pack:assistants-v1").read_bytes())
    secret = UPSTREAMS.replace("]}", '], authorization: "${KEY}"}')
    contracts = CONTRACTS.replace('"pack:assistants-v1"', "openapi.yaml")
    text = secret + contracts
    first = plan(tmp_path, text, {"KEY": "one"}).revision
    assert plan(tmp_path, "# a comment\n" + contracts + secret, {"KEY": "one"}).revision == first
    assert plan(tmp_path, text, {"KEY": "two"}).revision != first
    assert plan(tmp_path, text + "body: {max_depth: 31}\n", {"KEY": "one"}).revision != first
    with (tmp_path / "openapi.yaml").open("a", encoding="utf-8") as document:
        document.write("# more\n")
    assert plan(tmp_path, text, {"KEY": "one"}).revision != first


def test_certificates(tmp_path: Path) -> None:
    """TLS contexts are made for the listener and for https upstreams, and for no other."""
    made = plan(
        tmp_path,
        f"listen: {{tls: {{certificate: {TLS}/certificate.pem, key: {TLS}/key.pem}}}}\n"
        "upstreams:\n"
        '  main: {urls: ["http://127.0.0.1:9"]}\n'
        f'  own: {{urls: ["https://localhost"], tls: {{ca: {TLS}/certificate.pem, '
        f"certificate: {TLS}/certificate.pem, key: {TLS}/key.pem}}}}\n"
        '  system: {urls: ["https://localhost"]}\n' + CONTRACTS,
    )
    assert isinstance(made.listen_tls, ssl.SSLContext)
    assert made.listen_tls.minimum_version == ssl.TLSVersion.TLSv1_2
    assert made.upstream_tls.keys() == {"own", "system"}
    assert [entry["subject"] for entry in made.upstream_tls["own"].get_ca_certs()] == [
        ((("commonName", "localhost"),),)
    ]
    assert all(context.verify_mode is ssl.CERT_REQUIRED for context in made.upstream_tls.values())
    assert all(context.check_hostname for context in made.upstream_tls.values())


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    """Each is a fault with its place, all at once; what a file holds is not repeated."""
    (tmp_path / "canary.pem").write_text("canary", encoding="utf-8")
    found = faults(
        tmp_path,
        f"listen: {{tls: {{certificate: canary.pem, key: {TLS}/key.pem}}}}\n"
        "upstreams:\n"
        '  main: {urls: ["https://localhost"], tls: {ca: canary.pem}}\n'
        f'  own: {{urls: ["https://localhost"], tls: {{certificate: {TLS}/key.pem, key: {TLS}/key.pem}}}}\n'
        + CONTRACTS,
    )
    assert [fault.rpartition(" cannot be used: ")[0] for fault in found] == [
        "gateway.yaml:1:16: the certificate or key",
        "gateway.yaml:3:39: the certificate or key",
        "gateway.yaml:4:38: the certificate or key",
    ]
    assert not any("canary" in fault for fault in found)


async def test_pools_live_on(tmp_path: Path) -> None:
    """A reload keeps the pools that it does not change; those with certificates are made anew."""
    pools = Pools(asyncio.get_running_loop())
    upstreams = (
        "upstreams:\n"
        '  main: {urls: ["http://127.0.0.1:9"]}\n'
        '  other: {urls: ["http://127.0.0.1:10"]}\n'
        f'  own: {{urls: ["https://localhost"], tls: {{ca: {TLS}/certificate.pem}}}}\n'
    )
    first = pools.replace(plan(tmp_path, upstreams + CONTRACTS))
    assert first.keys() == {"main", "other", "own"}
    second = pools.replace(
        plan(tmp_path, upstreams.replace("9:10", "9:11").replace(":10", ":11") + CONTRACTS)
    )
    assert second["main"] is first["main"]
    assert second["other"] is not first["other"]
    assert second["own"] is not first["own"]
    third = pools.replace(plan(tmp_path))
    assert third == {"main": first["main"]}


async def test_a_snapshot(tmp_path: Path) -> None:
    """What the listener serves by is what the configuration says."""
    made = plan(
        tmp_path,
        UPSTREAMS
        + CONTRACTS
        + "deadlines: {header: 1s, body: 2s, keepalive: 3s}\ncapacity: {in_flight: 4, body_bytes: 5MiB}\n"
        "errors: problem\ntrusted_proxies: [10.0.0.0/8]\n",
    )
    snapshot = make_snapshot(made, Pools(asyncio.get_running_loop()))
    assert snapshot.revision == made.revision
    assert snapshot.rules is made.rules
    assert snapshot.forwarders.keys() == {"main"}
    assert snapshot.deadlines == Deadlines(1.0, 2.0, 3.0)
    assert snapshot.capacity == Capacity(4, 5 << 20)
    assert snapshot.dialect == "problem"
    assert snapshot.trusts("10.1.2.3")
    assert not snapshot.trusts("11.1.2.3")


PUBLISHED = Path(__file__).parents[2] / "shared" / "openapi"

if PUBLISHED.is_dir():  # it lies beside some checkouts; elsewhere there is nothing to load

    @pytest.mark.parametrize(("name", "count"), [("openai-v1", 51), ("openai-v2", 288)])
    def test_published_documents(tmp_path: Path, name: str, count: int) -> None:
        """With their errata they load whole, next to a policy, and every body's validator can be used."""
        made = plan(
            tmp_path,
            f"{UPSTREAMS}contracts:\n  a: {{openapi: {PUBLISHED}/{name}.yaml, upstream: main, "
            f'overlays: ["pack:errata/{name}"]}}\npolicies: {{default: {{}}}}\n',
        )
        assert len(made.operations) == count
        for operation in made.operations:
            if operation.body is not None:
                for content in operation.body.media_types.values():
                    assert content.validator.fast(None) is (content.validator.full(None).total == 0)
