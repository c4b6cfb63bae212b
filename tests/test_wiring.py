"""A configuration becomes a plan: every fault of what it names, names, revisions, pools that live on."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

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


def test_limits_of_a_contract(tmp_path: Path) -> None:
    """A contract's own max_bytes goes before the general one."""
    text = UPSTREAMS + CONTRACTS.replace("upstream: main", "upstream: main, max_bytes: 2KiB")
    made = plan(tmp_path, text + "body: {max_bytes: 1KiB}\n")
    assert {operation.max_bytes for operation in made.operations} == {2048}


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
