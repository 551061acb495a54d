"""The limits of an API key are never exceeded, however many concurrent requests there are."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from redis import Redis

from jobs.errors import LimitReached, QuotaExceeded, TooManyJobs
from jobs.job import JobStatus
from jobs.valkey import quotas
from jobs.valkey.api_keys import Quota
from jobs.valkey.job_store import JobStore
from jobs.values import Failure
from tests.jobs_examples import new_job, result_of

KEY = "00000000000000ff"
TWO_AT_A_TIME = Quota(concurrent_jobs=2)


def make(store: JobStore, quota: Quota, key_id: str = KEY) -> str:
    job = new_job(key_id=key_id)
    assert store.accept(job, quota)
    return job.id


def may_make(store: JobStore, quota: Quota) -> bool:
    try:
        make(store, quota)
    except LimitReached:
        return False
    return True


@pytest.mark.parametrize("quota", [Quota(concurrent_jobs=5), Quota(jobs_a_day=5)])
def test_concurrent_jobs_cannot_exceed_the_limit(store: JobStore, quota: Quota) -> None:
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda _: may_make(store, quota), range(40)))
    assert responses.count(True) == 5
    assert sum(store.counts().values()) == 5


def cancel(store: JobStore, job_id: str) -> None:
    store.cancel(job_id)


def delete(store: JobStore, job_id: str) -> None:
    store.delete(job_id)


def finish(store: JobStore, job_id: str) -> None:
    store.claim(job_id)
    store.finish(job_id, 1, result_of(job_id, 1))


@pytest.mark.parametrize("end", [cancel, delete, finish])
def test_an_ended_job_frees_its_slot(store: JobStore, end: Callable[[JobStore, str], None]) -> None:
    first = make(store, TWO_AT_A_TIME)
    make(store, TWO_AT_A_TIME)
    with pytest.raises(TooManyJobs, match="2 unfinished jobs"):
        store.require_quota(KEY, TWO_AT_A_TIME)
    end(store, first)
    store.require_quota(KEY, TWO_AT_A_TIME)
    make(store, TWO_AT_A_TIME)


def test_a_requeued_job_is_still_unfinished(store: JobStore) -> None:
    job_id = make(store, TWO_AT_A_TIME)
    store.claim(job_id)
    store.requeue(job_id, 1)
    make(store, TWO_AT_A_TIME)
    assert not may_make(store, TWO_AT_A_TIME)


def test_a_deleted_job_stays_counted_for_the_day(store: JobStore) -> None:
    once = Quota(jobs_a_day=1)
    store.delete(make(store, once))
    with pytest.raises(QuotaExceeded) as refusal:
        make(store, once)
    assert timedelta() < refusal.value.wait <= timedelta(days=1)


def test_a_restored_job_counts_as_unfinished_but_not_as_created_today(store: JobStore) -> None:
    job = new_job(key_id=KEY)
    store.accept(job)
    store.require_quota(KEY, Quota(jobs_a_day=1))
    with pytest.raises(TooManyJobs):
        store.require_quota(KEY, Quota(concurrent_jobs=1))


def test_keys_have_separate_quotas(store: JobStore) -> None:
    once = Quota(concurrent_jobs=1, jobs_a_day=1)
    make(store, once)
    make(store, once, key_id="00000000000000ee")


def test_a_job_without_a_key_is_counted_but_not_limited(store: JobStore) -> None:
    store.accept(new_job(), Quota(concurrent_jobs=1, jobs_a_day=1))
    store.accept(new_job(), Quota(concurrent_jobs=1, jobs_a_day=1))
    usage = store.usage(None)
    assert (usage.created, usage.unfinished) == (2, 2)


def test_usage_counts_each_job_once_by_its_end(store: JobStore) -> None:
    quota = Quota()
    jobs = [make(store, quota) for _ in range(6)]
    finish(store, jobs[0])
    finish(store, jobs[1])
    store.finish(jobs[1], 1, result_of(jobs[1], 1))  # repeated after a lost response
    store.claim(jobs[2])
    store.fail(jobs[2], 1, Failure(code="no_face", message="The portrait shows no face."))
    store.cancel(jobs[3])
    store.delete(jobs[4])
    store.claim(jobs[5])
    store.requeue(jobs[5], 1)
    make(store, quota, key_id="00000000000000ee")
    usage = store.usage(KEY)
    assert (usage.created, usage.unfinished) == (6, 1)
    assert usage.ended == {
        JobStatus.SUCCEEDED: 2,
        JobStatus.FAILED: 1,
        JobStatus.CANCELED: 1,
    }
    assert usage.video_seconds == pytest.approx(2 * result_of(jobs[0], 1).duration)
    assert usage.day_start <= usage.now < usage.day_end
    store.delete(jobs[0])
    assert store.usage(KEY).ended == usage.ended


def test_a_new_day_begins_at_midnight_by_utc(store: JobStore, valkey_url: str) -> None:
    make(store, Quota(jobs_a_day=1))
    with Redis.from_url(valkey_url, decode_responses=True) as client:
        today = store.now()
        midnight = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1)
        with pytest.raises(QuotaExceeded):
            quotas.require_quota(client, KEY, Quota(jobs_a_day=1), today)
        quotas.require_quota(client, KEY, Quota(jobs_a_day=1), midnight)
        assert quotas.read_usage(client, KEY, midnight).created == 0
