"""Dispatch of jobs to workers, by Celery messages that contain only the job's id."""

from typing import Any

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from redis.connection import parse_url
from redis.exceptions import RedisError

from jobs.errors import QueueUnavailable
from jobs.job import Priority
from jobs.settings import Settings

SYNTHESIZE = "amigo.synthesize"

SOCKET_TIMEOUT = 1.0
"""Timeout for the broker's response, in seconds."""

SOFT_SHUTDOWN = 10.0
"""Seconds for which a stopping worker may continue its job before it releases it."""

LOAD_TIMEOUT = 600.0
"""Seconds a worker's child may take to load the pipeline."""

VISIBILITY_MARGIN = 600
"""Seconds between the longest possible attempt and the redelivery of its message."""


BROKER_OPTIONS = {
    "socket_timeout": SOCKET_TIMEOUT,
    "socket_connect_timeout": SOCKET_TIMEOUT,
    # Without a limit, a publisher blocks for as long as the broker is down.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
    # Take messages from the first queue as long as it has any.
    "queue_order_strategy": "priority",
}
"""How Celery talks to Valkey."""

MESSAGES = {
    # The reconciler retries; a request should not wait for a broker.
    "task_publish_retry": False,
    "task_serializer": "json",
    "accept_content": ["json"],
    # The store is the only place for a job's state.
    "result_backend": None,
    "task_ignore_result": True,
    # Acknowledge after the job ended, so that a killed worker leaves its message behind.
    "task_acks_late": True,
    # Drop the message if a child dies. The lease detects it and counts attempts, which redelivery
    # does not.
    "task_reject_on_worker_lost": False,
}
"""What a message carries, and when it is gone."""

WORKERS = {
    # Workers survive any outage of the broker.
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    # A job reserved by a busy worker would be withheld from idle ones.
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    # CUDA does not survive a fork.
    "worker_pool_start_method": "spawn",
    # The default of 4 s kills a child that is still loading its weights, over and over.
    "worker_proc_alive_timeout": LOAD_TIMEOUT,
    "worker_soft_shutdown_timeout": SOFT_SHUTDOWN,
    # The process that starts the worker configures logging.
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
}
"""How workers take messages, start their children and stop."""


def queue_name(priority: Priority) -> str:
    """Return the name of the queue for this priority."""
    return f"amigo.{priority}"


def create_celery(settings: Settings) -> Celery:
    """Return the Celery app with which the service sends and the workers receive.

    Messages only wake workers; the record is the source of truth. A message may therefore arrive
    twice (only one `claim` succeeds) or never (the reconciler sends another).
    """
    # Redelivery while the first attempt is still running would only wake workers for nothing.
    visibility = settings.time_limit_seconds + VISIBILITY_MARGIN
    celery = Celery("amigo")
    celery.conf.update(
        broker_url=broker_url(settings.valkey_url),
        # Otherwise, the service would accept any certificate, and workers would not use TLS.
        broker_use_ssl=tls_options(settings.valkey_url),
        broker_transport_options={**BROKER_OPTIONS, "visibility_timeout": visibility},
        # In the order in which workers check them.
        task_queues=[_queue(priority) for priority in Priority],
        task_default_queue=queue_name(Priority.NORMAL),
        # A killed child cannot record the end; the expiring lease does.
        task_time_limit=settings.time_limit_seconds,
        **MESSAGES,
        **WORKERS,
    )
    return celery


def _queue(priority: Priority) -> Queue:
    name = queue_name(priority)
    return Queue(name, routing_key=name)


def broker_url(valkey_url: str) -> str:
    """Return the URL in Celery's notation, where a Unix socket is `redis+socket://`."""
    if not valkey_url.startswith("unix://"):
        return valkey_url
    return valkey_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")


def tls_options(valkey_url: str) -> dict[str, Any] | None:
    """Return how Celery verifies Valkey's certificate: as redis-py does; None without TLS."""
    if not valkey_url.startswith("rediss://"):
        return None
    options = parse_url(valkey_url).items()  # type: ignore[no-untyped-call]
    given = {name: value for name, value in options if name.startswith("ssl_")}
    return {"ssl_cert_reqs": "required", **given}


class JobQueue:
    """The queue to the workers."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def dispatch(self, job_id: str, priority: Priority = Priority.NORMAL) -> None:
        """Wake a worker for the job; repeating it is harmless.

        Raises:
            QueueUnavailable: the broker did not accept the message within about two seconds.
        """
        try:
            self._celery.send_task(SYNTHESIZE, [job_id], queue=queue_name(priority))
        except (OperationalError, RedisError, OSError) as error:
            raise QueueUnavailable(
                f"The broker did not accept the message for job {job_id}."
            ) from error
