"""Outbox of webhook notifications: which are due, and the state of their delivery.

    amigo:webhooks            sorted set: ids of ended jobs by the time their webhook is due (again)
    amigo:job:{id}:webhook    state of the delivery; deleted with the job
    amigo:webhook-test:{id}   the made-up job of a test notification, for a day

The store writes both in the transaction that ends a job, so no notification is lost.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self, cast

from pydantic import Field
from redis import Redis
from redis.client import Pipeline

from jobs.job import Job
from jobs.settings import Settings
from jobs.valkey.connection import (
    clock_time,
    connect,
    read_clock,
    score,
    transact,
    translated_errors,
)
from jobs.values import Value

WEBHOOKS = "amigo:webhooks"


class DeliveryStatus(StrEnum):
    """State of a webhook's delivery."""

    PENDING = "pending"
    DELIVERED = "delivered"
    RETRYING = "retrying"
    DISABLED = "disabled"
    """Given up: the receiver disabled it, or was unreachable for too long."""


class Delivery(Value):
    """State of a webhook's delivery, and the reason of the last failure."""

    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = Field(0, ge=0)
    reason: str | None = None


def delivery_key(job_id: str) -> str:
    """Return the key of a delivery."""
    return f"amigo:job:{job_id}:webhook"


def enqueue(pipe: Pipeline, job: Job, now: datetime) -> None:
    """Queue the commands that make the webhook of an ended job due, if it is to be notified."""
    is_wanted = not job.webhook_events or f"job.{job.status}" in job.webhook_events
    if job.status.is_final and job.webhook_url is not None and is_wanted:
        _make_due(pipe, job.id, now)


def _make_due(pipe: Pipeline, job_id: str, now: datetime, kept: timedelta | None = None) -> None:
    pipe.set(delivery_key(job_id), Delivery().model_dump_json(), px=kept)
    pipe.zadd(WEBHOOKS, {job_id: score(now)})


def forget(pipe: Pipeline, job_id: str) -> None:
    """Queue the commands that remove the webhook of a deleted job."""
    pipe.delete(delivery_key(job_id))
    pipe.zrem(WEBHOOKS, job_id)


TEST_PREFIX = "test_"
"""Start of the ids of test notifications."""

TESTS_KEPT = timedelta(days=1)
"""How long a test notification and its state are kept."""


def test_key(test_id: str) -> str:
    """Return the key of a test notification."""
    return f"amigo:webhook-test:{test_id}"


class WebhookOutbox:
    """The pending webhooks. Every method may raise StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Return the outbox given by the settings, without connecting."""
        return cls(connect(settings.valkey_url))

    def claim(self, count: int, lease: timedelta) -> list[str]:
        """Claim up to `count` jobs whose webhook is due; no other process gets them for a while.

        They are due again when the lease expires, unless their delivery was recorded.
        """

        def take(pipe: Pipeline) -> list[str]:
            now = read_clock(pipe)
            due = pipe.zrange(WEBHOOKS, "-inf", score(now), byscore=True, offset=0, num=count)
            job_ids = cast("list[str]", due)
            pipe.multi()
            if job_ids:
                pipe.zadd(WEBHOOKS, dict.fromkeys(job_ids, score(now + lease)))
            return job_ids

        return transact(self._client, take, WEBHOOKS)

    def deliver_again(self, job_id: str) -> None:
        """Make the webhook of an ended job due again, whether it was delivered or given up."""
        with translated_errors(), self._client.pipeline() as pipe:
            now = read_clock(self._client)
            _make_due(pipe, job_id, now)
            pipe.execute()

    def send_test(self, job: Job) -> None:
        """Make a test notification due, for an ended sample job that is stored only here."""
        with translated_errors(), self._client.pipeline() as pipe:
            now = read_clock(self._client)
            pipe.set(test_key(job.id), job.model_dump_json(), px=TESTS_KEPT)
            _make_due(pipe, job.id, now, TESTS_KEPT)
            pipe.execute()

    def test(self, test_id: str) -> Job | None:
        """Return the sample job of a test notification; None if there is none."""
        with translated_errors():
            record = self._client.get(test_key(test_id))
        return None if record is None else Job.read(record)

    def backlog(self) -> tuple[int, timedelta]:
        """Return the number of pending webhooks, and how long the oldest has been due."""
        with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.zcard(WEBHOOKS)
            pipe.zrange(WEBHOOKS, 0, 0, withscores=True)
            pipe.time()
            count, first, clock = pipe.execute()
        micros = score(clock_time(*clock)) - first[0][1] if first else 0
        return count, max(timedelta(microseconds=micros), timedelta())

    def delivery(self, job_id: str) -> Delivery | None:
        """Return the state of a job's delivery; None before its end, or without a webhook."""
        with translated_errors():
            record = self._client.get(delivery_key(job_id))
        return None if record is None else Delivery.read(record)

    def record(self, job_id: str, delivery: Delivery, pause: timedelta | None = None) -> None:
        """Record a delivery, due again after a delay or never (None); ignored for a deleted job."""
        with translated_errors(), self._client.pipeline() as pipe:
            due = score(read_clock(self._client) + (pause or timedelta()))
            pipe.set(delivery_key(job_id), delivery.model_dump_json(), xx=True, keepttl=True)
            if pause is None:
                pipe.zrem(WEBHOOKS, job_id)
            else:
                pipe.zadd(WEBHOOKS, {job_id: due}, xx=True)
            pipe.execute()
