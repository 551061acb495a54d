"""Prometheus metrics of the service: requests by route, jobs by status, the queues."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from jobs.errors import StoreUnavailable
from jobs.metrics import Build, StorageMetrics
from jobs.valkey.job_store import JobStore
from service.reading.watching import JobWatcher

_LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class ServiceMetrics:
    """The metrics of one app. No label ever contains a job's id."""

    def __init__(self, store: JobStore, watcher: JobWatcher) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "amigo_http_requests_total",
            "HTTP requests served.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._latency = Histogram(
            "amigo_http_request_duration_seconds",
            "Time from the first byte of a request to the last byte of its response.",
            ("method", "route"),
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.in_progress = Gauge(
            "amigo_http_requests_in_progress",
            "HTTP requests in progress, including this scrape.",
            registry=self.registry,
        )
        followers = Gauge(
            "amigo_followers", "Callers waiting for a job to change.", registry=self.registry
        )
        followers.set_function(lambda: watcher.num_followers)
        self.registry.register(_Jobs(store))
        self.storage = StorageMetrics(self.registry)
        self.registry.register(Build("service"))
        ProcessCollector(registry=self.registry)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count and time a request; `route` is a template, never a path."""
        self._requests.labels(method, route, str(status)).inc()
        self._latency.labels(method, route).observe(seconds)


class _Jobs(Collector):
    """Queries the store at each scrape, so that every process reports the same."""

    def __init__(self, store: JobStore) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Yield the jobs and the queues, or only that the store is unavailable."""
        store_up = GaugeMetricFamily(
            "amigo_store_up", "1 if the job store responded to the scrape, else 0."
        )
        jobs = GaugeMetricFamily(
            "amigo_jobs",
            "Jobs by status. Scale workers on queued plus processing.",
            labels=("status",),
        )
        oldest = GaugeMetricFamily(
            "amigo_queue_oldest_seconds",
            "How long the oldest queued job of a priority has waited; 0 if none is queued.",
            labels=("priority",),
        )
        try:
            counts, waits = self._store.counts(), self._store.longest_waits()
        except StoreUnavailable:
            store_up.add_metric((), 0)
        else:
            store_up.add_metric((), 1)
            for status, count in counts.items():
                jobs.add_metric((status.value,), count)
            for priority, wait in waits.items():
                oldest.add_metric((priority.value,), wait.total_seconds())
        yield from (store_up, jobs, oldest)
