"""The section ``audit``: where the trail is kept, for how long, and the index's URL with its secrets."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from gateway.config.effective import canonical, effective
from gateway.config.index_url import masked
from gateway.config.load import load
from gateway.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.config.model import Config

TAIL = """\
upstreams: {main: {urls: ["http://127.0.0.1:9000"]}}
contracts: {c: {openapi: "pack:p", upstream: main}}
"""


def loaded(folder: Path, text: str) -> Config:
    path = folder / "g.yaml"
    path.write_text(dedent(text) + TAIL)
    return load(path, {"URL": "postgresql://u:s3cret@h/d"}).config


def test_the_defaults(tmp_path: Path) -> None:
    """Without the section, and with an empty one: the directory lies beside the configuration."""
    for text in ("", "audit: {}\n"):
        audit = loaded(tmp_path, text).audit
        assert audit.directory == tmp_path / "var" / "audit"
        assert (audit.durability, audit.content, audit.verify_sent) == ("blocking", "none", False)
        assert (audit.content_retention, audit.retention) == (7 * 86_400, 90 * 86_400)
        assert audit.index.get_secret_value() == "sqlite"


def test_faults_have_their_place(tmp_path: Path) -> None:
    """Each value is judged, and none is repeated where it may be a secret."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        loaded(
            tmp_path,
            """\
            audit:
              directory: file
              durability: fsync
              content: all
              retention: 3651d
              content_retention: 7
              verify_sent: 1
              index: "mysql://u:s3cret@h/d"
            """,
        )
    assert [str(fault).partition("g.yaml:")[2] for fault in caught.value.faults] == [
        "2:3: cannot use 'file': not a folder",
        "3:3: expected batch, blocking or blocking-strict",
        "4:3: expected none, redacted or full",
        "5:3: expected a duration from 1ms to 3650d",
        "6:3: expected a duration such as 250ms, 5s, 10m, 24h or 7d",
        "7:3: expected true or false",
        "8:3: expected sqlite or postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
    ]


@pytest.mark.parametrize("value", ['"${URL}"', "{file: url}", '"postgresql://u:s3cret@h/d"'])
def test_the_index_s_password_does_not_show(tmp_path: Path, value: str) -> None:
    """However it is given: it is used, hashed, and shown only masked; what is shown loads again."""
    (tmp_path / "url").write_text("postgresql://u:s3cret@h/d\n")
    config = loaded(tmp_path, f"audit: {{index: {value}}}\n")
    assert config.audit.index.get_secret_value() == "postgresql://u:s3cret@h/d"
    shown = effective(config)["audit"]["index"]
    assert shown == "postgresql://u:********@h/d"
    assert "s3cret" not in f"{config} {config!r} {config.model_dump()}"
    other = loaded(tmp_path, f'audit: {{index: "{shown}"}}\n')
    assert canonical(config) != canonical(other)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite", "sqlite"),
        ("postgresql://", "postgresql://"),
        ("postgresql://h", "postgresql://h"),
        ("postgresql://u@h:5432/d", "postgresql://u@h:5432/d"),
        ("postgresql://u:p:q?r#s@h", "postgresql://u:********@h"),
        ("postgresql://u:p%40%2f@[::1]:5432,b:1/d?connect_timeout=10", None),
        ("postgresql://%2Fvar%2Frun/d?user=u&password=p", "postgresql://%2Fvar%2Frun/d?user=u&password=********"),
        ("postgresql:///d?p%61ssword=p&sslPassword=q", "postgresql:///d?p%61ssword=********&sslPassword=********"),
    ],
)  # fmt: skip
def test_urls_are_masked_wherever_a_secret_may_be(tmp_path: Path, url: str, shown: str | None) -> None:
    """In the authority and in the settings, also where a name has percent signs, which libpq takes."""
    assert loaded(tmp_path, f'audit: {{index: "{url}"}}\n').audit.index.get_secret_value() == url
    assert masked(url) == (shown or "postgresql://u:********@[::1]:5432,b:1/d?connect_timeout=10")


@pytest.mark.parametrize(
    "url",
    ["sqlite:x", "SQLITE", "postgres://h", "postgresql:h", "postgresql://u:p@q@h", "postgresql://u:a/b@h",
     "postgresql://u:%4@h", "postgresql://h/d/e", "postgresql://h?x", "postgresql://h?a=b=c", "postgresql://h?a=%"],
)  # fmt: skip
def test_urls_in_which_a_secret_might_hide_are_refused(tmp_path: Path, url: str) -> None:
    """What libpq would read otherwise, or not at all, is a fault; were it shown, nothing of it would be."""
    with pytest.raises(ConfigError, match="expected sqlite or postgresql"):
        loaded(tmp_path, f'audit: {{index: "{url}"}}\n')
    assert masked(url) == "********"
