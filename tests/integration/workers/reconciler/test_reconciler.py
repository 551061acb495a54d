from collections.abc import Callable
from datetime import timedelta

import pytest
from redis import Redis

from jobs.assets import Asset, AssetKind
from jobs.errors import (
    JobNotFound,
    QueueUnavailable,
    StaleAttempt,
    StorageUnavailable,
    StoreUnavailable,
)
from jobs.job import MAX_ATTEMPTS, Job, JobStatus, Priority
from jobs.queue import JobQueue, create_celery, queue_name
from jobs.s3.assets import Assets
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import audio_key, job_prefix, portrait_key, request_key, video_key
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from jobs.valkey.keys import CLEANUPS, JOURNAL_READ, record_key
from jobs.valkey.webhook_outbox import WebhookOutbox
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.waiting import wait_for
from workers.reconciler.bucket_reader import JOURNAL_GRACE
from workers.reconciler.reconciler import Reconciler
from workers.reconciler.tally import Tally

NORMAL_QUEUE = queue_name(Priority.NORMAL)


@pytest.fixture
def hasty_store(valkey_url: str) -> JobStore:
    """A store whose leases expire at once, and whose jobs are retried at once."""
    settings = Settings(valkey_url=valkey_url, lease_seconds=1e-6, retry_pause_seconds=0)
    return JobStore.connect(settings)


@pytest.fixture
def queue(valkey_url: str) -> JobQueue:
    return JobQueue(create_celery(Settings(valkey_url=valkey_url)))


@pytest.fixture
def messages(valkey_url: str) -> Callable[[], int]:
    """Return the number of messages in the queue."""

    def count() -> int:
        with Redis.from_url(valkey_url) as client:
            return int(client.llen(NORMAL_QUEUE))

    return count


@pytest.fixture
def reconciler(hasty_store: JobStore, storage: ObjectStorage, queue: JobQueue) -> Reconciler:
    return Reconciler(hasty_store, storage, queue, timedelta(hours=1))


def submit(store: JobStore, storage: ObjectStorage) -> Job:
    """Do what an accepted request does, except for its message."""
    job = new_job()
    storage.put(portrait_key(job.id), b"portrait", "image/png")
    storage.put(audio_key(job.id), b"audio", "audio/wav")
    storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")
    store.accept(job)
    return job


def as_queued(restored: Job) -> Job:
    """Return a restored job as it was first accepted."""
    return restored.model_copy(update={"attempt": 0, "handed_back": 0})


def keys(storage: ObjectStorage) -> list[str]:
    return [item.key for item in storage.objects("jobs/")]


def lose_all_data(valkey_url: str) -> None:
    with Redis.from_url(valkey_url) as client:
        client.flushall()


def test_without_faults_nothing_is_done(
    store: JobStore, storage: ObjectStorage, queue: JobQueue, messages: Callable[[], int]
) -> None:
    waiting, running, done = (submit(store, storage) for _ in range(3))
    store.claim(running.id)
    store.claim(done.id)
    store.fail(done.id, 1, FAILURE)
    before = keys(storage)
    assert Reconciler(store, storage, queue, timedelta(hours=1)).run_once() == Tally()
    assert store.get(waiting.id).status is JobStatus.QUEUED
    assert store.get(running.id).status is JobStatus.PROCESSING
    assert keys(storage) == before
    assert messages() == 0


def test_a_job_whose_worker_died_is_queued_again(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    messages: Callable[[], int],
) -> None:
    job = submit(hasty_store, storage)
    hasty_store.claim(job.id)
    assert reconciler.run_once() == Tally(requeued=1, dispatched=1)
    assert messages() == 1
    assert hasty_store.get(job.id).status is JobStatus.QUEUED
    assert hasty_store.claim(job.id).attempt == 2


