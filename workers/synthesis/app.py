"""A worker's parent, which receives messages and starts the child that runs the pipeline.

If the child dies, a new one replaces it. It imports `workers.synthesis.tasks` too.
"""

from typing import Any

from celery import Celery
from celery.bootsteps import StartStopStep
from celery.signals import heartbeat_sent, worker_shutting_down

from jobs.queue import create_celery
from workers.synthesis.health import is_child_ready
from workers.synthesis.run_directory import RunDirectory
from workers.synthesis.settings import WorkerSettings


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
