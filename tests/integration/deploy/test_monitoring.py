"""A real Prometheus scrapes the whole system: every panel and every rule returns a result."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from amigo import Client
from deploy.grafana.__main__ import FOLDER, encoded
from deploy.grafana.dashboards import DASHBOARDS
from deploy.standalone.processes import LOOPBACK, free_port
from deploy.standalone.system import Standalone
from tests.media import babble, recording
from tests.processes import child_process
from tests.service_examples import portrait
from tests.unit.deploy.test_rules import PROMETHEUS, exported_names, metric_names, rules
from tests.waiting import wait_for

GPU = "amigo_gpu_"
"""Without NVIDIA's driver, no process exports these."""

EXPRESSIONS = sorted(
    {
        query.expression
        for charts in DASHBOARDS.values()
        for chart in charts
        for query in chart.queries
    }
    | {rule["expr"] for rule in rules() if "record" in rule}
)
needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="needs prometheus")


@pytest.fixture(scope="module")
def prometheus(
    system: Standalone, directory: Path, api_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """Prometheus with our rules, which scrapes a system that has made a video and failed a job."""
    folder = tmp_path_factory.mktemp("monitoring")
    with monitored(directory, folder) as client:
        work(system.url, api_key, folder)
        yield client


@contextmanager
def monitored(directory: Path, folder: Path) -> Iterator[httpx.Client]:
    """Run Prometheus on a free port for the system in `directory`; its files lie in `folder`."""
    ports = json.loads((directory / "standalone.json").read_text())["ports"]
    scraped = {
        "service": ports["service"],
        "worker": ports["worker_metrics"],
        "webhooks": ports["webhook_metrics"],
        "reconciler": ports["reconciler_metrics"],
    }
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(PROMETHEUS / "rules.yml")],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"]}]}
            for name, port in scraped.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"{LOOPBACK}:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    with (
        (folder / "prometheus.log").open("wb") as log,
        child_process(command, stdout=log, stderr=subprocess.STDOUT),
        httpx.Client(base_url=f"http://{address}") as client,
    ):
        yield client


def work(url: str, api_key: str, folder: Path) -> None:
    """Make a video, and let a job fail."""
    (folder / "portrait.jpg").write_bytes(portrait())
    (folder / "speech.wav").write_bytes(recording(babble(1.0), "wav", "pcm_s16le"))
    with Client(url, api_key=api_key) as client:
        for seed in (0, 2):  # 2: no face
            job = client.submit(
                folder / "portrait.jpg", folder / "speech.wav", consent=True, seed=seed
            )
            client.wait(job.id)


def results(client: httpx.Client, expression: str) -> list[object]:
    """Return the series of an expression, as Grafana asks for them."""
    query = expression.replace("$__rate_interval", "1m")
    try:
        response = client.get("/api/v1/query", params={"query": query}).json()
    except httpx.TransportError:
        return []  # it is starting
    assert response["status"] == "success", response
    found: list[object] = response["data"]["result"]
    return found


@needs_prometheus
@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_has_a_result(prometheus: httpx.Client, expression: str) -> None:
    if GPU in expression:
        assert results(prometheus, expression) == []
    else:
        assert wait_for(lambda: results(prometheus, expression))


@needs_prometheus
def test_no_rule_fails_and_no_alert_fires_on_a_healthy_system(prometheus: httpx.Client) -> None:
    def groups() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = prometheus.get("/api/v1/rules").json()["data"]["groups"]
        return found

    wait_for(
        lambda: all(rule["health"] != "unknown" for each in groups() for rule in each["rules"])
    )
    for group in groups():
        for rule in group["rules"]:
            assert rule["health"] == "ok", rule
            assert rule.get("state") != "firing", rule


def test_panels_use_metrics_that_are_exported() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    for expression in EXPRESSIONS:
        assert metric_names(expression) <= exported_names()
        assert "amigo:" not in expression or any(name in expression for name in recorded)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_written_dashboards_are_up_to_date(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == encoded(name)
