"""Fakes that implement the contract of `jobs` in memory, and can fail."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

from jobs.assets import Asset
from jobs.errors import (
    AssetQuotaExceeded,
    JobNotFound,
    ObjectNotFound,
    QueueUnavailable,
    StorageUnavailable,
    StoreUnavailable,
)
from jobs.eta import Estimate
from jobs.job import Job, JobStatus, Priority
from jobs.queue import JobQueue
from jobs.s3.object_store import ObjectStorage, PresignedPut, StoredObject
from jobs.valkey.api_keys import Quota
from jobs.valkey.asset_quota import AssetQuota
from jobs.valkey.idempotency import Holder
from jobs.valkey.job_store import Event, JobStore
from jobs.valkey.listing import Cursor, JobFilter, Page
from jobs.values import utc_now
from media.sandbox.decoder import Decoder
from service.app import create_app
from service.dependencies import Components
from service.reading.watching import JobWatcher
from service.settings import ServiceSettings
from tests.decoders import DirectDecoder


class FakeStore(JobStore):
    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.runs: tuple[str, ...] = ()
        self.told: dict[str, list[Event]] = {}
        self.dispatched: list[str] = []
        self.holders: dict[str, Holder] = {}
        self.is_down = False
        self.loses_answer_to_accept = False
        self.goes_down_after_accept = False

    def accept(self, job: Job, quota: Quota | None = None) -> bool:
        self.ping()
        is_new = job.id not in self.jobs
        self.jobs.setdefault(job.id, job)
        if job.idempotency:
            self.holders.update([_claim(job, is_confirmed=True)])
        self.is_down = self.goes_down_after_accept
        if self.loses_answer_to_accept:
            raise StoreUnavailable("connection reset")
        return is_new

    def reserve(self, job: Job) -> Holder | None:
        self.ping()
        key, mine = _claim(job, is_confirmed=False)
        holder = self.holders.setdefault(key, mine)
        return None if holder == mine else holder

    def release(self, job: Job) -> None:
        self.ping()
        key, _ = _claim(job, is_confirmed=False)
        del self.holders[key]

    def get(self, job_id: str) -> Job:
        self.ping()
        if job_id not in self.jobs:
            raise JobNotFound(job_id)
        return self.jobs[job_id]

    def page(self, tenant: str, wanted: JobFilter, limit: int, start: Cursor | None) -> Page:
        self.ping()
        own = [job for job in self.jobs.values() if job.tenant == tenant and wanted.passes(job)]
        return Page(own[::-1][:limit], next_cursor=None)

    def cancel(self, job_id: str) -> Job:
        self.jobs[job_id] = self.get(job_id).cancel(utc_now())
        return self.jobs[job_id]

    def delete(self, job_id: str) -> None:
        del self.jobs[self.get(job_id).id]

    def events(self, job_id: str, after: str = "0-0") -> list[Event]:
        self.ping()
        return [event for event in self.told.get(job_id, []) if event.id > after]

    def latest_event(self, job_id: str) -> Event | None:
        return next(reversed(self.events(job_id)), None)

    def estimate(self, job_id: str) -> Estimate:
        self.ping()
        queued = [job.id for job in self.jobs.values() if job.status is JobStatus.QUEUED]
        position = queued.index(job_id) + 1 if job_id in queued else None
        return Estimate(position, (), self.runs, utc_now())

    def counts(self) -> dict[JobStatus, int]:
        self.ping()
        counts = Counter(job.status for job in self.jobs.values())
        return {status: counts[status] for status in JobStatus}

    def longest_waits(self) -> dict[Priority, timedelta]:
        self.ping()
        return dict.fromkeys(Priority, timedelta())

    def mark_dispatched(self, job_id: str) -> None:
        self.ping()
        self.dispatched.append(job_id)

    def ping(self) -> None:
        if self.is_down:
            raise StoreUnavailable("connection refused")


def _claim(job: Job, *, is_confirmed: bool) -> tuple[str, Holder]:
    assert job.idempotency
    fingerprint = job.idempotency.fingerprint
    holder = Holder(job_id=job.id, fingerprint=fingerprint, is_confirmed=is_confirmed)
    return job.idempotency.key, holder


class FakeStorage(ObjectStorage):
    def __init__(self) -> None:
        self.is_public = False
        self.contents: dict[str, bytes] = {}
        self.is_down = False
        self.refuses: str | None = None
        self.deletes_nothing = False

    def put(self, key: str, data: bytes | Path, content_type: str) -> None:
        self.ping()
        if self.refuses and key.endswith(self.refuses):
            raise StorageUnavailable("disk full")
        self.contents[key] = data if isinstance(data, bytes) else data.read_bytes()

    def get(self, key: str) -> bytes:
        self.size(key)
        return self.contents[key]

    def size(self, key: str) -> int:
        self.ping()
        if key not in self.contents:
            raise ObjectNotFound(key)
        return len(self.contents[key])

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        stop = self.size(key) if end is None else end + 1
        content = self.contents[key][start:stop]
        chunk = 7 + len(content) // 20
        return iter([content[i : i + chunk] for i in range(0, len(content), chunk)])

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        self.ping()
        for key, content in sorted(self.contents.items()):
            if key.startswith(prefix):
                yield StoredObject(key, len(content), utc_now())

    def presigned_url(
        self, key: str, seconds: int, *, content_type: str = "", disposition: str = ""
    ) -> str:
        return f"https://s3.example/{key}?for={seconds}&as={content_type}&how={disposition}"

    def presigned_put(self, key: str, size: int, content_type: str, seconds: int) -> PresignedPut:
        headers = {"Content-Length": str(size), "Content-Type": content_type}
        return PresignedPut(f"https://s3.example/{key}?for={seconds}", headers)

    def delete_prefix(self, prefix: str, keep: str | None = None) -> None:
        self.ping()
        if self.deletes_nothing:
            raise StorageUnavailable("access denied")
        for key in [key for key in self.contents if key.startswith(prefix)]:
            del self.contents[key]

    def ping(self) -> None:
        if self.is_down:
            raise StorageUnavailable("connection refused")


class FakeAssetRoom(AssetQuota):
    def __init__(self) -> None:
        self.taken: list[str] = []
        self.is_used_up = False

    def take(self, asset: Asset) -> None:
        if self.is_used_up:
            raise AssetQuotaExceeded(taken=900, max_bytes=1_000, wait=timedelta(hours=1))
        self.taken.append(asset.id)

    def give_back(self, asset: Asset) -> None:
        self.taken.remove(asset.id)


class FakeWatcher(JobWatcher):
    """Only receives what is announced to it."""

    def __init__(self) -> None:
        super().__init__("unix:///nowhere")

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        yield


class FakeQueue(JobQueue):
    def __init__(self) -> None:
        self.messages: list[str] = []
        self.is_down = False

    def dispatch(self, job_id: str, priority: Priority = Priority.NORMAL) -> None:
        if self.is_down:
            raise QueueUnavailable("connection refused")
        self.messages.append(job_id)


@dataclass(frozen=True)
class Backstage:
    """The components of the app under test."""

    store: FakeStore = field(default_factory=FakeStore)
    storage: FakeStorage = field(default_factory=FakeStorage)
    queue: FakeQueue = field(default_factory=FakeQueue)
    watcher: FakeWatcher = field(default_factory=FakeWatcher)
    asset_quota: FakeAssetRoom = field(default_factory=FakeAssetRoom)
    decoder: Decoder = field(default_factory=DirectDecoder)

    def app(self, settings: ServiceSettings) -> FastAPI:
        """Return the app with them."""
        return create_app(settings, self.components(settings))

    def components(self, settings: ServiceSettings) -> Components:
        """Return them, and real ones for the rest."""
        return Components.wire(
            settings,
            self.store,
            self.storage,
            self.queue,
            self.watcher,
            self.decoder,
            self.asset_quota,
        )
