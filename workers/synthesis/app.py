"""The worker's two processes: a parent that receives messages, a child that runs the pipeline.

The child is a new interpreter. It imports this module through `workers.synthesis.tasks`, reads the
same environment as its parent, and loads the pipeline before it takes its first message. If a child
dies, a new one replaces it.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread
from typing import Any

from celery import Celery, current_app
from celery.bootsteps import StartStopStep
from celery.signals import (
    heartbeat_sent,
    setup_logging,
    worker_process_init,
    worker_process_shutdown,
    worker_shutting_down,
)

from jobs.queue import JobQueue, create_celery
from jobs.s3.object_store import ObjectStorage
from jobs.tracing import start_tracing, stop_tracing
from jobs.valkey.job_store import JobStore
from media.logging import configure_logging
from media.sandbox.decoder import Decoder
from workers.safe_http import Outbound
from workers.synthesis.health import is_child_ready, start_pulse
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


@setup_logging.connect  # type: ignore[untyped-decorator]
def replace_celery_logging(**_: object) -> None:
    """Log like every other process, instead of using Celery's logging."""
    configure_logging()


def create_worker(settings: WorkerSettings) -> Celery:
    """Return the Celery app of a worker's parent process."""
    celery = create_celery(settings)
    celery.conf.include = ["workers.synthesis.tasks"]
    celery.conf.broker_transport = "workers.synthesis.broker:Transport"
    directory = RunDirectory(settings.run_directory)
    celery.steps["consumer"].add(patient_consumer(directory))
    heartbeat_sent.connect(lambda **_: directory.beat("parent"), weak=False)
    worker_shutting_down.connect(lambda **_: directory.ask_to_stop(), weak=False)
    return celery


def patient_consumer(directory: RunDirectory) -> type[StartStopStep]:
    """Return the boot step that takes no messages while the worker's child is still loading.

    Celery would give it one, and the job would wait although an idle worker could start it.
    """

    class PatientConsumer(StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)  # type: ignore[assignment]

        def start(self, consumer: Any) -> None:
            qos = consumer.task_consumer.channel.qos
            may_consume = qos.can_consume
            qos.can_consume = lambda: is_child_ready(directory) and may_consume()

    return PatientConsumer


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


@worker_process_init.connect  # type: ignore[untyped-decorator]
def open_child(**_: object) -> None:
    """Load the pipeline once per child; the worker exits if that fails."""
    global _job_runner
    settings = WorkerSettings()
    start_tracing("synthesis")
    directory = RunDirectory(settings.run_directory)
    directory.clear_scratch()
    celery = current_app._get_current_object()
    try:
        with ended_if(lambda: directory.stopping_for() > 0):
            _job_runner = create_job_runner(settings, celery)
        _job_runner.decoder.start()
    except Exception:
        # Celery would log the error and keep sending jobs to a child that cannot process any.
        logger.exception("The pipeline could not be loaded; exiting.")
        directory.report_broken()
        os.kill(os.getppid(), signal.SIGTERM)
        sys.exit(1)
    start_pulse(partial(directory.beat, "child"), settings.hang_seconds)
    logger.info("The pipeline is loaded; ready for jobs.")


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def close_child(**_: object) -> None:
    """Send the spans that are left: the child ends without Python's exit handlers."""
    stop_tracing()
