"""A worker's child, which loads the pipeline before it takes its first message and runs the jobs.

The child is a new interpreter that reads the same environment as its parent. The parent does not
import this module: decoders and encoders would take time at every start, and memory for nothing.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread

from celery import Celery, current_app

from jobs.queue import JobQueue
from jobs.s3.object_store import ObjectStorage
from jobs.tracing import start_tracing
from jobs.valkey.job_store import JobStore
from media.sandbox.decoder import Decoder
from workers.safe_http import Outbound
from workers.synthesis.health import start_pulse
from workers.synthesis.inputs import Inputs
from workers.synthesis.job_runner import JobRunner
from workers.synthesis.metrics import STORAGE
from workers.synthesis.pipeline import load_pipeline
from workers.synthesis.retry_policy import RetryPolicy
from workers.synthesis.run_directory import RunDirectory
from workers.synthesis.settings import WorkerSettings
from workers.synthesis.signing import ManifestSigner

logger = logging.getLogger(__name__)

_job_runner: JobRunner | None = None


def create_job_runner(settings: WorkerSettings, celery: Celery) -> JobRunner:
    """Return the job runner with its pipeline loaded and warmed up."""
    storage, retries = ObjectStorage.connect(settings), RetryPolicy(settings.retry_max_seconds)
    storage.measure(STORAGE)
    return JobRunner(
        store=JobStore.connect(settings),
        storage=storage,
        inputs=Inputs(storage, Outbound(settings.url_rules), retries, settings),
        queue=JobQueue(celery),
        decoder=Decoder(),
        pipeline=load_pipeline(settings),
        retries=retries,
        directory=RunDirectory(settings.run_directory),
        settings=settings,
        signer=ManifestSigner.open(settings),
    )


def job_runner() -> JobRunner:
    """Return the child's job runner."""
    if _job_runner is None:
        raise RuntimeError("The pool child loads the pipeline when it starts.")
    return _job_runner


@contextmanager
def ended_if(must_stop: Callable[[], bool]) -> Iterator[None]:
    """Within the context, end this process within a second of its deadline for stopping."""
    is_over = Event()

    def watch() -> None:
        while not is_over.wait(0.5):
            if must_stop():
                logger.info("The worker is shutting down while its pipeline is loading.")
                os._exit(os.EX_OK)

    Thread(target=watch, name="loading", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def start() -> None:
    """Load the pipeline, once per child, and start its heartbeats.

    Raises:
        Exception: the pipeline could not be loaded.
    """
    global _job_runner
    settings = WorkerSettings()
    start_tracing("synthesis")
    directory = RunDirectory(settings.run_directory)
    directory.clear_scratch()
    celery = current_app._get_current_object()
    with ended_if(lambda: directory.stopping_for() > 0):
        _job_runner = create_job_runner(settings, celery)
    _job_runner.decoder.start()
    start_pulse(partial(directory.beat, "child"), settings.hang_seconds)
    logger.info("The pipeline is loaded; ready for jobs.")
