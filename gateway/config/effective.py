"""A configuration written out: for people, its secrets masked, and as the bytes that a revision hashes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import yaml

from gateway.config.environment import escape
from gateway.documents import resolve_plain

if TYPE_CHECKING:
    from gateway.config.model import Config


def effective(config: Config) -> dict[str, Any]:
    """Give the whole configuration as plain values, defaults included and what is unset left out.

    Policies have only what they state: there it makes a difference whether a default is written down.
    Durations and sizes are in human units, paths are absolute, secrets are masked, and a ``$`` is doubled, so
    that the result loads again, but for the secrets.
    """
    shown = config.model_dump(mode="json", exclude_none=True)
    shown["policies"] = {
        name: policy.model_dump(mode="json", exclude_unset=True) for name, policy in config.policies.items()
    }
    escaped: dict[str, Any] = _escaped(shown)
    return escaped


def effective_yaml(config: Config) -> str:
    """Write :func:`effective` as YAML 1.2."""
    return yaml.dump(effective(config), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def canonical(config: Config) -> bytes:
    """Give bytes that are the same exactly for equal configurations, secrets included: hash, never show."""
    content = config.model_dump(mode="json", context={"reveal": True})
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, dict):
        return {key: _escaped(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_escaped(member) for member in value]
    return value


_BREAKS: Final = frozenset("\x85\u2028\u2029")


class _Dumper(yaml.SafeDumper):
    """Quotes what YAML 1.2 reads otherwise than PyYAML, which thinks of YAML 1.1: numbers and line breaks."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _represent_string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    try:
        plain = resolve_plain(text) == text and not _BREAKS & set(text)
    except ValueError:
        plain = False
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_string)
