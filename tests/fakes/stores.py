"""The job store, the object storage, the queue and the asset quota in memory, which can fail."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from jobs.assets import Asset
from jobs.errors import (
    AssetQuotaExceeded,
    JobNotFound,
    ObjectNotFound,
    QueueUnavailable,
    StaleAttempt,
    StorageUnavailable,
    StoreReadOnly,
    StoreUnavailable,
)
from jobs.eta import Estimate
from jobs.job import Job, JobStatus, Priority, Stage
from jobs.queue import JobQueue
from jobs.s3.object_store import ObjectStorage, PresignedPut, StoredObject
from jobs.valkey.api_keys import Quota
from jobs.valkey.asset_quota import AssetQuota
from jobs.valkey.idempotency import Holder
from jobs.valkey.job_store import Event, JobStore
from jobs.valkey.listing import Cursor, JobFilter, Page
from jobs.valkey.quotas import Usage
from jobs.valkey.readings import Reading
from jobs.values import Failure, Result, utc_now


class Outages:
    """How many of the next calls of each method fail."""

    def __init__(self) -> None:
        self._left: Counter[str] = Counter()

    def of(self, method: str, calls: int) -> None:
        self._left[method] = calls

    def strikes(self, method: str) -> bool:
        if self._left[method] <= 0:
            return False
        self._left[method] -= 1
        return True


class FakeStore(JobStore):
    """Jobs in a dictionary, with the same transitions.

    Attributes:
        history: every change of a job by a worker or a caller.
        told: the events of each job, which a test gives.
        is_down: whether every call fails; `outages` makes single ones fail.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.history: list[Job] = []
        self.runs: tuple[str, ...] = ()
        self.told: dict[str, list[Event]] = {}
        self.dispatched: list[str] = []
        self.holders: dict[str, Holder] = {}
        self.outages = Outages()
        self.is_down = self.is_read_only = False
        self.loses_answer_to_accept = False
        self.goes_down_after_accept = False

    def accept(self, job: Job, quota: Quota | None = None) -> bool:
        self._answer("accept")
        is_new = job.id not in self.jobs
        self.jobs.setdefault(job.id, job)
        if job.idempotency:
            self.holders.update([_claim(job, is_confirmed=True)])
        self.is_down = self.goes_down_after_accept
        if self.loses_answer_to_accept:
            raise StoreUnavailable("connection reset")
        return is_new

    def reserve(self, job: Job) -> Holder | None:
        self._answer("reserve")
        key, mine = _claim(job, is_confirmed=False)
        holder = self.holders.setdefault(key, mine)
        return None if holder == mine else holder

    def release(self, job: Job) -> None:
        self._answer("release")
        key, _ = _claim(job, is_confirmed=False)
        del self.holders[key]

    def usage(self, key_id: str | None) -> Usage:
        self._answer("usage")
        now = utc_now()
        ended = {status: 0 for status in JobStatus if status.is_final}
        return Usage(now - timedelta(hours=1), now, len(self.jobs), len(self.jobs), ended, 0.0)

    def get(self, job_id: str) -> Job:
        self._answer("get")
        if job_id not in self.jobs:
            raise JobNotFound(job_id)
        return self.jobs[job_id]

    def page(self, tenant: str, wanted: JobFilter, limit: int, start: Cursor | None) -> Page:
        self._answer("page")
        own = [job for job in self.jobs.values() if job.tenant == tenant and wanted.passes(job)]
        return Page(own[::-1][:limit], next_cursor=None)

    def claim(self, job_id: str) -> Job:
        self._answer("claim")
        return self._keep(self.get(job_id).claim(utc_now()))

    def advance(self, job_id: str, attempt: int, stage: Stage, progress: float) -> Job:
        self._answer("advance")
        return self._keep(self._held(job_id).advance(attempt, stage, progress, utc_now()))

    def renew(self, job_id: str, attempt: int) -> None:
        self._answer("renew")
        self._held(job_id).require_attempt(attempt)

    def finish(
        self, job_id: str, attempt: int, result: Result, notices: tuple[str, ...] = ()
    ) -> Job:
        self._answer("finish")
        return self._keep(self._held(job_id).succeed(attempt, result, notices, utc_now()))

    def fail(self, job_id: str, attempt: int, failure: Failure) -> Job:
        self._answer("fail")
        return self._keep(self._held(job_id).fail(attempt, failure, utc_now()))

    def hand_back(self, job_id: str, attempt: int) -> Job:
        self._answer("hand_back")
        return self._keep(self._held(job_id).hand_back(attempt, utc_now()))

    def requeue(self, job_id: str, attempt: int, reason: Failure | None = None) -> Job:
        self._answer("requeue")
        return self._keep(self._held(job_id).requeue(attempt, utc_now(), reason))

    def postpone(self, job_id: str, attempt: int) -> Job:
        self._answer("postpone")
        return self._keep(self._held(job_id).postpone(attempt, utc_now()))

    def cancel(self, job_id: str, expected: Job | None = None) -> Job:
        return self._keep(self.get(job_id).cancel(utc_now()))

    def delete(self, job_id: str, expected: Job | None = None) -> None:
        del self.jobs[self.get(job_id).id]

    def events(self, job_id: str, after: str = "0-0") -> list[Event]:
        self._answer("events")
        return [event for event in self.told.get(job_id, []) if event.id > after]

    def latest_event(self, job_id: str) -> Event | None:
        return next(reversed(self.events(job_id)), None)

    def readings(self, job_ids: Sequence[str]) -> list[Reading]:
        self._answer("readings")
        queued = [job.id for job in self.jobs.values() if job.status is JobStatus.QUEUED]
        return [
            Reading(
                self.jobs[job_id],
                self.jobs[job_id].model_dump_json(),
                Estimate(
                    queued.index(job_id) + 1 if job_id in queued else None, (), self.runs, utc_now()
                ),
            )
            for job_id in job_ids
            if job_id in self.jobs
        ]

    def counts(self) -> dict[JobStatus, int]:
        self._answer("counts")
        counts = Counter(job.status for job in self.jobs.values())
        return {status: counts[status] for status in JobStatus}

    def longest_waits(self) -> dict[Priority, timedelta]:
        self._answer("longest_waits")
        return dict.fromkeys(Priority, timedelta())

    def mark_dispatched(self, job_id: str) -> None:
        self._answer("mark_dispatched")
        self.dispatched.append(job_id)

    def ping(self) -> None:
        self._answer("ping")

    def _held(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise StaleAttempt(f"Job {job_id} was deleted while a worker was processing it.")
        return self.jobs[job_id]

    def _keep(self, job: Job) -> Job:
        self.jobs[job.id] = job
        self.history.append(job)
        return job

    def _answer(self, method: str) -> None:
        if self.is_down or self.outages.strikes(method):
            raise StoreUnavailable("Valkey is unavailable.")
        if self.is_read_only:
            raise StoreReadOnly("Valkey refuses writes.")


def _claim(job: Job, *, is_confirmed: bool) -> tuple[str, Holder]:
    assert job.idempotency
    fingerprint = job.idempotency.fingerprint
    holder = Holder(job_id=job.id, fingerprint=fingerprint, is_confirmed=is_confirmed)
    return job.idempotency.key, holder


class FakeStorage(ObjectStorage):
    """Objects in a dictionary.

    Attributes:
        is_down: whether every call fails; `outages` makes single ones fail.
        refuses: the end of the keys that cannot be written.
    """

    def __init__(self) -> None:
        self.is_public = False
        self.contents: dict[str, bytes] = {}
        self.outages = Outages()
        self.is_down = False
        self.refuses: str | None = None

    def put(self, key: str, data: bytes | Path, content_type: str) -> None:
        self._answer("put")
        if self.refuses and key.endswith(self.refuses):
            raise StorageUnavailable("disk full")
        self.contents[key] = data if isinstance(data, bytes) else data.read_bytes()

    def get(self, key: str) -> bytes:
        self._answer("get")
        self.size(key)
        return self.contents[key]

    def size(self, key: str) -> int:
        self._answer("size")
        if key not in self.contents:
            raise ObjectNotFound(key)
        return len(self.contents[key])

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        stop = self.size(key) if end is None else end + 1
        content = self.contents[key][start:stop]
        chunk = 7 + len(content) // 20
        return iter([content[i : i + chunk] for i in range(0, len(content), chunk)])

    def objects(self, prefix: str, after: str = "") -> Iterator[StoredObject]:
        self._answer("objects")
        for key, content in sorted(self.contents.items()):
            if key.startswith(prefix) and key > after:
                yield StoredObject(key, len(content), utc_now())

    def presigned_url(
        self, key: str, seconds: int, *, content_type: str = "", disposition: str = ""
    ) -> str:
        return f"https://s3.example/{key}?for={seconds}&as={content_type}&how={disposition}"

    def presigned_put(self, key: str, size: int, content_type: str, seconds: int) -> PresignedPut:
        headers = {"Content-Length": str(size), "Content-Type": content_type}
        return PresignedPut(f"https://s3.example/{key}?for={seconds}", headers)

    def delete_prefix(self, prefix: str, keep: str | None = None) -> None:
        self._answer("delete_prefix")
        found = [key for key in self.contents if key.startswith(prefix)]
        for key in [key for key in found if keep is None or not key.startswith(keep)]:
            del self.contents[key]

    def ping(self) -> None:
        self._answer("ping")

    def _answer(self, method: str) -> None:
        if self.is_down or self.outages.strikes(method):
            raise StorageUnavailable("The object store did not respond.")


class FakeQueue(JobQueue):
    """Messages in a list."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.outages = Outages()
        self.is_down = False

    def dispatch(self, job_id: str, priority: Priority = Priority.NORMAL) -> None:
        if self.is_down or self.outages.strikes("dispatch"):
            raise QueueUnavailable("The broker takes no message.")
        self.messages.append(job_id)


class FakeAssetQuota(AssetQuota):
    """Counts the assets, and has room for all of them or for none."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.is_used_up = False

    def take(self, asset: Asset) -> None:
        if self.is_used_up:
            raise AssetQuotaExceeded(taken=900, max_bytes=1_000, wait=timedelta(hours=1))
        self.taken.append(asset.id)

    def give_back(self, asset: Asset) -> None:
        self.taken.remove(asset.id)
