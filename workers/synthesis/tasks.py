"""What a worker can be asked to do."""

from celery import shared_task

from jobs.queue import SYNTHESIZE
from workers.synthesis.app import synthesizer
from workers.synthesis.metrics import Outcome


@shared_task(name=SYNTHESIZE)  # type: ignore[untyped-decorator]
def synthesize(job_id: str) -> None:
    """Turn a queued job into a video; after a fault, a new child takes the place of this one.

    An error on a GPU may fail every later call of its process, and so every waiting job.
    """
    if synthesizer().run(job_id) is Outcome.FAULTED:
        raise SystemExit(1)
