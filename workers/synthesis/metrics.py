"""Metrics of a worker, and the endpoint that serves them.

The pool's child counts and the parent serves the metrics, so prometheus_client runs in its
multiprocess mode: set `PROMETHEUS_MULTIPROC_DIR` before importing this module.
"""

from enum import StrEnum
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from jobs.job import Stage

BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""Seconds."""


class Outcome(StrEnum):
    """Outcome of processing a message."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    HANDED_BACK = "handed_back"
    FAULTED = "faulted"
    """An unexpected error; the job was requeued, or failed after its last attempt."""
    DROPPED = "dropped"
    """The job was canceled or went to another attempt, so the result was dropped."""
    ABANDONED = "abandoned"
    """The end could not be recorded in the store; the lease expires."""
    NOT_TAKEN = "not_taken"
    """The job could not be claimed: a duplicate message, or a canceled job."""


JOBS = Counter("amigo_worker_jobs", "Jobs by outcome of the attempt.", ["outcome"])
FAILURES = Counter("amigo_worker_job_failures", "Failed jobs by failure code.", ["code"])
JOB_SECONDS = Histogram(
    "amigo_worker_job_seconds", "Seconds from claim to end.", ["outcome"], buckets=BUCKETS
)
STAGE_SECONDS = Histogram(
    "amigo_worker_stage_seconds", "Seconds in each stage.", ["stage"], buckets=BUCKETS
)
STAGE_TIMEOUTS = Counter(
    "amigo_worker_stage_timeouts",
    "Attempts that ended because a stage exceeded its time limit.",
    ["stage"],
)
UNREADABLE_MESSAGES = Counter(
    "amigo_worker_unreadable_messages", "Messages that were set aside because they cannot be read."
)
FRAMES_RENDERED = Counter("amigo_worker_frames_rendered", "Video frames rendered.")

for outcome in Outcome:
    JOBS.labels(outcome)
for stage in Stage:
    STAGE_SECONDS.labels(stage)
    STAGE_TIMEOUTS.labels(stage)


def serve_metrics(host: str, port: int, directory: Path) -> None:
    """Serve /metrics from a thread, summed over all processes that write to `directory`."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))
    start_http_server(port, host, registry)
