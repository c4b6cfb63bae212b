"""The configuration written out: it loads again, hides secrets, and is hashed with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.config.effective import _Dumper, canonical, effective, effective_yaml
from gateway.config.load import load
from gateway.config.model import Config, restart_only
from gateway.config.policies import resolve_policy
from gateway.documents import parse_document

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any


def make(**more: Any) -> Config:
    base = {
        "upstreams": {"main": {"urls": ["http://127.0.0.1:9000"], "authorization": "s3cret"}},
        "contracts": {"c": {"openapi": "pack:p", "upstream": "main", "prefix": "/a$b"}},
    }
    return Config.model_validate(base | more)


POLICIES = {
    "default": {
        "extends": "base",
        "metadata": {"max_pairs": None, "required": ["a"], "allowed_keys": None},
        "schemas": {"o": {"const": None, "pattern": "^a$", "$ref": "#/$defs/a", "$defs": {"a": True}}},
    },
    "base": {"metadata": {"max_pairs": 3}, "mode": "report"},
}


def test_policies_show_what_they_state() -> None:
    """A default that is written down can loosen a contract, one that is not cannot: so neither is added."""
    shown = effective(make(policies=POLICIES))["policies"]
    assert shown["base"] == POLICIES["base"]
    assert shown["default"]["metadata"] == POLICIES["default"]["metadata"]
    assert shown["default"]["schemas"]["o"]["pattern"] == "^a$$"
    assert shown["default"]["schemas"]["o"]["const"] is None
    assert "mode" not in shown["default"]


def test_values_are_in_human_units_and_secrets_masked() -> None:
    shown = effective(make(trusted_proxies=["10.0.0.0/8"]))
    assert shown["deadlines"] == {"header": "10s", "body": "30s", "keepalive": "75s", "drain": "30s"}
    assert shown["capacity"] == {"in_flight": 1000, "body_bytes": "256MiB"}
    assert shown["upstreams"]["main"]["authorization"] == "********"
    assert shown["upstreams"]["main"]["urls"] == ["http://127.0.0.1:9000"]
    assert shown["trusted_proxies"] == ["10.0.0.0/8"]
    assert shown["contracts"]["c"] == {
        "openapi": "pack:p",
        "upstream": "main",
        "overlays": [],
        "prefix": "/a$$b",
        "mode": "enforce",
        "when": {},
    }
    assert shown["policies"] == {}


def test_what_is_shown_loads_again(tmp_path: Path) -> None:
    """The printed configuration is a configuration, the same one but for its secrets."""
    (tmp_path / "api.yaml").touch()
    config = make(
        contracts={
            "c": {
                "openapi": str(tmp_path / "api.yaml"),
                "overlays": [str(tmp_path / "api.yaml"), "pack:errata/e"],
                "upstream": "main",
                "prefix": "/",
                "mode": "off",
                "when": {"A": "b"},
            }
        },
        policies=POLICIES,
        listen={"host": "::1", "port": 0},
    )
    path = tmp_path / "sub" / "g.yaml"
    path.parent.mkdir()
    path.write_text(effective_yaml(config))
    again = load(path, {}).config
    assert effective(again) == effective(config)
    assert again.contracts == config.contracts
    assert again.policies == config.policies
    assert resolve_policy(again.policies) == resolve_policy(config.policies)
    assert again.listen == config.listen


@given(
    st.dictionaries(
        st.text(min_size=1), st.one_of(st.text(), st.from_regex(r"[0-9eEox.+-]{1,6}", fullmatch=True))
    )
)
@example({"huge": "1e999", "long": "9" * 5000})
def test_strings_stay_strings(value: dict[str, str]) -> None:
    """Whatever a string looks like, YAML 1.2 reads the one that was written."""
    text = yaml.dump(value, Dumper=_Dumper, allow_unicode=True)
    assert parse_document(text, "f.yaml").value == value


def test_canonical_bytes_tell_configurations_apart() -> None:
    """Equal ones have the same bytes in whatever order they were written; a changed secret changes them."""
    one = make()
    assert canonical(one) == canonical(make())
    upstream = {"authorization": "s3cret", "urls": ["http://127.0.0.1:9000"]}
    turned = dict(reversed(one.model_dump(mode="json").items())) | {"upstreams": {"main": upstream}}
    assert canonical(one) == canonical(Config.model_validate(turned))
    other = make(upstreams={"main": {"urls": ["http://127.0.0.1:9000"], "authorization": "s3cret2"}})
    assert canonical(one) != canonical(other)
    assert canonical(one) != canonical(make(deadlines={"header": "11s"}))
    assert canonical(one) != canonical(make(policies=POLICIES))


@pytest.mark.parametrize(
    ("change", "sections"),
    [
        ({}, []),
        ({"errors": "problem", "deadlines": {"body": "1s"}}, []),
        ({"listen": {"port": 1}}, ["listen"]),
        ({"admin": {"tokens": [{"name": "a", "role": "viewer", "token": "t"}]}}, ["admin"]),
        ({"audit": {"retention": "91d"}}, ["audit"]),
        ({"audit": {"index": "postgresql://a:b@c"}, "admin": {"port": 2}}, ["admin", "audit"]),
        ({"admin": {"port": 2}, "listen": {"host": "::1"}}, ["listen", "admin"]),
    ],
)
def test_sections_that_need_a_restart(change: dict[str, Any], sections: list[str]) -> None:
    assert restart_only(make(), make(**change)) == sections
