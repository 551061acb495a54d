from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from redis import Redis

from jobs.errors import InvalidTransition, JobChanged, JobNotFound, JobsError, StaleAttempt
from jobs.eta import RUNS_KEPT, Run
from jobs.job import MAX_ATTEMPTS, Job, JobStatus, Priority, Stage
from jobs.settings import Settings
from jobs.valkey.connection import clock_time, score
from jobs.valkey.job_store import JobStore
from jobs.valkey.keys import CHANGES, CLEANUPS, OUTBOX, events_key, index_key
from jobs.valkey.records import DISPATCH_GRACE
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.waiting import PATIENCE, wait_for

Word = Callable[[JobStore, str, int], object]

WORDS: dict[str, Word] = {
    "advance": lambda store, id, attempt: store.advance(id, attempt, Stage.RENDERING, 0.9),
    "renew": lambda store, id, attempt: store.renew(id, attempt),
    "finish": lambda store, id, attempt: store.finish(id, attempt, result_of(id, attempt)),
    "fail": lambda store, id, attempt: store.fail(id, attempt, FAILURE),
    "requeue": lambda store, id, attempt: store.requeue(id, attempt),
    "postpone": lambda store, id, attempt: store.postpone(id, attempt),
    "hand_back": lambda store, id, attempt: store.hand_back(id, attempt),
    "requeue_expired": lambda store, id, attempt: store.requeue_expired(id, attempt),
}


@pytest.fixture
def job(store: JobStore) -> Job:
    job = new_job()
    store.accept(job)
    return job


@pytest.fixture
def hasty_store(valkey_url: str) -> JobStore:
    """A store whose leases expire at once."""
    return JobStore.connect(Settings(valkey_url=valkey_url, lease_seconds=1e-6))


def all_at_once(*words: Callable[[], object]) -> list[object]:
    """Return the results of calls made in threads that start together."""
    barrier = Barrier(len(words))

    def say(word: Callable[[], object]) -> object:
        barrier.wait()
        try:
            return word()
        except JobsError as error:
            return error

    with ThreadPoolExecutor(len(words)) as pool:
        return list(pool.map(say, words))


def test_an_accepted_job_is_found_as_it_was(store: JobStore, job: Job) -> None:
    assert store.get(job.id) == job
    assert store.counts()[JobStatus.QUEUED] == 1


def test_an_unknown_job_is_not_found(store: JobStore) -> None:
    for ask in (store.get, store.claim, store.cancel, store.delete):
        with pytest.raises(JobNotFound, match="job_unknown"):
            ask("job_unknown")


def test_accepting_a_job_again_does_not_reset_it(store: JobStore, job: Job) -> None:
    claimed = store.claim(job.id)
    assert store.accept(job) is False
    assert store.get(job.id) == claimed
    assert store.counts()[JobStatus.QUEUED] == 0


def test_a_job_goes_from_claim_to_video(store: JobStore, job: Job) -> None:
    assert store.claim(job.id).attempt == 1
    assert store.advance(job.id, 1, Stage.RENDERING, 0.5).progress == 0.5
    done = store.finish(job.id, 1, result_of(job.id, 1), ("The face was small.",))
    assert store.get(job.id) == done
    assert done.status is JobStatus.SUCCEEDED
    assert done.notices == ("The face was small.",)


def test_the_events_contain_every_change_in_order(store: JobStore, job: Job) -> None:
    store.claim(job.id)
    store.advance(job.id, 1, Stage.RENDERING, 0.5)
    store.fail(job.id, 1, FAILURE)
    events = store.events(job.id)
    assert [event.job.status for event in events] == [
        "queued",
        "processing",
        "processing",
        "failed",
    ]
    assert [event.job.progress for event in events] == [0.0, 0.0, 0.5, 0.5]
    assert store.events(job.id, after=events[1].id) == events[2:]
    assert store.events(job.id, after=events[-1].id) == []


def test_the_time_of_a_change_is_the_stores_own(store: JobStore, job: Job) -> None:
    before = store.now()
    assert before <= store.claim(job.id).updated_at <= store.now()


def test_one_of_many_concurrent_claims_succeeds(store: JobStore) -> None:
    for _ in range(5):
        job = new_job()
        store.accept(job)
        outcomes = all_at_once(*[lambda: store.claim(job.id)] * 16)  # noqa: B023 - called below
        assert sum(isinstance(outcome, Job) for outcome in outcomes) == 1
        assert sum(type(outcome) is InvalidTransition for outcome in outcomes) == 15
        assert store.get(job.id).attempt == 1


