"""The job of an Idempotency-Key, whatever happens to the requests that carry it."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from redis import Redis

from jobs.errors import IdempotencyKeyTaken, JobNotFound
from jobs.job import Job
from jobs.queue import JobQueue, create_celery
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import request_key
from jobs.settings import Settings
from jobs.valkey import idempotency
from jobs.valkey.idempotency import KEPT, holder_key
from jobs.valkey.job_store import JobStore
from jobs.values import IdempotencyKey
from tests.jobs_examples import new_job
from tests.waiting import wait_for
from workers.reconciler.reconciler import Reconciler


def keyed_job(key: str = "order-1", fingerprint: str = "a" * 64, tenant: str = "local") -> Job:
    return new_job(tenant=tenant, idempotency=IdempotencyKey(key=key, fingerprint=fingerprint))


@pytest.fixture
def reconciler(settings: Settings, store: JobStore, storage: ObjectStorage) -> Reconciler:
    return Reconciler(store, storage, JobQueue(create_celery(settings)), timedelta(hours=1))


def lose_reservation(valkey_url: str, job: Job) -> None:
    """As if it had expired."""
    assert job.idempotency
    with Redis.from_url(valkey_url) as client:
        client.delete(holder_key(job.tenant, job.idempotency.key))


def test_a_key_is_reserved_until_its_job_is_accepted_and_then_leads_to_it(store: JobStore) -> None:
    first, second = keyed_job(), keyed_job()
    assert store.reserve(first) is None
    holder = store.reserve(second)
    assert holder
    assert (holder.job_id, holder.is_confirmed) == (first.id, False)
    store.accept(first)
    holder = store.reserve(second)
    assert holder
    assert (holder.job_id, holder.is_confirmed) == (first.id, True)


def test_a_key_is_kept_for_a_day_from_its_job_on(store: JobStore, valkey_url: str) -> None:
    job = keyed_job()
    store.reserve(job)
    with Redis.from_url(valkey_url) as client:
        place = holder_key("local", "order-1")
        assert client.pttl(place) <= idempotency.RESERVED / timedelta(milliseconds=1)
        store.accept(job)
        kept = KEPT / timedelta(milliseconds=1)
        assert kept - 60_000 < client.pttl(place) <= kept


def test_a_released_key_can_be_reserved_again(store: JobStore) -> None:
    refused, second = keyed_job(), keyed_job()
    store.reserve(refused)
    store.release(refused)
    assert store.reserve(second) is None
    store.release(refused)
    assert store.reserve(refused) is not None


def test_a_key_of_another_tenant_is_another_key(store: JobStore) -> None:
    assert store.reserve(keyed_job(tenant="one")) is None
    assert store.reserve(keyed_job(tenant="two")) is None


def test_of_two_jobs_that_both_held_a_key_one_is_accepted(store: JobStore, valkey_url: str) -> None:
    slow, next_one = keyed_job(), keyed_job()
    store.reserve(slow)
    lose_reservation(valkey_url, slow)
    store.reserve(next_one)
    with pytest.raises(IdempotencyKeyTaken, match=next_one.id):
        store.accept(slow)
    with pytest.raises(JobNotFound):
        store.get(slow.id)
    assert store.accept(next_one)


def test_a_job_with_an_expired_reservation_is_accepted_if_its_key_is_free(
    store: JobStore, valkey_url: str
) -> None:
    slow = keyed_job()
    store.reserve(slow)
    lose_reservation(valkey_url, slow)
    assert store.accept(slow)
    holder = store.reserve(keyed_job())
    assert holder
    assert holder.job_id == slow.id


def test_of_many_that_are_accepted_under_one_key_at_once_one_is(store: JobStore) -> None:
    jobs = [keyed_job() for _ in range(12)]

    def accept(job: Job) -> bool:
        try:
            return store.accept(job)
        except IdempotencyKeyTaken:
            return False

    with ThreadPoolExecutor(len(jobs)) as pool:
        assert list(pool.map(accept, jobs)).count(True) == 1
    assert sum(store.counts().values()) == 1


def test_a_deleted_job_keeps_its_key_so_that_a_late_copy_of_its_request_makes_no_job(
    store: JobStore,
) -> None:
    job = keyed_job()
    store.reserve(job)
    store.accept(job)
    store.delete(job.id)
    holder = store.reserve(keyed_job())
    assert holder
    assert holder.job_id == job.id


def test_a_restored_job_holds_its_key_again(
    store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", timedelta(seconds=-60))
    job = keyed_job()
    storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")
    store.accept(job)
    with Redis.from_url(valkey_url) as client:
        client.flushall()
    assert reconciler.run_once().restored == 1
    holder = store.reserve(keyed_job())
    assert holder
    assert (holder.job_id, holder.is_confirmed) == (job.id, True)


def test_a_journal_entry_whose_request_was_sent_again_is_not_restored(
    store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", timedelta(seconds=-60))
    crashed, again = keyed_job(), keyed_job()
    storage.put(request_key(crashed.id), crashed.model_dump_json().encode(), "application/json")
    store.accept(again)
    assert reconciler.run_once().restored == 0
    with pytest.raises(JobNotFound):
        store.get(crashed.id)
    wait_for(lambda: list(storage.objects("jobs/")) == [])
