"""The Celery tasks of a worker."""

from celery import shared_task

from jobs.queue import SYNTHESIZE
from workers.synthesis.app import job_runner
from workers.synthesis.metrics import Outcome


@shared_task(name=SYNTHESIZE)  # type: ignore[untyped-decorator]
def synthesize(job_id: str) -> None:
    """Turn a queued job into a video; after an unexpected error, a new child replaces this one.

    A GPU error can make every later call of its process fail, and with it every waiting job.
    """
    if job_runner().run(job_id) is Outcome.FAULTED:
        raise SystemExit(1)
