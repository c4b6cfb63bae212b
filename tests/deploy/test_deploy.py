"""What deploy/ holds fits the program: the paths, commands, options, metrics and figures that it names."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gateway.admin import AdminStatus, make_admin
from gateway.cli.app import app
from gateway.config.units import parse_duration
from gateway.core.codes import CODES
from gateway.core.types import Decision, Layer, Outcome, Phase, Violation
from gateway.observe.metrics import Gauges, Metrics
from gateway.wiring import Plan, compile_plan
from tests.support.markdown import ROOT, page
from tests.support.reading import Reading

if TYPE_CHECKING:
    from pathlib import Path

DOCKERFILE = page("deploy/Dockerfile")
UNIT = page("deploy/systemd/message-gateway.service")
UPSTREAM = {"UPSTREAM_URL": "http://127.0.0.1:9000"}


def load(name: str) -> Any:
    return yaml.safe_load(page(name))


def parse_command(words: list[str]) -> None:
    """Parse a ``gateway …`` command as the program would; a wrong verb or option raises."""
    assert words[0].rpartition("/")[2] == "gateway"
    group: Any = typer.main.get_command(app)
    group.commands[words[1]].make_context(words[1], words[2:])


def instructions(name: str) -> list[str]:
    """Give the arguments of every instruction ``name`` of the Dockerfile, continued lines joined."""
    joined = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return [line.removeprefix(name).strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Compile the configuration of the image."""
    return compile_plan(ROOT / "deploy/gateway.yaml", UPSTREAM)


# The image.


def test_the_image_s_configuration_is_good(plan: Plan) -> None:
    """It compiles with nothing but the variable that it asks for, and the listener leaves loopback."""
    assert plan.config.listen.host == "0.0.0.0"
    assert plan.config.admin.host == "127.0.0.1"
    assert len(plan.operations) == 7


def test_the_image_s_configuration_is_good_with_its_token(tmp_path: Path) -> None:
    """What its comments say of scraping from elsewhere is a good configuration, too."""
    token = tmp_path / "token"
    token.write_text("a-token\n", encoding="utf-8")
    text = page("deploy/gateway.yaml").replace("  host: 127.0.0.1\n", "")
    text = re.sub(r"^  # (host|tokens):", r"  \1:", text, flags=re.MULTILINE)
    text = re.sub(r"file: \S+?\}", f"file: {token}}}", text)
    path = tmp_path / "gateway.yaml"
    path.write_text(text, encoding="utf-8")
    admin = compile_plan(path, UPSTREAM).config.admin
    assert admin.host == "0.0.0.0"
    assert [found.name for found in admin.tokens] == ["prometheus"]


def test_the_image_copies_what_is_there_and_not_ignored() -> None:
    """Every source of a COPY exists, and the ignore file lets it through."""
    let_through = [
        line[1:] for line in page("deploy/Dockerfile.dockerignore").splitlines() if line[:1] == "!"
    ]
    copies = [words for words in map(str.split, instructions("COPY")) if not words[0].startswith("--from")]
    assert copies
    for *sources, _ in copies:
        for source in sources:
            assert (ROOT / source).exists(), source
            assert any(source == known or source.startswith(f"{known}/") for known in let_through), source
    assert all((ROOT / known).exists() for known in let_through)


def test_the_image_installs_from_locks_only() -> None:
    """Each package comes with a hash; what has none is the gateway, built offline from its own source."""
    installs = [step for run in instructions("RUN") for step in run.split("&&") if " install " in step]
    assert len(installs) == 3
    for step in installs:
        assert "--require-hashes -r requirements/" in step or "--no-index --no-deps dist/" in step


def test_the_image_runs_the_gateway_as_nobody_special() -> None:
    """Process 1 is the gateway itself, so that it gets the SIGTERM and drains, and is not root."""
    (command,) = instructions("CMD")
    parse_command(json.loads(command))
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    (user,) = instructions("USER")
    assert int(user) > 0


def test_the_image_s_health_check_asks_the_admin_listener(plan: Plan) -> None:
    """The program that it runs compiles, and asks a path that is served, where it is served."""
    (check,) = instructions("HEALTHCHECK")
    program = json.loads(check.partition("CMD ")[2])
    assert program[:2] == ["python", "-c"]
    compile(program[2], "HEALTHCHECK", "exec")
    admin = plan.config.admin
    url = re.search(r"'(http[^']+)'", program[2])
    assert url is not None
    assert url[1] == f"http://{admin.host}:{admin.port}/healthz"
    assert "/healthz" in admin_paths()


def admin_paths() -> set[str]:
    status = AdminStatus("1")
    admin = make_admin(
        host="127.0.0.1", tokens=(), metrics=lambda: b"", status=lambda: status, audit=Reading()
    )
    return {resource.canonical for resource in admin.router.resources()}


def test_the_image_s_ports_and_paths_are_the_configuration_s(plan: Plan) -> None:
    """What it exposes is listened on, and its configuration lies where the variable says."""
    config = plan.config
    assert instructions("EXPOSE") == [f"{config.listen.port} {config.admin.port}"]
    (environment,) = instructions("ENV")
    variables = dict(word.split("=", 1) for word in environment.split())
    assert ["deploy/gateway.yaml", variables["GATEWAY_CONFIG"]] in list(map(str.split, instructions("COPY")))


# Compose.