def test_a_store_outage_does_not_count_as_a_dead_worker(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = submit(hasty_store, storage)
    hasty_store.claim(job.id)

    def be_silent(*_: object) -> bool:
        raise StoreUnavailable("Valkey does not answer.")

    with monkeypatch.context() as outage:
        outage.setattr(hasty_store.maintenance, "lead", be_silent)
        with pytest.raises(StoreUnavailable):
            reconciler.run_once()
    assert reconciler.run_once().requeued == 0
    assert hasty_store.get(job.id).status is JobStatus.PROCESSING
    assert reconciler.run_once().requeued == 1


def test_incomplete_uploads_are_swept_when_the_journal_is_read(
    hasty_store: JobStore, storage: ObjectStorage, queue: JobQueue
) -> None:
    storage._client.create_multipart_upload(Bucket=storage._bucket, Key=video_key(new_job().id, 1))
    retention = timedelta(seconds=-60)
    assert Reconciler(hasty_store, storage, queue, retention).run_once() == Tally(swept=1)


def test_a_job_that_kills_every_worker_fails_and_leaves_only_its_record(
    hasty_store: JobStore, storage: ObjectStorage, reconciler: Reconciler
) -> None:
    job = submit(hasty_store, storage)
    for _ in range(MAX_ATTEMPTS - 1):
        hasty_store.claim(job.id)
        assert reconciler.run_once().requeued == 1
    hasty_store.claim(job.id)
    tally = reconciler.run_once()
    assert (tally.requeued, tally.failed, tally.lost) == (0, 1, 1)
    wait_for(lambda: reconciler.run_once() and not keys(storage))
    failed = hasty_store.get(job.id)
    assert failed.failure is not None
    assert failed.failure.code == "worker_lost"


def test_a_job_that_was_accepted_but_never_dispatched_is_dispatched(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    messages: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.valkey.records.DISPATCH_GRACE", timedelta(0))
    submit(hasty_store, storage)
    assert reconciler.run_once() == Tally(dispatched=1)
    assert messages() == 1
    assert reconciler.run_once() == Tally()
    assert messages() == 1


def test_a_job_is_dispatched_to_the_queue_of_its_priority(
    hasty_store: JobStore,
    reconciler: Reconciler,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.valkey.records.DISPATCH_GRACE", timedelta(0))
    for priority in Priority:
        hasty_store.accept(new_job(priority=priority))
    reconciler.run_once()
    with Redis.from_url(valkey_url) as client:
        assert [client.llen(queue_name(priority)) for priority in Priority] == [1, 1, 1]


def test_a_job_whose_message_was_lost_is_dispatched_again(
    hasty_store: JobStore,
    storage: ObjectStorage,
    queue: JobQueue,
    reconciler: Reconciler,
    messages: Callable[[], int],
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jobs.valkey.job_store.REDISPATCH_AFTER", timedelta(0))
    job = submit(hasty_store, storage)
    queue.dispatch(job.id)
    hasty_store.mark_dispatched(job.id)
    with Redis.from_url(valkey_url) as client:
        client.delete(NORMAL_QUEUE)  # as if a worker died between taking and recording it
    wait_for(hasty_store.maintenance.undispatched)
    assert reconciler.run_once().dispatched == 1
    assert messages() == 1


def test_a_dead_broker_leaves_the_job_to_the_next_round(
    hasty_store: JobStore, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.valkey.records.DISPATCH_GRACE", timedelta(0))
    dead = JobQueue(create_celery(Settings(valkey_url="redis://127.0.0.1:1/0")))
    job = submit(hasty_store, storage)
    with pytest.raises(QueueUnavailable):
        Reconciler(hasty_store, storage, dead, timedelta(hours=1)).run_once()
    assert hasty_store.maintenance.undispatched() == [job.id]


def test_a_dead_object_store_does_not_prevent_requeuing(
    hasty_store: JobStore, storage: ObjectStorage, queue: JobQueue
) -> None:
    job = submit(hasty_store, storage)
    hasty_store.claim(job.id)
    dead = ObjectStorage.connect(Settings(s3_endpoint_url="http://127.0.0.1:1"))
    with pytest.raises(StorageUnavailable):
        Reconciler(hasty_store, dead, queue, timedelta(hours=1)).run_once()
    assert hasty_store.get(job.id).status is JobStatus.QUEUED


def test_undeletable_files_of_one_job_do_not_block_others(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = [submit(hasty_store, storage) for _ in range(3)]
    for job in jobs:
        hasty_store.delete(job.id)
    locked, delete = job_prefix(jobs[0].id), storage.delete_prefix

    def refuse(prefix: str, keep: str | None = None) -> None:
        if prefix == locked:
            raise StorageUnavailable("It is locked.")
        delete(prefix, keep)

    monkeypatch.setattr(storage, "delete_prefix", refuse)
    wait_for(lambda: len(hasty_store.maintenance.cleanups_due()) == 3)
    with pytest.raises(StorageUnavailable, match="locked"):
        reconciler.run_once()
    assert reconciler.undeleted == 1
    assert {key.split("/")[1] for key in keys(storage)} == {jobs[0].id}
    monkeypatch.undo()
    reconciler.run_once()
    assert (reconciler.undeleted, keys(storage)) == (0, [])


def test_only_the_winning_video_of_a_succeeded_job_is_kept(
    hasty_store: JobStore, storage: ObjectStorage, reconciler: Reconciler
) -> None:
    job = submit(hasty_store, storage)
    for attempt in (1, 2):
        hasty_store.claim(job.id)
        storage.put(video_key(job.id, attempt), b"video", "video/mp4")
        if attempt == 1:
            hasty_store.requeue(job.id, attempt)
    hasty_store.finish(job.id, 2, result_of(job.id, 2))
    wait_for(hasty_store.maintenance.cleanups_due)
    assert reconciler.run_once() == Tally(cleared=1)
    assert keys(storage) == [video_key(job.id, 2)]
    assert reconciler.run_once() == Tally()


@pytest.mark.parametrize("is_claimed", [True, False])
def test_a_canceled_job_leaves_only_its_record(
    hasty_store: JobStore, storage: ObjectStorage, reconciler: Reconciler, is_claimed: bool
) -> None:
    job = submit(hasty_store, storage)
    if is_claimed:
        hasty_store.claim(job.id)
        storage.put(video_key(job.id, 1), b"video", "video/mp4")
    hasty_store.cancel(job.id)
    wait_for(hasty_store.maintenance.cleanups_due)
    assert reconciler.run_once() == Tally(cleared=1)
    assert keys(storage) == []
    assert hasty_store.get(job.id).status is JobStatus.CANCELED


def test_the_objects_of_a_deleted_job_are_deleted(
    hasty_store: JobStore, storage: ObjectStorage, reconciler: Reconciler
) -> None:
    job, other = submit(hasty_store, storage), submit(hasty_store, storage)
    hasty_store.delete(job.id)
    wait_for(hasty_store.maintenance.cleanups_due)
    reconciler.run_once()
    assert len(keys(storage)) == 3
    assert all(other.id in key for key in keys(storage))


def test_a_job_past_its_retention_is_deleted(
    hasty_store: JobStore, storage: ObjectStorage, queue: JobQueue
) -> None:
    ended, waiting = submit(hasty_store, storage), submit(hasty_store, storage)
    hasty_store.claim(ended.id)
    storage.put(video_key(ended.id, 1), b"video", "video/mp4")
    hasty_store.finish(ended.id, 1, result_of(ended.id, 1))
    reconciler = Reconciler(hasty_store, storage, queue, timedelta(0))
    assert reconciler.run_once().deleted == 1
    with pytest.raises(JobNotFound):
        hasty_store.get(ended.id)
    assert hasty_store.get(waiting.id) == waiting
    wait_for(lambda: reconciler.run_once() and len(keys(storage)) == 3)
    assert all(waiting.id in key for key in keys(storage))


def test_jobs_lost_by_the_store_are_restored_from_the_journal(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", timedelta(seconds=-60))
    lost = [submit(hasty_store, storage) for _ in range(2)]
    ended = submit(hasty_store, storage)
    hasty_store.cancel(ended.id)
    wait_for(hasty_store.maintenance.cleanups_due)
    reconciler.run_once()
    lose_all_data(valkey_url)
    assert reconciler.run_once().restored == 2
    assert [as_queued(hasty_store.get(job.id)) for job in lost] == lost
    assert all(hasty_store.get(job.id).consent == job.consent is not None for job in lost)
    with pytest.raises(JobNotFound):
        hasty_store.get(ended.id)


def test_a_worker_from_before_the_loss_changes_nothing_after_it(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", timedelta(seconds=-60))
    job = submit(hasty_store, storage)
    before = hasty_store.claim(job.id).attempt
    lose_all_data(valkey_url)
    assert reconciler.run_once().restored == 1
    after = hasty_store.claim(job.id).attempt
    with pytest.raises(StaleAttempt):
        hasty_store.finish(job.id, before, result_of(job.id, before))
    storage.put(video_key(job.id, before), b"stale", "video/mp4")
    storage.put(video_key(job.id, after), b"video", "video/mp4")
    hasty_store.finish(job.id, after, result_of(job.id, after))
    wait_for(hasty_store.maintenance.cleanups_due)
    reconciler.run_once()
    assert keys(storage) == [video_key(job.id, after)]


def test_a_job_accepted_shortly_before_the_loss_is_restored_once_its_request_is_over(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", timedelta(seconds=2))
    job = submit(hasty_store, storage)
    lose_all_data(valkey_url)
    assert reconciler.run_once() == Tally()
    wait_for(lambda: reconciler.run_once().restored == 1)
    assert as_queued(hasty_store.get(job.id)) == job


def test_an_intact_journal_is_not_read_again_soon(
    hasty_store: JobStore, storage: ObjectStorage, reconciler: Reconciler, valkey_url: str
) -> None:
    submit(hasty_store, storage)
    reconciler.run_once()
    with Redis.from_url(valkey_url) as client:
        assert client.ttl(JOURNAL_READ) > JOURNAL_GRACE.total_seconds()


def test_orphaned_objects_older_than_the_retention_are_swept(
    store: JobStore, storage: ObjectStorage, queue: JobQueue, valkey_url: str
) -> None:
    known = submit(store, storage)
    storage.put(portrait_key("job_cut_short"), b"portrait", "image/png")
    storage.put(video_key("job_lost", 1), b"video", "video/mp4")
    patient = Reconciler(store, storage, queue, timedelta(hours=1))
    hasty = Reconciler(store, storage, queue, timedelta(seconds=-60))
    assert patient.run_once() == Tally()
    with Redis.from_url(valkey_url) as client:
        client.flushdb()
    store.accept(known)
    assert hasty.run_once() == Tally(swept=2)
    assert keys(storage) == sorted(key(known.id) for key in (portrait_key, audio_key, request_key))


def test_a_reconciler_frozen_during_a_loss_clears_nothing_of_a_restored_job(
    hasty_store: JobStore, storage: ObjectStorage, reconciler: Reconciler, valkey_url: str
) -> None:
    job = submit(hasty_store, storage)
    before = keys(storage)
    with Redis.from_url(valkey_url) as client:
        client.zadd(CLEANUPS, {job.id: 1})  # as it read it before
    assert reconciler.run_once() == Tally(cleared=1)
    assert keys(storage) == before


def test_a_restored_job_notifies_its_webhook(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", timedelta(seconds=-60))
    job = new_job(webhook_url="https://example.com/hook")
    storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")
    assert reconciler.run_once().restored == 1
    for _ in range(MAX_ATTEMPTS):
        hasty_store.claim(job.id)
        reconciler.run_once()
    assert hasty_store.get(job.id).status is JobStatus.FAILED
    outbox = WebhookOutbox.connect(Settings(valkey_url=valkey_url))
    assert outbox.claim(10, timedelta(minutes=1)) == [job.id]


def test_a_job_that_its_caller_deleted_is_not_restored(
    store: JobStore, storage: ObjectStorage, queue: JobQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", timedelta(seconds=-60))
    job = submit(store, storage)
    store.delete(job.id)
    assert Reconciler(store, storage, queue, timedelta(hours=1)).run_once() == Tally()
    with pytest.raises(JobNotFound):
        store.get(job.id)


def test_a_deleted_job_is_not_restored_from_an_entry_read_before(
    hasty_store: JobStore, storage: ObjectStorage, reconciler: Reconciler
) -> None:
    job = submit(hasty_store, storage)
    entry = Job.model_validate_json(storage.get(request_key(job.id)))
    hasty_store.delete(job.id)
    wait_for(lambda: reconciler.run_once().cleared == 1)
    assert hasty_store.maintenance.cleanups_due() == []
    assert not hasty_store.accept(entry)


def test_a_round_that_has_cleared_for_long_leaves_the_rest_to_the_next(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.reconciler.reconciler.CLEARING", -1)
    for _ in range(2):
        hasty_store.delete(submit(hasty_store, storage).id)
    wait_for(lambda: len(hasty_store.maintenance.cleanups_due()) == 2)
    assert [reconciler.run_once().cleared for _ in range(3)] == [1, 1, 0]


def test_a_request_that_is_still_being_accepted_is_not_restored(
    hasty_store: JobStore, storage: ObjectStorage, reconciler: Reconciler
) -> None:
    job = new_job()
    storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")
    assert reconciler.run_once() == Tally()
    with pytest.raises(JobNotFound):
        hasty_store.get(job.id)


def test_an_unreadable_journal_entry_does_not_block_others(
    hasty_store: JobStore,
    storage: ObjectStorage,
    reconciler: Reconciler,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", timedelta(seconds=-60))
    storage.put(request_key("job_!"), b"{", "application/json")
    job = new_job()
    storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")
    assert reconciler.run_once() == Tally(restored=1)
    assert request_key("job_!") in caplog.text


@pytest.mark.parametrize("state", ["queued", "processing", "ended", "past retention"])
def test_an_unreadable_record_delays_no_other_job(
    hasty_store: JobStore,
    storage: ObjectStorage,
    queue: JobQueue,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    state: str,
) -> None:
    monkeypatch.setattr("jobs.valkey.records.DISPATCH_GRACE", timedelta(0))
    damaged, other = submit(hasty_store, storage), submit(hasty_store, storage)
    if state == "processing":
        hasty_store.claim(damaged.id)
    elif state != "queued":
        hasty_store.cancel(damaged.id)
    hasty_store.claim(other.id)
    with Redis.from_url(valkey_url) as client:
        client.set(record_key(damaged.id), '{"a field": "of a later version"}')
    retention = timedelta(0 if state == "past retention" else 1)
    tally = Reconciler(hasty_store, storage, queue, retention).run_once()
    assert (tally.requeued, hasty_store.get(other.id).status) == (1, JobStatus.QUEUED)
    assert "cannot be read" in caplog.text
    assert len([key for key in keys(storage) if damaged.id in key]) == 3


def test_one_reconciler_leads_and_the_others_wait(
    hasty_store: JobStore, storage: ObjectStorage, queue: JobQueue, reconciler: Reconciler
) -> None:
    reconciler.run_once()
    job = submit(hasty_store, storage)
    hasty_store.claim(job.id)
    other = Reconciler(hasty_store, storage, queue, timedelta(hours=1))
    assert other.run_once() == Tally()
    assert reconciler.run_once() == Tally(requeued=1, dispatched=1)


def test_assets_past_their_day_are_swept(
    store: JobStore,
    storage: ObjectStorage,
    queue: JobQueue,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Assets(storage).register(Asset.create("acme", AssetKind.AUDIO, 4, "audio/wav"))
    reconciler = Reconciler(store, storage, queue, timedelta(hours=1))
    assert reconciler.run_once() == Tally()
    monkeypatch.setattr("jobs.s3.assets.KEPT", timedelta(seconds=-60))
    assert reconciler.run_once() == Tally(), "it was looked at already"
    monkeypatch.setattr(store.maintenance, "is_journal_read", lambda: False)
    assert reconciler.run_once() == Tally(swept=1)
    assert list(storage.objects("assets/")) == []
