"""Passes over the bucket: a piece per round, whatever the bucket holds."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from redis import Redis

from jobs.assets import Asset, AssetKind
from jobs.job import Job
from jobs.s3.assets import Assets
from jobs.s3.object_store import ObjectStorage, StoredObject
from jobs.s3.paths import audio_key, job_prefix, portrait_key, request_key
from jobs.valkey.job_store import JobStore
from tests.jobs_examples import new_job
from workers.reconciler.bucket_reader import BucketReader
from workers.reconciler.tally import Tally

LONG = timedelta(days=1)
NONE = timedelta(seconds=-60)
"""A time that is over for every object, also where the clocks of both stores differ."""


@pytest.fixture
def reader(store: JobStore, storage: ObjectStorage) -> BucketReader:
    return BucketReader(store, storage, LONG)


@pytest.fixture
def by_the_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each round take a single step."""
    monkeypatch.setattr("workers.reconciler.bucket_reader.READING", -1)


@pytest.fixture
def listed(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prefixes whose objects were listed."""
    prefixes, objects = [], storage.objects

    def noted(prefix: str, after: str = "") -> Iterator[StoredObject]:
        prefixes.append(prefix)
        return objects(prefix, after)

    monkeypatch.setattr(storage, "objects", noted)
    return prefixes


def journaled(storage: ObjectStorage) -> Job:
    """Store a job's journal entry and nothing else."""
    job = new_job()
    storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")
    return job


def lose_all_data(valkey_url: str) -> None:
    with Redis.from_url(valkey_url) as client:
        client.flushall()


def rest_of_the_pass(reader: BucketReader, store: JobStore) -> list[Tally]:
    """Return what each round did until the end of the pass."""
    done = []
    while not store.maintenance.is_journal_read():
        done.append(reader.read())
    return done


def test_the_objects_of_a_job_with_a_record_are_not_listed(
    store: JobStore, storage: ObjectStorage, reader: BucketReader, listed: list[str]
) -> None:
    known = [journaled(storage) for _ in range(3)]
    for job in known:
        store.accept(job)
    storage.put(portrait_key("job_lost"), b"portrait", "image/png")
    reader.read()
    # The object store of the tests keeps empty folders of jobs of others.
    assert "jobs/job_lost/" in listed
    assert not {job_prefix(job.id) for job in known} & set(listed)


@pytest.mark.usefixtures("by_the_piece")
def test_a_pass_takes_as_many_rounds_as_the_bucket_needs(
    store: JobStore, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.s3.assets.KEPT", NONE)
    for number in range(3):
        storage.put(portrait_key(f"job_{number}"), b"portrait", "image/png")
        Assets(storage).register(Asset.create("acme", AssetKind.AUDIO, 4, "audio/wav"))
    known = journaled(storage)
    store.accept(known)
    reader = BucketReader(store, storage, NONE)
    swept = [tally.swept for tally in rest_of_the_pass(reader, store)]
    assert (sum(swept), max(swept)) == (6, 1)
    assert [item.key for item in storage.objects("")] == [request_key(known.id)]
    assert reader.pass_seconds > 0


@pytest.mark.usefixtures("by_the_piece")
def test_the_next_leader_continues_the_pass(
    store: JobStore,
    storage: ObjectStorage,
    reader: BucketReader,
    listed: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(3):
        storage.put(portrait_key(f"job_{number}"), b"portrait", "image/png")
    monkeypatch.setattr("workers.reconciler.bucket_reader.LISTINGS", 1)
    reader.read()
    assert (reader.is_reading, listed) == (True, ["jobs/job_0/"])
    other = BucketReader(store, storage, LONG)
    rest_of_the_pass(other, store)
    assert not other.is_reading
    assert listed == ["jobs/job_0/", "jobs/job_1/", "jobs/job_2/", "assets/"]


@pytest.mark.usefixtures("by_the_piece")
def test_after_a_loss_between_two_rounds_a_new_pass_begins(
    store: JobStore,
    storage: ObjectStorage,
    reader: BucketReader,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", NONE)
    jobs = [journaled(storage) for _ in range(2)]
    assert [reader.read().restored for _ in jobs] == [1, 1]
    lose_all_data(valkey_url)
    assert sum(tally.restored for tally in rest_of_the_pass(reader, store)) == len(jobs)


def test_after_a_loss_within_a_round_a_new_pass_begins(
    store: JobStore,
    reader: BucketReader,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sweep = Assets.sweep

    def sweep_after_the_loss(
        assets: Assets, now: datetime, after: str
    ) -> Iterator[tuple[str, bool]]:
        lose_all_data(valkey_url)
        return sweep(assets, now, after)

    with monkeypatch.context() as loss:
        loss.setattr(Assets, "sweep", sweep_after_the_loss)
        reader.read()
    assert not store.maintenance.is_journal_read()
    assert store.maintenance.current_pass() is None


def test_an_orphan_is_inspected_once_and_again_when_it_is_due(
    store: JobStore,
    storage: ObjectStorage,
    reader: BucketReader,
    listed: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = journaled(storage)
    storage.put(audio_key("job_lost"), b"audio", "audio/wav")
    monkeypatch.setattr(store.maintenance, "is_journal_read", lambda: False)
    assert [reader.read() for _ in range(3)] == [Tally()] * 3
    assert sorted(listed) == sorted([*["assets/"] * 3, "jobs/job_lost/", f"jobs/{job.id}/"])
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", NONE)
    assert reader.read() == Tally(restored=1)
    assert BucketReader(store, storage, NONE).read() == Tally(swept=1)
    assert [store.orphans.due(at, at) for at in [store.now()]] == [[]]


def test_a_job_accepted_meanwhile_is_not_an_orphan(
    store: JobStore, storage: ObjectStorage, reader: BucketReader
) -> None:
    job = journaled(storage)
    reader.read()
    assert store.orphans.not_noted([job.id]) == []
    store.accept(job)
    store.orphans.note(job.id, store.now() - LONG, is_new=True)  # a minute later
    assert reader.read() == Tally()
    assert store.orphans.not_noted([job.id]) == [job.id]


def test_a_folder_that_the_server_kept_without_objects_is_deleted(
    storage: ObjectStorage, reader: BucketReader
) -> None:
    key = portrait_key("job_cleared")
    storage.put(key, b"portrait", "image/png")
    storage._delete([key])
    assert reader.read() == Tally()
    assert list(storage.prefixes("jobs/")) == []
