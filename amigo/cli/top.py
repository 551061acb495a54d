"""`amigo top`: live figures of a running system, from the metrics of its processes."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.table import Table

TIMEOUT = 2.0
"""Seconds for the response of one process."""


@dataclass(frozen=True)
class Sample:
    """One number of one process: a metric, its labels and its value."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Scrape:
    """The metrics of all processes at one time, in seconds on the monotonic clock.

    Attributes:
        unreachable: the URLs that did not respond.
    """

    at: float
    samples: tuple[Sample, ...]
    unreachable: tuple[str, ...] = ()

    @classmethod
    def of(cls, urls: Sequence[str]) -> Self:
        """Ask each process once."""
        samples: list[Sample] = []
        unreachable = []
        for url in urls:
            try:
                samples += parsed(httpx.get(url, timeout=TIMEOUT).raise_for_status().text)
            except httpx.HTTPError:
                unreachable.append(url)
        return cls(time.monotonic(), tuple(samples), tuple(unreachable))

    def values(self, name: str, **labels: str) -> list[float]:
        """Return the values of a metric whose labels contain the given ones."""
        return [
            sample.value
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum over all processes: of what each counts for itself."""
        return sum(self.values(name, **labels))

    def shared(self, name: str, **labels: str) -> float:
        """Return the largest value: of what every process reports alike."""
        return max(self.values(name, **labels), default=0.0)

    def by(self, name: str, label: str) -> dict[str, float]:
        """Return the sums by a label, without those that are zero."""
        names = {sample.labels[label] for sample in self.samples if sample.name == name}
        sums = {value: self.total(name, **{label: value}) for value in sorted(names)}
        return {value: found for value, found in sums.items() if found}


def parsed(text: str) -> Iterator[Sample]:
    """Yield the samples in a response of /metrics."""
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield Sample(sample.name, sample.labels, sample.value)


@dataclass(frozen=True)
class Change:
    """What happened between two scrapes."""

    before: Scrape
    after: Scrape

    def rate(self, name: str, **labels: str) -> float:
        """Return a counter's increase per second; 0 if its process was restarted."""
        grown = self.after.total(name, **labels) - self.before.total(name, **labels)
        return max(0.0, grown) / max(self.after.at - self.before.at, 1e-3)

    def mean(self, histogram: str) -> float | None:
        """Return the mean of a histogram's new values; None if there are none."""
        count = self.rate(f"{histogram}_count")
        return self.rate(f"{histogram}_sum") / count if count else None


def screen(change: Change) -> Table:
    """Return what `amigo top` shows."""
    now = change.after
    table = Table(show_header=False, box=None)
    for name, text in (
        ("jobs", _jobs(now)),
        ("oldest queued", _waits(now)),
        ("workers", _workers(now)),
        ("attempts a minute", f"{60 * change.rate('amigo_worker_job_seconds_count'):.1f}"),
        ("frames a second", f"{change.rate('amigo_worker_frames_rendered_total'):.1f}"),
        ("real-time factor", _ratio(change.mean("amigo_worker_real_time_factor"))),
        ("requests a second", f"{change.rate('amigo_http_requests_total'):.1f}"),
        ("failed jobs", _listed(now.by("amigo_worker_job_failures_total", "code"))),
        ("webhooks pending", f"{now.shared('amigo_webhooks_pending'):.0f}"),
        ("store", "responds" if now.shared("amigo_store_up") else "does not respond"),
        *(("no response", url) for url in now.unreachable),
    ):
        table.add_row(name, text)
    return table


def _jobs(now: Scrape) -> str:
    names = ("queued", "processing", "succeeded", "failed", "canceled")
    return ", ".join(f"{now.shared('amigo_jobs', status=name):.0f} {name}" for name in names)


def _workers(now: Scrape) -> str:
    count = len(now.values("amigo_build_info", process="synthesis"))
    return str(count) if count else "none found; --metrics takes the URLs of their metrics"


def _waits(now: Scrape) -> str:
    names = ("high", "normal", "low")
    waits = {name: now.shared("amigo_queue_oldest_seconds", priority=name) for name in names}
    return _listed({name: wait for name, wait in waits.items() if wait}, " s")


def _listed(values: dict[str, float], unit: str = "") -> str:
    return ", ".join(f"{name} {value:.0f}{unit}" for name, value in values.items()) or "none"


def _ratio(mean: float | None) -> str:
    return "no job in this interval" if mean is None else f"{mean:.2f}x"


def metrics_urls(service: str, others: Sequence[str], directory: Path) -> list[str]:
    """Return the URLs to ask: those given, else those of the system running in a directory."""
    if others:
        return [f"{service}/metrics", *others]
    try:
        status = json.loads((directory / "standalone.json").read_text())
    except FileNotFoundError:
        return [f"{service}/metrics"]
    ports = [*status["worker_metrics"], status["ports"]["webhook_metrics"]]
    return [f"{service}/metrics", *(f"http://127.0.0.1:{port}/metrics" for port in ports)]


def watch(urls: Sequence[str], interval: float) -> Iterator[Change]:
    """Yield the changes in each interval (seconds), forever."""
    before = Scrape.of(urls)
    while True:
        time.sleep(interval)
        after = Scrape.of(urls)
        yield Change(before, after)
        before = after
