"""Metrics of a worker, and the endpoint that serves them.

The pool's child counts and the parent serves the metrics, so prometheus_client runs in its
multiprocess mode: set `PROMETHEUS_MULTIPROC_DIR` before importing this module.
"""

from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

from jobs.job import Job, Priority, Stage
from jobs.metrics import Build, StorageMetrics
from jobs.values import Result
from models.manifest import weights_digest
from workers.synthesis.gpu import Gpus
from workers.synthesis.process_metrics import ProcessMetrics

BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
"""Seconds."""

RATIOS = (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100)
"""Seconds per second of speech."""


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


JOBS = Counter("amigo_worker_jobs", "Attempts by outcome.", ["outcome"])
FAILURES = Counter("amigo_worker_job_failures", "Failed jobs by failure code.", ["code"])
JOB_SECONDS = Histogram(
    "amigo_worker_job_seconds",
    "Seconds from the claim to the end of an attempt.",
    ["outcome"],
    buckets=BUCKETS,
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
SPEECH_SECONDS = Counter("amigo_worker_speech_seconds", "Seconds of speech in succeeded jobs.")
JOB_WAIT = Histogram(
    "amigo_worker_job_wait_seconds",
    "Seconds from a job's creation to the start of its first attempt.",
    ["priority"],
    buckets=BUCKETS,
)
REAL_TIME_FACTOR = Histogram(
    "amigo_worker_real_time_factor",
    "Seconds of a successful attempt per second of speech.",
    buckets=RATIOS,
)
TURNAROUND = Histogram(
    "amigo_worker_turnaround_ratio",
    "Seconds from a job's creation to its video per second of speech.",
    buckets=RATIOS,
)
ATTEMPTS = Histogram(
    "amigo_worker_job_attempts", "Counted attempts of each succeeded job.", buckets=(1, 2, 3)
)
STORAGE = StorageMetrics()

for outcome in Outcome:
    JOBS.labels(outcome)
for stage in Stage:
    STAGE_SECONDS.labels(stage)
    STAGE_TIMEOUTS.labels(stage)
for priority in Priority:
    JOB_WAIT.labels(priority)


def count_claim(job: Job) -> None:
    """Count how long a job waited, at the start of its first attempt."""
    if job.attempt == 1:
        JOB_WAIT.labels(job.priority).observe((job.updated_at - job.created_at).total_seconds())


def count_success(job: Job, result: Result) -> None:
    """Count a job that has its video, on the store's clock."""
    SPEECH_SECONDS.inc(result.duration)
    ATTEMPTS.observe(job.attempts_counted)
    TURNAROUND.observe((job.updated_at - job.created_at).total_seconds() / result.duration)
    if job.claimed_at is not None:
        seconds = (job.updated_at - job.claimed_at).total_seconds()
        REAL_TIME_FACTOR.observe(seconds / result.duration)


def serve_metrics(host: str, port: int, processes: ProcessMetrics) -> None:
    """Serve /metrics from a thread, summed over the worker's processes."""
    registry = CollectorRegistry()
    registry.register(processes)
    registry.register(Build("synthesis", weights=weights_digest()[:12]))
    registry.register(Gpus())
    start_http_server(port, host, registry)