def test_a_finish_that_races_with_its_lease_has_one_outcome(hasty_store: JobStore) -> None:
    store = hasty_store
    for _ in range(20):
        job = new_job()
        store.accept(job)
        store.claim(job.id)
        finished, requeued = all_at_once(
            lambda: store.finish(job.id, 1, result_of(job.id, 1)),  # noqa: B023 - called below
            lambda: store.requeue_expired(job.id, 1),  # noqa: B023 - called below
        )
        assert isinstance(finished, Job) != isinstance(requeued, Job)
        loser = requeued if isinstance(finished, Job) else finished
        assert isinstance(loser, StaleAttempt)
        expected = JobStatus.SUCCEEDED if isinstance(finished, Job) else JobStatus.QUEUED
        assert store.get(job.id).status is expected


def test_one_of_many_concurrent_final_states_wins(store: JobStore) -> None:
    for _ in range(10):
        job = new_job()
        store.accept(job)
        store.claim(job.id)
        outcomes = all_at_once(
            lambda: store.finish(job.id, 1, result_of(job.id, 1)),  # noqa: B023 - called below
            lambda: store.fail(job.id, 1, FAILURE),  # noqa: B023 - called below
            lambda: store.cancel(job.id),  # noqa: B023 - called below
        )
        (winner,) = [outcome for outcome in outcomes if isinstance(outcome, Job)]
        assert store.get(job.id) == winner
        assert [event.job.status.is_final for event in store.events(job.id)].count(True) == 1


def test_concurrent_writes_lose_no_change(store: JobStore, job: Job) -> None:
    store.claim(job.id)
    reports = [n / 100 for n in range(1, 9)]
    all_at_once(*[lambda p=p: store.advance(job.id, 1, Stage.RENDERING, p) for p in reports])
    assert store.get(job.id).progress == max(reports)
    assert len(store.events(job.id)) == 2 + len(reports)


@pytest.mark.parametrize("word", WORDS)
def test_a_stale_attempt_changes_nothing(store: JobStore, job: Job, word: str) -> None:
    store.claim(job.id)
    store.requeue(job.id, 1)
    store.claim(job.id)
    before = store.get(job.id), store.events(job.id), store.counts()
    with pytest.raises(StaleAttempt):
        WORDS[word](store, job.id, 1)
    assert (store.get(job.id), store.events(job.id), store.counts()) == before


@pytest.mark.parametrize("word", WORDS)
def test_an_attempt_on_a_canceled_job_is_stale(store: JobStore, job: Job, word: str) -> None:
    store.claim(job.id)
    store.cancel(job.id)
    with pytest.raises(StaleAttempt):
        WORDS[word](store, job.id, 1)
    assert store.get(job.id).status is JobStatus.CANCELED


def test_only_the_expected_version_is_canceled_or_deleted(store: JobStore, job: Job) -> None:
    claimed = store.claim(job.id)
    for change in (store.cancel, store.delete):
        with pytest.raises(JobChanged):
            change(job.id, job)
    assert store.get(job.id) == claimed
    canceled = store.cancel(job.id, claimed)
    with pytest.raises(InvalidTransition):
        store.cancel(job.id, claimed)
    store.delete(job.id, canceled)


@pytest.mark.parametrize("word", WORDS)
def test_an_attempt_on_a_deleted_job_is_stale(store: JobStore, job: Job, word: str) -> None:
    store.claim(job.id)
    store.delete(job.id)
    with pytest.raises(StaleAttempt):
        WORDS[word](store, job.id, 1)
    with pytest.raises(JobNotFound):
        store.get(job.id)


def test_finishing_twice_has_no_effect(store: JobStore, job: Job) -> None:
    store.claim(job.id)
    done = store.finish(job.id, 1, result_of(job.id, 1))
    events = store.events(job.id)
    assert store.finish(job.id, 1, result_of(job.id, 1)) == done
    assert store.events(job.id) == events


def test_requeuing_the_last_attempt_fails_the_job(store: JobStore, job: Job) -> None:
    for attempt in range(1, MAX_ATTEMPTS + 1):
        store.claim(job.id)
        given_up = store.requeue(job.id, attempt)
    assert given_up.status is JobStatus.FAILED
    assert store.maintenance.undispatched() == []


