"""Prometheus metrics that several processes export: their build, requests to the object store."""

import time
from collections.abc import Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY, CollectorRegistry, Histogram
from prometheus_client.core import InfoMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds."""

STARTED = "amigo_started"
"""Name under which botocore's context of a request holds the time of its start."""


class Build(Collector):
    """What runs: the process, its version, and further labels."""

    def __init__(self, process: str, **labels: str) -> None:
        self._labels = {"process": process, "version": version("amigo"), **labels}

    def collect(self) -> Iterator[InfoMetricFamily]:
        """Yield the metric `amigo_build_info`, which is always 1."""
        yield InfoMetricFamily(
            "amigo_build",
            "Always 1; the labels identify the running process and its version.",
            self._labels,
        )


class StorageMetrics:
    """Times every request of an S3 client, its retries included."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._seconds = Histogram(
            "amigo_s3_request_seconds",
            "Requests to the object store by operation and outcome: ok, refused (4xx), or failed "
            "(5xx, or no response).",
            ("operation", "outcome"),
            buckets=BUCKETS,
            registry=registry,
        )

    def watch(self, client: "S3Client") -> None:
        """Observe all requests that a client sends from now on."""
        events = client.meta.events
        events.register("before-call.s3", self._start)
        events.register("after-call.s3", self._end)
        events.register("after-call-error.s3", self._fail)

    def _start(self, context: dict[str, Any], **_: Any) -> None:
        context[STARTED] = time.perf_counter()

    def _end(self, http_response: Any, event_name: str, context: dict[str, Any], **_: Any) -> None:
        status = http_response.status_code
        outcome = "ok" if status < 400 else "refused" if status < 500 else "failed"
        self._observe(event_name, outcome, context)

    def _fail(self, event_name: str, context: dict[str, Any], **_: Any) -> None:
        self._observe(event_name, "failed", context)

    def _observe(self, event_name: str, outcome: str, context: dict[str, Any]) -> None:
        operation = event_name.rpartition(".")[2]  # of after-call.s3.PutObject, for example
        seconds = time.perf_counter() - context[STARTED]
        self._seconds.labels(operation, outcome).observe(seconds)