def test_compose_runs_known_commands_on_known_ports(plan: Plan) -> None:
    """Its services use the image, and what they set is what the program takes."""
    compose = load("deploy/compose.yaml")
    gateway, upstream = compose["services"]["gateway"], compose["services"]["upstream"]
    for service in (gateway, upstream):
        context = (ROOT / "deploy" / service["build"]["context"]).resolve()
        assert context == ROOT
        assert (context / service["build"]["dockerfile"]).is_file()
    parse_command(upstream["command"])
    port = upstream["command"][upstream["command"].index("--port") + 1]
    assert gateway["environment"] == {"UPSTREAM_URL": f"http://upstream:{port}"}
    assert gateway["ports"] == [f"127.0.0.1:8080:{plan.config.listen.port}"]
    assert parse_duration(gateway["stop_grace_period"]) > plan.config.deadlines.drain


# systemd.


def unit_values(key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def test_the_unit_runs_known_commands(plan: Plan) -> None:
    """It starts, checks and reloads as the program expects, and gives it the time to drain."""
    (start,) = unit_values("ExecStart")
    check, hangup = unit_values("ExecReload")
    parse_command(shlex.split(start))
    parse_command(shlex.split(check))
    assert hangup == "kill -HUP $MAINPID"
    assert unit_values("Type") == ["exec"]
    (stop,) = unit_values("TimeoutStopSec")
    assert parse_duration(stop) > plan.config.deadlines.drain
    assert unit_values("RestartPreventExitStatus") == ["2"]
    (environment,) = unit_values("Environment")
    variables = dict(one.split("=", 1) for one in shlex.split(environment))
    assert variables["GATEWAY_CONFIG"] in page("deploy/README.md")
    assert variables["GATEWAY_CACHE"] == f"%C/{unit_values('CacheDirectory')[0]}"


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    """Every line is an assignment; where systemd is at hand, it reads the unit without a complaint."""
    lines = [line for line in UNIT.splitlines() if line and line[0] not in "#["]
    assert all(re.fullmatch(r"[A-Za-z]+=.*", line) for line in lines)
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    unit = tmp_path / "message-gateway.service"
    unit.write_text(re.sub(r"/opt/\S+/gateway\b", sys.executable, UNIT), encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", str(unit)], capture_output=True, check=False, env=dict(os.environ)
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")


# Prometheus.


def test_the_scrape_asks_the_admin_listener(plan: Plan) -> None:
    """Path and port are the admin listener's, and the rule file is beside it."""
    prometheus = load("deploy/prometheus/prometheus.yml")
    (job,) = prometheus["scrape_configs"]
    assert job["metrics_path"] in admin_paths()
    assert job["static_configs"] == [{"targets": [f"127.0.0.1:{plan.config.admin.port}"]}]
    assert all((ROOT / "deploy/prometheus" / name).is_file() for name in prometheus["rule_files"])


def exposed() -> dict[str, set[str]]:
    """Give every sample's name that the gateway exposes, with its labels."""
    metrics = Metrics(Gauges(*[lambda: 0] * 3, lambda: {"written": 0}, *[lambda: 0] * 2))
    metrics.configured("1", operations=["o"], upstreams=["main"])
    fault = Violation("/x", "x", "invalid_value", "Invalid.", "/x", "x", Layer.CONTRACT)
    metrics.settled(
        Outcome(
            "1", 0.0, 1.0, "127.0.0.1", "1", Phase.SCHEMA, Decision.REJECT, 400, "invalid_value",
            operation="o", violations=(fault,), upstream="main", upstream_outcome="complete",
            upstream_ms=1.0, overhead_us=1.0,
        )
    )  # fmt: skip
    samples: dict[str, set[str]] = {"up": {"job"}}
    for family in text_string_to_metric_families(metrics.expose().decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


def test_the_alerts_ask_for_metrics_that_exist() -> None:
    """Every name, label and code in an alert's expression is one that the gateway exposes."""
    samples = exposed()
    rules = [rule for group in load("deploy/prometheus/alerts.yml")["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        expression = rule["expr"]
        names = re.findall(r"\b(?:gateway_\w+|up)\b", expression)
        assert names
        known = {"instance", "job"}.union(*(samples[name] for name in names))
        matchers = re.findall(r'(\w+)(?:=~|!~|!=|=)"([^"]*)"', expression)
        assert {label for label, _ in matchers} <= known, rule
        assert {value for label, value in matchers if label == "code"} <= set(CODES), rule
        for grouping in re.findall(r"by \(([^)]*)\)", expression):
            assert set(grouping.split(", ")) <= known, rule
        assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= known, rule
        assert rule["labels"]["severity"] in {"warning", "critical"}


def test_the_alerts_know_the_outcomes() -> None:
    """The values of outcome that alerts look for are words that the reference lists."""
    words = set(re.findall(r"`(\w+)`", page("docs/reference.md")))
    for value in re.findall(r'outcome!?[=~]+"([^"]*)"', page("deploy/prometheus/alerts.yml")):
        assert set(value.split("|")) <= words, value


# The hooks.


def test_the_hooks_are_local_and_run_what_is_installed() -> None:
    """No hook is fetched, and each runs a tool that the development lock has."""
    lock = page("requirements/dev.txt")
    for repository in load(".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert fnmatch(hook["entry"], ".venv/bin/*")
            tool = hook["entry"].split()[0].rpartition("/")[2]
            assert re.search(rf"^{tool}==", lock, re.MULTILINE), tool