def test_a_lease_from_before_the_clock_was_set_back_ends_as_soon_as_any(
    store: JobStore, job: Job, valkey_url: str
) -> None:
    store.claim(job.id)
    assert store.maintenance.shorten_leases() == 0
    index = index_key(JobStatus.PROCESSING)
    with Redis.from_url(valkey_url) as client:
        client.zadd(index, {job.id: score(store.now() + timedelta(hours=1))})
        assert store.maintenance.shorten_leases() == 1
        end = clock_time(0, int(client.zscore(index, job.id) or 0))
    assert end <= store.now() + timedelta(seconds=Settings().lease_seconds)
    assert store.maintenance.shorten_leases() == 0


def test_failing_twice_has_no_effect(store: JobStore, job: Job) -> None:
    store.claim(job.id)
    failed = store.fail(job.id, 1, FAILURE)
    assert store.fail(job.id, 1, FAILURE) == failed
    assert [event.job.status for event in store.events(job.id)].count(JobStatus.FAILED) == 1


def test_the_delay_after_a_failed_attempt_grows_up_to_a_limit(
    store: JobStore, job: Job, valkey_url: str
) -> None:
    waits = []
    with Redis.from_url(valkey_url, decode_responses=True) as client:
        for attempt in range(1, 9):
            store.claim(job.id)
            move = store.hand_back if attempt == 1 else store.postpone
            move(job.id, attempt)
            due = clock_time(0, int(client.zscore(OUTBOX, job.id) or 0))
            waits.append(due - store.get(job.id).updated_at)
    seconds = [round(wait.total_seconds()) for wait in waits]
    assert seconds == [DISPATCH_GRACE.total_seconds(), 5, 30, 180, 300, 300, 300, 300]


def test_a_lease_runs_out_unless_it_is_renewed(valkey_url: str) -> None:
    store = JobStore.connect(Settings(valkey_url=valkey_url, lease_seconds=0.2))
    job = new_job()
    store.accept(job)
    store.claim(job.id)
    assert wait_for(store.maintenance.expired_leases)[0].id == job.id
    store.renew(job.id, 1)
    assert store.maintenance.expired_leases() == []
    with pytest.raises(InvalidTransition, match="renewed"):
        store.requeue_expired(job.id, 1)
    wait_for(store.maintenance.expired_leases)
    store.advance(job.id, 1, Stage.RENDERING, 0.1)
    assert store.maintenance.expired_leases() == []


def test_an_ended_job_has_no_lease(hasty_store: JobStore) -> None:
    job = new_job()
    hasty_store.accept(job)
    hasty_store.claim(job.id)
    hasty_store.fail(job.id, 1, FAILURE)
    assert hasty_store.maintenance.expired_leases() == []


def test_the_queue_is_first_come_first_served(store: JobStore) -> None:
    jobs = [new_job() for _ in range(3)]
    for job in jobs:
        store.accept(job)
    assert [store.reading(job.id).estimate.position for job in jobs] == [1, 2, 3]
    store.claim(jobs[0].id)
    assert [store.reading(job.id).estimate.position for job in jobs] == [None, 1, 2]
    store.requeue(jobs[0].id, 1)
    assert [store.reading(job.id).estimate.position for job in jobs] == [3, 1, 2]


def test_a_job_of_a_higher_priority_runs_before_waiting_ones(store: JobStore) -> None:
    low, normal, high = (new_job(priority=each) for each in ("low", "normal", "high"))
    for job in (low, normal, high):
        store.accept(job)
    assert [store.reading(job.id).estimate.position for job in (high, normal, low)] == [1, 2, 3]
    store.claim(high.id)
    assert [store.reading(job.id).estimate.position for job in (high, normal, low)] == [None, 1, 2]
    store.delete(normal.id)
    assert store.reading(low.id).estimate.position == 1
    store.requeue(high.id, 1)
    assert [store.reading(job.id).estimate.position for job in (high, low)] == [1, 2]


def test_every_change_is_announced(store: JobStore, valkey_url: str) -> None:
    job = new_job()
    with Redis.from_url(valkey_url, decode_responses=True) as client, client.pubsub() as channel:
        channel.subscribe(CHANGES)
        assert channel.get_message(timeout=PATIENCE)
        for change in (
            store.accept,
            lambda job: store.claim(job.id),
            lambda job: store.delete(job.id),
        ):
            change(job)
            heard = channel.get_message(timeout=PATIENCE)
            assert heard
            assert heard["data"] == job.id


