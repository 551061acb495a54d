"""The alert rules only use metrics that our processes export."""

import re
from datetime import timedelta
from pathlib import Path

from prometheus_client import REGISTRY, generate_latest

import workers.synthesis.metrics  # noqa: F401 - registers what a worker tells
from jobs.valkey.webhook_outbox import WebhookOutbox
from service.metrics import ServiceMetrics
from service.reading.watching import JobWatcher
from tests.unit.service.fakes import FakeStore
from workers.reconciler.metrics import ReconcilerMetrics
from workers.webhooks.metrics import DeliveryMetrics

RULES = Path(__file__).parents[3] / "deploy" / "prometheus" / "rules.yml"


class EmptyOutbox(WebhookOutbox):
    def __init__(self) -> None: ...

    def backlog(self) -> tuple[int, timedelta]:
        return 0, timedelta()


def told() -> list[str]:
    """Return all metrics lines that any of our processes exports initially."""
    registries = (
        REGISTRY,
        ReconcilerMetrics().registry,
        DeliveryMetrics(EmptyOutbox()).registry,
        ServiceMetrics(FakeStore(), JobWatcher("unix:///nowhere")).registry,
    )
    return "".join(generate_latest(registry).decode() for registry in registries).splitlines()


def test_every_alert_asks_for_what_is_told() -> None:
    expressions = re.findall(r"^ +expr: (.+)$", RULES.read_text(), re.MULTILINE)
    selectors = {
        found for text in expressions for found in re.findall(r"amigo_\w+(?:{.+?})?", text)
    }
    assert len(expressions) >= 10
    lines = told()
    for selector in selectors:
        assert any(line.startswith((f"{selector} ", f"{selector}{{")) for line in lines), selector
