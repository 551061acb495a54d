"""The panels of Grafana's dashboards over a run under load, from a real Prometheus.

Grafana's own drawing is not needed to see what its panels show: each runs the same query, at the
same steps.
"""

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml
from matplotlib.figure import Figure

from amigo.cli.top import metrics_urls
from benchmarks.load.arrivals import Arrivals
from benchmarks.load.system import System, patient_client, submit, system
from deploy.grafana.dashboards import DASHBOARDS, Chart
from deploy.standalone.processes import LOOPBACK, free_port

RULES = Path(__file__).parents[2] / "deploy/prometheus/rules.yml"
RATE_INTERVAL = "30s"
UNITS = {
    "bytes": "MB",
    "percentunit": "share",
    "reqps": "per second",
    "s": "seconds",
    "short": "number or rate",
}
"""What the charts' units mean."""
MEGABYTE = 1e6
STEP = 2
"""Seconds between two points of a curve."""


async def record(arrivals: Arrivals, job_seconds: float, workers: int, folder: Path) -> None:
    """Let jobs arrive, and write a picture of each dashboard into a folder."""
    with system(job_seconds, workers) as target, prometheus(target) as source:
        began = time.time()
        async with patient_client() as client:

            async def send(at: float) -> None:
                await asyncio.sleep(at)
                await submit(client, target.url)

            await asyncio.gather(*(send(at) for at in arrivals.times(seed=1)))
        while target.open_jobs():
            await asyncio.sleep(STEP)
        await asyncio.sleep(arrivals.seconds / 6)  # until the curves have come down
        folder.mkdir(parents=True, exist_ok=True)
        for name, charts in DASHBOARDS.items():
            draw(source, charts, began, folder / f"dashboard-{name}.png")


@contextmanager
def prometheus(target: System) -> Iterator[httpx.Client]:
    """Run Prometheus with our rules; it asks all processes of a system every other second."""
    ports = json.loads((target.directory / "standalone.json").read_text())["ports"]
    reconciler = f"http://{LOOPBACK}:{ports['reconciler_metrics']}/metrics"
    urls = [*metrics_urls(target.url, (), target.directory), reconciler]
    addresses = [urlsplit(url).netloc for url in urls]
    config = {
        "global": {"scrape_interval": f"{STEP}s", "evaluation_interval": f"{STEP}s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "amigo", "static_configs": [{"targets": addresses}]}],
    }
    file = target.directory / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    address = f"{LOOPBACK}:{free_port()}"
    program = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={file}",
            f"--storage.tsdb.path={target.directory / 'prometheus'}",
            f"--web.listen-address={address}",
        ],
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://{address}", timeout=30) as client:
            yield client
    finally:
        program.terminate()
        program.wait()


def draw(source: httpx.Client, charts: Sequence[Chart], began: float, path: Path) -> None:
    """Draw the charts that have data, two in a row, as their dashboard does."""
    found = [(chart, list(curves(source, chart, began))) for chart in charts]
    found = [(chart, drawn) for chart, drawn in found if drawn]
    rows = (len(found) + 1) // 2
    figure = Figure(figsize=(11, 1.9 * rows), layout="constrained")
    grid = figure.subplots(rows, 2, sharex=True, squeeze=False)
    for axes, (chart, drawn) in zip(grid.flat, found, strict=False):
        axes.set_title(f"{chart.title} ({UNITS[chart.unit]})", fontsize=9, loc="left")
        scale = MEGABYTE if chart.unit == "bytes" else 1
        for curve in drawn:
            heights = [value / scale for value in curve.values]
            axes.plot(curve.at, heights, label=curve.name, lw=1.2)
        axes.legend(fontsize=6, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
        axes.spines[["top", "right"]].set_visible(False)
        axes.set(xlim=0, ylim=0)
        axes.tick_params(labelsize=7)
    for axes in grid.flat[len(found) :]:
        axes.remove()
    for axes in grid[-1]:
        axes.set_xlabel("seconds", fontsize=7)
    figure.savefig(path, dpi=90)


@dataclass(frozen=True)
class Curve:
    """One series of a chart: seconds from the start, and the value at each."""

    name: str
    at: list[float]
    values: list[float]


def curves(source: httpx.Client, chart: Chart, began: float) -> Iterator[Curve]:
    """Yield the series of a chart from the start of the run until now."""
    for query in chart.queries:
        window = {"start": began, "end": time.time(), "step": STEP}
        expression = query.expression.replace("$__rate_interval", RATE_INTERVAL)
        response = source.get("/api/v1/query_range", params={"query": expression, **window})
        for series in response.raise_for_status().json()["data"]["result"]:
            points = [(float(at) - began, float(value)) for at, value in series["values"]]
            at, values = map(list, zip(*points, strict=True))
            yield Curve(_name(query.legend, series["metric"]), at, values)


def _name(legend: str, labels: Mapping[str, str]) -> str:
    """Return a legend with its `{{label}}`s replaced, as Grafana does."""
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), legend)
