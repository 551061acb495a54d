"""What both processes of a worker register with Celery: the task, and what happens around it."""

import logging
import os
import signal
import sys

from celery import shared_task
from celery.signals import setup_logging, worker_process_init, worker_process_shutdown

from jobs.queue import SYNTHESIZE
from jobs.tracing import stop_tracing
from media.logging import configure_logging
from workers.synthesis.metrics import Outcome
from workers.synthesis.run_directory import RunDirectory
from workers.synthesis.settings import WorkerSettings

logger = logging.getLogger(__name__)


@setup_logging.connect  # type: ignore[untyped-decorator]
def replace_celery_logging(**_: object) -> None:
    """Log like every other process, instead of using Celery's logging."""
    configure_logging()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def open_child(**_: object) -> None:
    """Load the pipeline once per child; the worker exits if that fails."""
    try:
        from workers.synthesis import child  # not above, as the parent does not need it

        child.start()
    except Exception:
        # Celery would log the error and keep sending jobs to a child that cannot process any.
        logger.exception("The pipeline could not be loaded; exiting.")
        RunDirectory(WorkerSettings().run_directory).report_broken()
        os.kill(os.getppid(), signal.SIGTERM)
        sys.exit(1)


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def close_child(**_: object) -> None:
    """Send the spans that are left: the child ends without Python's exit handlers."""
    stop_tracing()


@shared_task(name=SYNTHESIZE)  # type: ignore[untyped-decorator]
def synthesize(job_id: str) -> None:
    """Turn a queued job into a video; after an unexpected error, a new child replaces this one.

    A GPU error can make every later call of its process fail, and with it every waiting job.
    """
    from workers.synthesis.child import job_runner

    if job_runner().run(job_id) is Outcome.FAULTED:
        raise SystemExit(1)