def test_the_eta_is_based_on_recent_succeeded_jobs(store: JobStore) -> None:
    waiting, running, done = new_job(), new_job(), new_job()
    for job in (running, done, waiting):
        store.accept(job)
    for job in (running, done):
        store.claim(job.id)
    assert store.reading(waiting.id).estimate.eta(waiting) is None
    finished = store.finish(done.id, 1, result_of(done.id, 1))
    store.finish(done.id, 1, result_of(done.id, 1))
    estimate = store.reading(waiting.id).estimate
    assert (estimate.position, estimate.processing) == (1, (store.get(running.id),))
    assert estimate.runs == (str(Run.of(finished)),)
    assert estimate.now >= finished.updated_at


def test_the_eta_ignores_old_jobs(store: JobStore) -> None:
    for _ in range(RUNS_KEPT + 2):
        job = new_job()
        store.accept(job)
        store.claim(job.id)
        store.finish(job.id, 1, result_of(job.id, 1))
    assert store.reading(job.id).estimate.runs == ()  # it has ended, and needs none
    waiting = new_job()
    store.accept(waiting)
    assert len(store.reading(waiting.id).estimate.runs) == RUNS_KEPT


def test_the_latest_event_is_the_job_as_it_is(store: JobStore) -> None:
    job = new_job()
    assert store.latest_event(job.id) is None
    store.accept(job)
    claimed = store.claim(job.id)
    latest = store.latest_event(job.id)
    assert latest
    assert latest.job == claimed
    assert latest == store.events(job.id)[-1]


def test_the_counts_follow_the_jobs(store: JobStore) -> None:
    waiting, running, failed, canceled = (new_job() for _ in range(4))
    for job in (waiting, running, failed, canceled):
        store.accept(job)
    store.claim(running.id)
    store.claim(failed.id)
    store.fail(failed.id, 1, FAILURE)
    store.cancel(canceled.id)
    assert store.counts() == {
        JobStatus.QUEUED: 1,
        JobStatus.PROCESSING: 1,
        JobStatus.SUCCEEDED: 0,
        JobStatus.FAILED: 1,
        JobStatus.CANCELED: 1,
    }


def test_the_longest_wait_is_that_of_the_oldest_queued_job(store: JobStore) -> None:
    assert store.longest_waits() == dict.fromkeys(Priority, timedelta())
    first, second = new_job(), new_job()
    for job in (first, second):
        store.accept(job)
    waits = store.longest_waits()
    assert waits[Priority.NORMAL] > waits[Priority.HIGH] == timedelta()
    store.claim(first.id)
    assert store.longest_waits()[Priority.NORMAL] <= store.now() - store.get(second.id).updated_at
    store.claim(second.id)
    assert store.longest_waits() == dict.fromkeys(Priority, timedelta())


def test_a_new_job_is_left_to_its_submitter_to_dispatch(store: JobStore, job: Job) -> None:
    assert store.maintenance.undispatched() == []


