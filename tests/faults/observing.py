"""What can be observed of a system's workers from outside: logs, metrics, records."""

import re
from contextlib import suppress

from deploy.standalone.processes import LOOPBACK
from jobs.errors import JobNotFound
from jobs.job import Job, JobStatus
from tests.faults.callers import Post
from tests.faults.system import FaultySystem
from tests.loopback import loopback
from tests.waiting import PATIENCE, wait_for

DROPPED = 'amigo_worker_jobs_total{outcome="dropped"}'
NOT_TAKEN = 'amigo_worker_jobs_total{outcome="not_taken"}'


def accepted(*posts: Post) -> tuple[str, ...]:
    """Return the jobs' ids once all are accepted."""
    return tuple(post.accepted.result(PATIENCE) for post in posts)


def await_job(
    system: FaultySystem,
    job_id: str,
    *,
    status: JobStatus = JobStatus.PROCESSING,
    attempt: int = 0,
    progress: float = 0.0,
) -> Job:
    """Return a job once it has a status, in this attempt or a later one, with at least this
    progress.
    """

    def look() -> Job | None:
        with suppress(JobNotFound):
            job = system.store.get(job_id)
            is_there = job.attempt >= attempt and job.progress >= progress
            return job if job.status is status and is_there else None
        return None

    return wait_for(look) or system.store.get(job_id)


def holder(system: FaultySystem, job_id: str, attempt: int = 1) -> str:
    """Return the worker that started an attempt, according to its log."""

    def look() -> str | None:
        words = f"job={job_id} attempt={attempt} stage=fetching"
        logs = (system.folder / "logs").glob("worker-*.log")
        return next((log.stem for log in logs if words in log.read_text()), None)

    name = wait_for(look)
    assert name is not None
    return name


def metric(system: FaultySystem, worker: str, line: str) -> float:
    """Return the value of a worker's metric; 0 before it is reported."""
    port = system.program(worker).env["AMIGO_METRICS_PORT"]
    text = loopback.get(f"http://{LOOPBACK}:{port}/metrics").text
    found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def objects(system: FaultySystem, job_id: str) -> set[str]:
    """Return the keys of a job's objects, without their common prefix."""
    prefix = f"jobs/{job_id}/"
    return {item.key.removeprefix(prefix) for item in system.storage.objects(prefix)}
