"""How a worker hears of a job: a Celery message that carries the job's id and nothing else."""

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from jobs.errors import QueueUnavailable
from jobs.job import Priority
from jobs.settings import Settings

SYNTHESIZE = "amigo.synthesize"

SOCKET_TIMEOUT = 1.0
"""Seconds the broker may take to answer."""

SOFT_SHUTDOWN = 10.0
"""Seconds a worker told to stop may go on with its job before it hands the job back."""

LOAD_TIMEOUT = 600.0
"""Seconds a worker's child may take to load the pipeline."""

VISIBILITY_MARGIN = 600
"""Seconds between the end of the longest attempt and the redelivery of its message."""


def queue_name(priority: Priority) -> str:
    """Return the name of the queue that jobs of this priority wait in."""
    return f"amigo.{priority}"


def create_celery(settings: Settings) -> Celery:
    """Return the Celery app that the service sends with and the workers receive with.

    Messages only wake workers; the truth about a job is in its record. So a message may come
    twice (`claim` has one winner) or never (the reconciler sends another).
    """
    celery = Celery("amigo")
    celery.conf.update(
        broker_url=broker_url(settings.valkey_url),
        broker_transport_options={
            # Redelivery while the first attempt still runs would only wake workers for nothing.
            "visibility_timeout": settings.time_limit_seconds + VISIBILITY_MARGIN,
            "socket_timeout": SOCKET_TIMEOUT,
            "socket_connect_timeout": SOCKET_TIMEOUT,
            # Without a bound, a publisher waits for a dead broker as long as it is dead.
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.1,
            # Whoever asks for a message is given the first queue's, as long as there is one.
            "queue_order_strategy": "priority",
        },
        # The reconciler is the retry: a request should not wait for a broker.
        task_publish_retry=False,
        broker_connection_retry_on_startup=True,
        # A worker outlives any outage of its broker.
        broker_connection_max_retries=None,
        # In the order in which a worker looks into them.
        task_queues=[_queue(priority) for priority in Priority],
        task_default_queue=queue_name(Priority.NORMAL),
        task_serializer="json",
        accept_content=["json"],
        # A job's state has one home, the store.
        result_backend=None,
        task_ignore_result=True,
        # A message lives until its job ended, so that a killed worker leaves it behind.
        task_acks_late=True,
        # When a child dies its message goes: the lease notices, and it counts the attempts,
        # which redelivery does not.
        task_reject_on_worker_lost=False,
        # The child is killed and cannot record the end: the lease does.
        task_time_limit=settings.time_limit_seconds,
        # A job waiting behind a busy worker is a job an idle worker does not get.
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        # CUDA does not survive a fork.
        worker_pool_start_method="spawn",
        # The default of 4 s kills a child that still loads its weights, for ever.
        worker_proc_alive_timeout=LOAD_TIMEOUT,
        worker_soft_shutdown_timeout=SOFT_SHUTDOWN,
        # The process that starts the worker owns its logging.
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
    )
    return celery


def _queue(priority: Priority) -> Queue:
    name = queue_name(priority)
    return Queue(name, routing_key=name)  # type: ignore[no-untyped-call]


def broker_url(valkey_url: str) -> str:
    """Return the URL as Celery spells it: a unix socket is `redis+socket://` there."""
    if not valkey_url.startswith("unix://"):
        return valkey_url
    return valkey_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=")


class JobQueue:
    """The way to the workers."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def dispatch(self, job_id: str, priority: Priority = Priority.NORMAL) -> None:
        """Wake a worker for the job; doing so twice does no harm.

        Raises:
            QueueUnavailable: the broker did not take the message within about two seconds.
        """
        try:
            self._celery.send_task(SYNTHESIZE, [job_id], queue=queue_name(priority))
        except (OperationalError, RedisError, OSError) as error:
            raise QueueUnavailable(f"The broker did not take job {job_id}.") from error
