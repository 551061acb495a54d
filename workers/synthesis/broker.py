"""The broker's transport, for workers that neither an unreadable message nor a slow broker stops.

Kombu raises an error when it reads a message that is not its own, and Celery then ends the worker
or reconnects. A message whose acknowledgement failed counts as unfinished for ever, and a worker
takes no other meanwhile.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kombu.exceptions import KombuError
from kombu.transport import redis, virtual
from redis.exceptions import RedisError

from jobs.job import Priority
from jobs.queue import queue_name
from workers.synthesis.metrics import UNREADABLE_MESSAGES

logger = logging.getLogger(__name__)

UNUSABLE = (KeyError, TypeError, ValueError, AttributeError, KombuError)
JOB_QUEUES = {queue_name(priority) for priority in Priority}

UNREADABLE = "amigo.unreadable"
"""The list in Valkey that keeps unreadable messages, the newest first."""
KEPT = 100
"""Number of unreadable messages kept, each with its first MAX_LENGTH characters."""
MAX_LENGTH = 10_000


class QoS(redis.QoS):
    """The messages in work, which end even if the broker does not hear of it.

    The broker then sends the message again, and `claim` refuses the job, which has ended.
    """

    def ack(self, delivery_tag: str) -> None:
        """End a message that was handled."""
        with self._ended(delivery_tag):
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """End a message that was not handled; `requeue` puts it back."""
        with self._ended(delivery_tag):
            super().reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]

    @contextmanager
    def _ended(self, delivery_tag: str) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            logger.warning("The broker did not hear that a message was handled: %s", error)
            virtual.QoS.ack(self, delivery_tag)


class Channel(redis.Channel):
    """A channel that survives messages that are not JSON."""

    QoS = QoS

    def _brpop_read(self, **options: Any) -> None:
        try:
            super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except json.JSONDecodeError as error:
            self.set_aside(error.doc, error)

    def set_aside(self, message: str, reason: Exception) -> None:
        """Keep a message for people to look at, and count it."""
        logger.error("An unreadable message was set aside in %s: %r", UNREADABLE, reason)
        UNREADABLE_MESSAGES.inc()
        try:
            with self.conn_or_acquire() as client:
                client.lpush(UNREADABLE, message[:MAX_LENGTH])
                client.ltrim(UNREADABLE, 0, KEPT - 1)
        except RedisError:
            logger.exception("An unreadable message was lost: %.200r", message)


class Transport(redis.Transport):
    """A transport that survives messages that are not Celery's."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        channel = self.channels[0]
        try:
            if queue in JOB_QUEUES:  # others are Celery's own
                check(message, channel)
        except UNUSABLE as reason:
            channel.set_aside(json.dumps(message), reason)
        else:
            super()._deliver(message, queue)  # type: ignore[no-untyped-call]


def check(message: Any, channel: Any) -> None:
    """Check that Celery can read a decoded message: its envelope, its headers and its arguments.

    Raises:
        UNUSABLE: it cannot.
    """
    if not isinstance(message, Mapping):
        raise TypeError("The message is not an object.")
    envelope = channel.Message(message, channel=channel, accept={"application/json"})
    if not {"exchange", "routing_key"} <= set(envelope.delivery_info):
        raise KeyError("delivery_info")
    if not isinstance(envelope.headers["task"], str):
        raise TypeError("The message names no task.")
    arguments, options, _ = envelope.decode()
    if not isinstance(arguments, list) or not isinstance(options, Mapping):
        raise TypeError("The message has no arguments.")
