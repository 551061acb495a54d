"""Prometheus metrics of the reconciler: its rounds and its repairs."""

from dataclasses import asdict
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

from jobs.metrics import Build, StorageMetrics
from workers.reconciler.tally import Tally

Round = Literal["done", "cut_short"]


class ReconcilerMetrics:
    """The metrics of one reconciler process; a process that is not leading counts no actions."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._rounds = Counter(
            "amigo_reconciler_rounds",
            "Rounds by outcome; a round is interrupted if a component is unavailable.",
            ("end",),
            registry=self.registry,
        )
        self._repairs = Counter(
            "amigo_reconciler_repairs",
            "Repaired jobs and deleted leftovers, by kind of repair.",
            ("repair",),
            registry=self.registry,
        )
        self._undeleted = Gauge(
            "amigo_reconciler_undeleted_jobs",
            "Ended and deleted jobs whose files the object store did not delete in the last round.",
            registry=self.registry,
        )
        self._pass_seconds = Gauge(
            "amigo_reconciler_pass_seconds",
            "Duration of the pass over the bucket that is under way, or of the last one.",
            registry=self.registry,
        )
        self.storage = StorageMetrics(self.registry)
        self.registry.register(Build("reconciler"))
        for end in ("done", "cut_short"):
            self._rounds.labels(end)
        self.add(Tally())

    def end_round(self, end: Round) -> None:
        """Count a round."""
        self._rounds.labels(end).inc()

    def add(self, tally: Tally) -> None:
        """Count the actions of a round."""
        for repair, count in asdict(tally).items():
            self._repairs.labels(repair).inc(count)

    def set_undeleted(self, jobs: int) -> None:
        """Set the number of jobs whose files could not be deleted."""
        self._undeleted.set(jobs)

    def set_pass(self, seconds: float) -> None:
        """Set how long the pass over the bucket takes or took."""
        self._pass_seconds.set(seconds)

    def serve(self, host: str, port: int) -> None:
        """Serve /metrics from a thread."""
        start_http_server(port, host, self.registry)
