"""The generated JSON Schema and the commented default configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest

from gateway.config.availability import PENDING
from gateway.config.model import Config
from gateway.config.schema import build, text
from gateway.documents import read

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture(scope="module")
def accepts() -> Callable[[Any], bool]:
    """Say whether the schema accepts a value."""
    schema = build()
    judge = fastjsonschema.compile(
        {key: part for key, part in schema.items() if key != "$schema"}, use_default=False
    )

    def accepts(value: Any) -> bool:
        try:
            judge(value)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    return accepts


def test_the_committed_schema_is_up_to_date() -> None:
    """To renew it: python -m gateway.config.schema > config/gateway.schema.json."""
    assert (CONFIG / "gateway.schema.json").read_text() == text()


def test_the_module_prints_the_schema() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.config.schema"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == build()


def test_the_shipped_configuration_names_and_satisfies_the_schema(accepts: Callable[[Any], bool]) -> None:
    shipped = CONFIG / "gateway.yaml"
    assert shipped.read_text().startswith("# yaml-language-server: $schema=gateway.schema.json\n")
    assert accepts(read(shipped).value)


def with_change(**change: Any) -> dict[str, Any]:
    return {
        "upstreams": {"main": {"urls": ["http://127.0.0.1:9000"]}},
        "contracts": {"c": {"openapi": "pack:p", "upstream": "main"}},
    } | change


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"listen": {"port": "${PORT}", "tls": None}},
        {"listen": {"host": "${HOST:-::}", "port": 0}},
        {"deadlines": {"header": "250ms", "body": "${BODY}"}},
        {"capacity": {"body_bytes": "1GiB", "in_flight": "${N}"}},
        {"errors": "${ERRORS}", "workers": 1},
        {
            "upstreams": {
                "a": {"urls": ["${URL}", "https://b"], "authorization": {"file": "x"}, "forwarded": "${F}"}
            }
        },
        {"upstreams": {"a": {"urls": ["http://b"], "authorization": "Bearer ${KEY}"}}},
        {"contracts": {"c": {"openapi": "a.yaml", "upstream": "m", "prefix": "/v1", "operations": ["a"]}}},
        {"admin": {"tokens": [{"name": "a", "role": "viewer", "token": "t"}]}},
        {"contracts": {"c": {"openapi": "a", "upstream": "m", "mode": "off", "when": {"X-Y": "z"}}}},
        {"contracts": {"c": {"openapi": "a", "upstream": "m", "overlays": ["pack:errata/e"]}}},
        {"audit": {"index": {"file": "url"}, "retention": "3650d", "content": "${CONTENT}"}},
        {"audit": {"index": "postgresql://a:b@c/d", "directory": "/a", "verify_sent": True}},
        {"policies": {"default": {"metadata": {"max_pairs": None}, "schemas": {"a:b": False, "c": {}}}}},
    ],
)
def test_accepted(accepts: Callable[[Any], bool], change: dict[str, Any]) -> None:
    assert accepts(with_change(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"listen": {"port": "80"}},
        {"listen": {"prt": 80}},
        {"listen": {"tls": {"certificate": "a"}}},
        {"deadlines": {"header": 10}},
        {"deadlines": {"header": "10"}},
        {"body": {"max_bytes": "1MB"}},
        {"body": {"max_depth": 0}},
        {"errors": "html"},
        {"workers": 2},
        {"upstreams": {}},
        {"upstreams": {"a b": {"urls": ["http://b"]}}},
        {"upstreams": {"a": {"urls": ["ftp://b"]}}},
        {"contracts": {"c": {"openapi": "pack:p"}}},
        {"admin": {"tokens": [{"name": "a", "role": "viewer", "token": {"path": "t"}}]}},
        {"candidate": {}},
        {"audit": {"index": "mysql://a"}},
        {"audit": {"durability": "none"}},
        {"audit": {"retention": 90}},
        {"policies": {"default": {"rate": {}}}},
        {"policies": {"default": {"schemas": {"a b": {}}}}},
        {"policies": {"default": {"schemas": {"a": []}}}},
        {"contracts": {"c": {"openapi": "a", "upstream": "m", "when": {"a b": "c"}}}},
        {"contracts": {"c": {"openapi": "a", "upstream": "m", "when": {"a": "b,c"}}}},
    ],
)
def test_refused(accepts: Callable[[Any], bool], change: dict[str, Any]) -> None:
    assert not accepts(with_change(**change))


def test_every_setting_is_described() -> None:
    """An editor has a word to say about each key."""
    schema = build()
    for section in [schema, *schema["$defs"].values()]:
        for name, setting in section["properties"].items():
            assert setting.get("description"), name


def test_the_shipped_configuration_shows_every_setting() -> None:
    """Each key of the model stands in it, set or commented out; none of those to come does."""
    lines = {
        line.strip("#- ").split(":")[0]
        for line in (CONFIG / "gateway.yaml").read_text().splitlines()
        if ":" in line
    }
    names = set(Config.model_fields)
    for definition in build()["$defs"].values():
        names |= set(definition["properties"])
    assert names <= lines
    assert not {path[-1] for path in PENDING} & lines
