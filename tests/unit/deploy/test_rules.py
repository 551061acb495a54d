"""The rules use metrics that are exported, fire on their causes, and have a runbook entry."""

import re
import shutil
import subprocess
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

import workers.synthesis.metrics  # noqa: F401 - registers the metrics of a worker
from jobs.metrics import Build
from jobs.valkey.webhook_outbox import WebhookOutbox
from service.metrics import ServiceMetrics
from service.reading.watching import JobWatcher
from tests.fakes.nvml import FakeNvml
from tests.fakes.stores import FakeStore
from workers.reconciler.metrics import ReconcilerMetrics
from workers.synthesis.gpu import Gpus
from workers.webhooks.metrics import DeliveryMetrics

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "rules.yml"
RULES_TEST, HOURS_TEST = (
    Path(__file__).with_name(f"rules_{name}.yml") for name in ("test", "over_hours_test")
)

FROM_PROMETHEUS = {"up"}
"""Metrics that Prometheus itself adds."""


class EmptyOutbox(WebhookOutbox):
    def __init__(self) -> None: ...

    def backlog(self) -> tuple[int, timedelta]:
        return 0, timedelta()


@cache
def exported() -> tuple[str, ...]:
    """Return all lines that any of our processes exports before its first job."""
    extra = CollectorRegistry()
    extra.register(Build("synthesis"))
    extra.register(Gpus(FakeNvml()))
    registries = (
        REGISTRY,
        extra,
        ReconcilerMetrics().registry,
        DeliveryMetrics(EmptyOutbox()).registry,
        ServiceMetrics(FakeStore(), JobWatcher("unix:///nowhere")).registry,
    )
    return tuple("".join(generate_latest(each).decode() for each in registries).splitlines())


@cache
def exported_names() -> frozenset[str]:
    """Return the names of all metrics, as their TYPE lines give them, and their series."""
    names = set(FROM_PROMETHEUS)
    for line in exported():
        if declared := re.match(r"# TYPE (\w+) (\w+)", line):
            name, kind = declared.groups()
            endings = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
            names |= {name + ending for ending in endings}
    return frozenset(names)


def metric_names(expression: str) -> set[str]:
    """Return the names of the exported metrics in a PromQL expression."""
    return set(re.findall(r"\b(?:amigo_|process_)\w+|\bup\b(?={)", expression))


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[str]:
    return [rule["alert"] for rule in rules() if "alert" in rule]


def test_every_expression_uses_metrics_that_are_exported() -> None:
    assert len(alerts()) >= 18
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        assert metric_names(rule["expr"]) <= exported_names(), rule
        assert set(re.findall(r"amigo:\w+(?::\w+)?", rule["expr"])) <= recorded, rule


def test_every_label_of_an_alert_is_exported() -> None:
    selectors = {
        found for rule in rules() for found in re.findall(r'amigo_\w+{\w+="\w+"}', rule["expr"])
    }
    dynamic = {'amigo_s3_request_seconds_count{outcome="failed"}'}  # exported by the first failure
    assert len(selectors) > 5
    for selector in selectors - dynamic:
        assert any(line.startswith(f"{selector} ") for line in exported()), selector


def test_every_alert_has_a_test_and_a_runbook_entry() -> None:
    tested = re.findall(r"alertname: (\w+)", RULES_TEST.read_text() + HOURS_TEST.read_text())
    runbook = (ROOT / "docs" / "operations.md").read_text()
    for alert in alerts():
        assert alert in tested
        assert re.search(rf"^#+ {alert}$", runbook, re.MULTILINE), alert


@pytest.mark.parametrize(
    "command",
    [
        ("promtool", "check", "rules", RULES),
        ("promtool", "test", "rules", RULES_TEST),
        ("promtool", "test", "rules", HOURS_TEST),
        ("promtool", "check", "config", "--syntax-only", PROMETHEUS / "prometheus.yml"),
        ("amtool", "check-config", PROMETHEUS / "alertmanager.yml"),
    ],
    ids=lambda command: command[0],
)
def test_prometheus_and_alertmanager_accept_the_files(command: tuple[str, ...]) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"needs {command[0]}")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(("severity", "receiver"), [("page", "pages"), ("ticket", "tickets")])
def test_alerts_reach_their_receiver(severity: str, receiver: str) -> None:
    if not shutil.which("amtool"):
        pytest.skip("needs amtool")
    config = f"--config.file={PROMETHEUS / 'alertmanager.yml'}"
    command = ["amtool", "config", "routes", "test", config, f"severity={severity}"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == receiver


def test_every_severity_is_routed() -> None:
    assert {rule["labels"]["severity"] for rule in rules() if "alert" in rule} == {"page", "ticket"}