def test_a_job_whose_submitter_died_is_undispatched(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.valkey.records.DISPATCH_GRACE", timedelta(0))
    job = new_job()
    store.accept(job)
    assert store.maintenance.undispatched() == [job.id]
    store.mark_dispatched(job.id)
    assert store.maintenance.undispatched() == []


def test_an_unclaimed_message_is_due_again(
    store: JobStore, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.valkey.job_store.REDISPATCH_AFTER", timedelta(0))
    store.mark_dispatched(job.id)
    assert wait_for(store.maintenance.undispatched) == [job.id]


def test_a_message_is_due_again_after_the_time_its_job_has_waited(
    store: JobStore, job: Job, valkey_url: str
) -> None:
    now = store.now()
    with Redis.from_url(valkey_url) as client:
        client.zadd(index_key(JobStatus.QUEUED), {job.id: score(now - timedelta(hours=1))})
        store.mark_dispatched(job.id)
        due = client.zscore(OUTBOX, job.id)
    assert due
    assert score(now + timedelta(hours=1)) <= due < score(now + timedelta(hours=1.1))


def test_marking_a_claimed_job_dispatched_does_not_queue_it(store: JobStore, job: Job) -> None:
    store.claim(job.id)
    store.mark_dispatched(job.id)
    store.requeue(job.id, 1)
    store.cancel(job.id)
    store.mark_dispatched(job.id)
    assert store.reading(job.id).estimate.position is None


def test_marking_a_job_dispatched_while_it_is_claimed_does_not_queue_it(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.valkey.job_store.REDISPATCH_AFTER", timedelta(0))
    jobs = [new_job() for _ in range(50)]
    for job in jobs:
        store.accept(job)
        all_at_once(
            lambda: store.claim(job.id),  # noqa: B023 - called below
            lambda: store.mark_dispatched(job.id),  # noqa: B023 - called below
        )
    waited_for = store.now() + (store.now() - jobs[0].created_at)
    wait_for(lambda: store.now() > waited_for)
    assert store.maintenance.undispatched() == []


def test_ended_jobs_are_found_by_the_time_they_ended(store: JobStore) -> None:
    early, late, running = new_job(), new_job(), new_job()
    for job in (early, late, running):
        store.accept(job)
        store.claim(job.id)
    store.fail(early.id, 1, FAILURE)
    between = store.now()
    store.finish(late.id, 1, result_of(late.id, 1))
    assert store.maintenance.ended_before(between) == [early.id]
    assert set(store.maintenance.ended_before(store.now())) == {early.id, late.id}


@pytest.mark.parametrize("end", ["accept", "claim", "fail"])
def test_a_deleted_job_leaves_only_its_objects_to_clear(hasty_store: JobStore, end: str) -> None:
    store, job = hasty_store, new_job()
    store.accept(job)
    if end != "accept":
        store.claim(job.id)
    if end == "fail":
        store.fail(job.id, 1, FAILURE)
    store.delete(job.id)
    assert set(store.counts().values()) == {0}
    assert store.events(job.id) == []
    assert store.maintenance.undispatched() == []
    assert store.maintenance.expired_leases() == []
    assert wait_for(store.maintenance.cleanups_due) == [job.id]
    store.maintenance.mark_cleared(job.id)
    assert store.maintenance.cleanups_due() == []


def test_an_ended_job_is_cleared_once_no_worker_can_hold_it(
    store: JobStore, job: Job, valkey_url: str
) -> None:
    lease, before = timedelta(seconds=Settings().lease_seconds), store.now()
    store.cancel(job.id)
    assert store.maintenance.cleanups_due() == []
    with Redis.from_url(valkey_url) as client:
        due = client.zscore(CLEANUPS, job.id)
    assert due
    assert score(before + lease) <= due <= score(store.now() + lease)


def test_a_job_deleted_while_it_was_cleared_stays_to_be_cleared(
    store: JobStore, job: Job, valkey_url: str
) -> None:
    store.delete(job.id)
    store.maintenance.mark_cleared(job.id)
    with Redis.from_url(valkey_url, decode_responses=True) as client:
        assert client.zrange(CLEANUPS, 0, -1) == [job.id]


def test_a_deleted_job_is_not_accepted_again(store: JobStore, job: Job) -> None:
    store.delete(job.id)
    assert store.accept(job) is False
    with pytest.raises(JobNotFound):
        store.get(job.id)


def test_events_expire_after_the_end(store: JobStore, job: Job, valkey_url: str) -> None:
    with Redis.from_url(valkey_url) as client:
        assert client.ttl(events_key(job.id)) == -1
        store.cancel(job.id)
        assert 3500 < client.ttl(events_key(job.id)) <= 3600


def test_a_leader_leads_until_its_time_is_over(store: JobStore) -> None:
    assert store.maintenance.lead("one", 60)
    assert not store.maintenance.lead("two", 60)
    assert store.maintenance.lead("one", 0.05)
    assert wait_for(lambda: store.maintenance.lead("two", 60))
    assert not store.maintenance.lead("one", 60)


def test_one_of_many_candidates_leads(store: JobStore) -> None:
    names = [str(n) for n in range(8)]
    outcomes = all_at_once(*[lambda name=name: store.maintenance.lead(name, 60) for name in names])
    assert outcomes.count(True) == 1


def test_the_journal_is_read_again_after_a_while(store: JobStore) -> None:
    assert not store.maintenance.is_journal_read()
    store.maintenance.mark_journal_read(0.05)
    assert store.maintenance.is_journal_read()
    wait_for(lambda: not store.maintenance.is_journal_read())
