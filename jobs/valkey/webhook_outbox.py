"""The news of a job's end, for the address its caller named: what is due, and how far it came.

    amigo:webhooks            sorted set: ids of ended jobs by the time their news is due (again)
    amigo:job:{id}:webhook    how far the news has come; gone with the job

The store writes both in the transaction that ends a job, so that no end goes untold.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self, cast

from pydantic import Field
from redis import Redis
from redis.client import Pipeline

from jobs.job import Job, Value
from jobs.settings import Settings
from jobs.valkey.connection import (
    clock_time,
    connect,
    read_clock,
    score,
    transact,
    translated_errors,
)

WEBHOOKS = "amigo:webhooks"


class DeliveryStatus(StrEnum):
    """How far the news of a job's end has come."""

    PENDING = "pending"
    DELIVERED = "delivered"
    RETRYING = "retrying"
    DISABLED = "disabled"
    """Given up: the receiver does not want it, or was out of reach for too long."""


class Delivery(Value):
    """How far the news of a job's end has come, and what went wrong last."""

    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = Field(0, ge=0)
    reason: str | None = None


def delivery_key(job_id: str) -> str:
    """Return the key of a delivery."""
    return f"amigo:job:{job_id}:webhook"


def enqueue(pipe: Pipeline, job: Job, now: datetime) -> None:
    """Queue the commands that make the news of an ended job due, if anyone wants it."""
    if job.status.is_final and job.webhook_url is not None:
        pipe.set(delivery_key(job.id), Delivery().model_dump_json())
        pipe.zadd(WEBHOOKS, {job.id: score(now)})


def forget(pipe: Pipeline, job_id: str) -> None:
    """Queue the commands that leave the news of a deleted job untold."""
    pipe.delete(delivery_key(job_id))
    pipe.zrem(WEBHOOKS, job_id)


class WebhookOutbox:
    """The news that is due; every method may raise StoreUnavailable."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Return the outbox that the settings name; nothing is sent yet."""
        return cls(connect(settings.valkey_url))

    def claim(self, count: int, lease: timedelta) -> list[str]:
        """Return the jobs whose news is due, `count` at most; nobody else gets them for a while.

        They are due again when the lease is over, unless their delivery was recorded.
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

    def backlog(self) -> tuple[int, timedelta]:
        """Return how much news is still to be told, and how long the first of it has been due."""
        with translated_errors(), self._client.pipeline(transaction=False) as pipe:
            pipe.zcard(WEBHOOKS)
            pipe.zrange(WEBHOOKS, 0, 0, withscores=True)
            pipe.time()
            count, first, clock = pipe.execute()
        micros = score(clock_time(*clock)) - first[0][1] if first else 0
        return count, max(timedelta(microseconds=micros), timedelta())

    def delivery(self, job_id: str) -> Delivery | None:
        """Return how far the news has come; None while the job has not ended, or tells nobody."""
        with translated_errors():
            record = self._client.get(delivery_key(job_id))
        return None if record is None else Delivery.model_validate_json(record)

    def record(self, job_id: str, delivery: Delivery, pause: timedelta | None = None) -> None:
        """Record a delivery, due again after a pause or (None) never; a deleted job has none."""
        with translated_errors(), self._client.pipeline() as pipe:
            due = score(read_clock(self._client) + (pause or timedelta()))
            pipe.set(delivery_key(job_id), delivery.model_dump_json(), xx=True)
            if pause is None:
                pipe.zrem(WEBHOOKS, job_id)
            else:
                pipe.zadd(WEBHOOKS, {job_id: due}, xx=True)
            pipe.execute()
