"""The complete content of the store and the bucket at one moment, as values for the checker."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import av
from av.error import FFmpegError
from redis import Redis

from jobs.job import Job, JobStatus, Priority
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import JOBS_PREFIX
from jobs.settings import Settings
from jobs.valkey.connection import connect, translated_errors
from jobs.valkey.idempotency import Holder
from jobs.valkey.job_store import JobStore
from jobs.valkey.keys import CLEANUPS, OUTBOX, index_key, queue_key
from jobs.valkey.webhook_outbox import WEBHOOKS, Delivery

RECORDS = "amigo:job:"
HOLDERS = "amigo:idempotency:"


@dataclass(frozen=True)
class Snapshot:
    """The state of a system at rest; fields are by job id where possible."""

    jobs: Mapping[str, Job] = field(default_factory=dict)
    events: Mapping[str, tuple[Job, ...]] = field(default_factory=dict)
    """The job after each change, oldest first."""
    indexes: Mapping[JobStatus, frozenset[str]] = field(default_factory=dict)
    queues: Mapping[Priority, frozenset[str]] = field(default_factory=dict)
    tenants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    outbox: frozenset[str] = frozenset()
    cleanups: frozenset[str] = frozenset()
    active: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Unfinished jobs, by API key."""
    webhooks_due: frozenset[str] = frozenset()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    holders: tuple[Holder, ...] = ()
    """Owners of Idempotency-Keys."""
    objects: frozenset[str] = frozenset()
    """The keys of all objects of jobs."""
    video_frames: Mapping[str, int | None] = field(default_factory=dict)
    """Number of frames of each recorded video; None if it cannot be decoded."""


def take_snapshot(settings: Settings) -> Snapshot:
    """Read everything, without changing anything.

    Raises:
        Unavailable: a store does not respond.
    """
    with connect(settings.valkey_url) as client, translated_errors():
        return _Reader(client, JobStore.connect(settings), ObjectStorage.connect(settings)).read()


@dataclass(frozen=True)
class _Reader:
    client: Redis
    store: JobStore
    storage: ObjectStorage

    def read(self) -> Snapshot:
        ids = [key for key in self._after(RECORDS) if ":" not in key]
        jobs = {job_id: self.store.get(job_id) for job_id in ids}
        objects = frozenset(item.key for item in self.storage.objects(JOBS_PREFIX))
        videos = {job.result.video_key for job in jobs.values() if job.result} & objects
        return Snapshot(
            jobs=jobs,
            events={job_id: self._events(job_id) for job_id in ids},
            indexes={status: self._sorted_set(index_key(status)) for status in JobStatus},
            queues={priority: self._sorted_set(queue_key(priority)) for priority in Priority},
            tenants={
                name.removesuffix(":jobs"): self._sorted_set(f"amigo:tenant:{name}")
                for name in self._after("amigo:tenant:")
            },
            outbox=self._sorted_set(OUTBOX),
            cleanups=self._sorted_set(CLEANUPS),
            active={
                name.removesuffix(":active"): frozenset(
                    cast("set[str]", self.client.smembers(f"amigo:key:{name}"))
                )
                for name in self._after("amigo:key:")
                if name.endswith(":active")
            },
            webhooks_due=self._sorted_set(WEBHOOKS),
            deliveries={
                name.removesuffix(":webhook"): self._delivery(f"{RECORDS}{name}")
                for name in self._after(RECORDS)
                if name.endswith(":webhook")
            },
            holders=tuple(
                Holder.model_validate_json(cast("str", holder))
                for name in self._after(HOLDERS)
                # A reservation may expire once it is listed.
                if (holder := self.client.get(f"{HOLDERS}{name}")) is not None
            ),
            objects=objects,
            video_frames={key: count_frames(self.storage.get(key)) for key in videos},
        )

    def _after(self, prefix: str) -> list[str]:
        """Return the keys with a prefix, without it."""
        return sorted(key.removeprefix(prefix) for key in self.client.scan_iter(f"{prefix}*"))

    def _events(self, job_id: str) -> tuple[Job, ...]:
        return tuple(event.job for event in self.store.events(job_id))

    def _sorted_set(self, key: str) -> frozenset[str]:
        return frozenset(cast("list[str]", self.client.zrange(key, 0, -1)))

    def _delivery(self, key: str) -> Delivery:
        return Delivery.model_validate_json(self._text(key))

    def _text(self, key: str) -> str:
        return cast("str", self.client.get(key))


def count_frames(video: bytes) -> int | None:
    """Return the number of decoded frames of a video; None if there is no such video."""
    try:
        with av.open(io.BytesIO(video), "r") as container:
            return len(list(container.decode(video=0)))
    except (FFmpegError, IndexError):
        return None
