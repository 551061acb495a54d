"""Whatever workers, callers and the reconciler do in whatever order, the promises hold."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from redis import Redis

from jobs.errors import InvalidTransition, JobNotFound, StaleAttempt
from jobs.job import Job, JobStatus, Priority, Stage
from jobs.layout import OUTBOX, SPENT, index_key, queue_key, tenant_key
from jobs.queue import JobQueue, create_celery
from jobs.recovery import Reconciler
from jobs.settings import Settings
from jobs.storage import ObjectStorage
from jobs.store import JobStore
from tests.jobs_examples import FAILURE, new_job, result_of

Move = Callable[[Job], Job]


class Promises(RuleBasedStateMachine):
    """A real store, and beside it what the pure moves of a job say should be in it."""

    def __init__(self, client: Redis, store: JobStore, reconciler: Reconciler) -> None:
        super().__init__()
        client.flushall()
        self.client, self.store, self.reconciler = client, store, reconciler
        self.expected: dict[str, Job] = {}
        self.expired: set[str] = set()
        self.spent: set[str] = set()

    ids = Bundle("ids")
    stages = st.sampled_from(Stage)
    progress = st.floats(0, 1)
    lag = st.sampled_from([0, 0, 0, 1])
    """How many attempts a worker is behind; most are not."""

    @rule(target=ids, priority=st.sampled_from(Priority))
    def accept(self, priority: Priority) -> str:
        job = new_job(priority=priority)
        assert self.store.accept(job)
        self.expected[job.id] = job
        return job.id

    @rule(job_id=ids)
    def claim(self, job_id: str) -> None:
        self.agree(job_id, self.store.claim, lambda job: job.claim(job.updated_at))

    @rule(job_id=ids, lag=lag, stage=stages, progress=progress)
    def advance(self, job_id: str, lag: int, stage: Stage, progress: float) -> None:
        attempt = self.attempt(job_id, lag)
        self.agree(
            job_id,
            lambda id: self.store.advance(id, attempt, stage, progress),
            lambda job: job.advance(attempt, stage, progress, job.updated_at),
        )

    @rule(job_id=ids, lag=lag)
    def finish(self, job_id: str, lag: int) -> None:
        attempt = self.attempt(job_id, lag)
        result = result_of(job_id, attempt)
        self.agree(
            job_id,
            lambda id: self.store.finish(id, attempt, result),
            lambda job: job.succeed(attempt, result, (), job.updated_at),
        )

    @rule(job_id=ids, lag=lag)
    def fail(self, job_id: str, lag: int) -> None:
        attempt = self.attempt(job_id, lag)
        self.agree(
            job_id,
            lambda id: self.store.fail(id, attempt, FAILURE),
            lambda job: job.fail(attempt, FAILURE, job.updated_at),
        )

    @rule(job_id=ids, lag=lag)
    def requeue(self, job_id: str, lag: int) -> None:
        attempt = self.attempt(job_id, lag)
        self.agree(
            job_id,
            lambda id: self.store.requeue(id, attempt),
            lambda job: job.requeue(attempt, job.updated_at),
        )

    @rule(job_id=ids, lag=lag)
    def hand_back(self, job_id: str, lag: int) -> None:
        attempt = self.attempt(job_id, lag)
        self.agree(
            job_id,
            lambda id: self.store.hand_back(id, attempt),
            lambda job: job.hand_back(attempt, job.updated_at),
        )

    @rule(job_id=ids)
    def cancel(self, job_id: str) -> None:
        self.agree(job_id, self.store.cancel, lambda job: job.cancel(job.updated_at))

    @rule(job_id=ids)
    def delete(self, job_id: str) -> None:
        if self.expected.pop(job_id, None):
            self.store.delete(job_id)
            self.spent.add(job_id)
            self.expired.discard(job_id)
        else:
            with pytest.raises(JobNotFound):
                self.store.delete(job_id)

    @rule(job_id=ids)
    def let_the_lease_run_out(self, job_id: str) -> None:
        if self.client.zadd(index_key(JobStatus.PROCESSING), {job_id: 1}, xx=True, ch=True):
            self.expired.add(job_id)

    @rule()
    def reconcile(self) -> None:
        self.reconciler.run_once()
        for job_id in self.expired:
            job = self.expected[job_id]
            self.keep(job.lose(job.attempt, job.updated_at))
        self.expired.clear()

    def attempt(self, job_id: str, lag: int) -> int:
        job = self.expected.get(job_id)
        return job.attempt - lag if job else 1

    def agree(self, job_id: str, said: Callable[[str], Job], move: Move) -> None:
        """Say a word to the store, and expect of it what the pure move says."""
        job = self.expected.get(job_id)
        if job is None:
            with pytest.raises((JobNotFound, StaleAttempt)):
                said(job_id)
            return
        try:
            moved = move(job)
        except InvalidTransition as refusal:
            with pytest.raises(type(refusal)):
                said(job_id)
            return
        assert self.timeless(said(job_id)) == self.timeless(moved)
        self.expired.discard(job_id)
        self.keep(moved)

    def keep(self, job: Job) -> None:
        self.expected[job.id] = job
        if job.status.is_final:
            self.spent.add(job.id)

    @staticmethod
    def timeless(job: Job) -> Job:
        return job.model_copy(update={"updated_at": job.created_at, "claimed_at": None})

    @invariant()
    def the_records_are_what_the_moves_made_them(self) -> None:
        for job_id, job in self.expected.items():
            assert self.timeless(self.store.get(job_id)) == self.timeless(job)

    @invariant()
    def the_indexes_agree_with_the_records(self) -> None:
        for status in JobStatus:
            of_status = {id for id, job in self.expected.items() if job.status is status}
            assert set(self.client.zrange(index_key(status), 0, -1)) == of_status
            assert self.store.counts()[status] == len(of_status)
        assert set(self.client.zrange(OUTBOX, 0, -1)) == self.waiting()
        for priority in Priority:
            waiting = {id for id in self.waiting() if self.expected[id].priority is priority}
            assert set(self.client.zrange(queue_key(priority), 0, -1)) == waiting
        assert set(self.client.zrange(tenant_key("local"), 0, -1)) == set(self.expected)
        assert set(self.client.zrange(SPENT, 0, -1)) == self.spent

    def waiting(self) -> set[str]:
        return {id for id, job in self.expected.items() if job.status is JobStatus.QUEUED}

    @invariant()
    def the_events_tell_a_story_that_can_be_true(self) -> None:
        for job_id in self.expected:
            story = [event.job for event in self.store.events(job_id)]
            assert story[-1] == self.store.get(job_id)
            for before, after in pairwise(story):
                assert not before.status.is_final
                is_claim = before.status is JobStatus.QUEUED and not after.status.is_final
                assert after.attempt == before.attempt + is_claim
                assert after.progress >= before.progress


def test_the_promises_hold_in_whatever_order_things_happen(
    valkey_url: str, storage: ObjectStorage
) -> None:
    settings = Settings(valkey_url=valkey_url)
    store, queue = JobStore.connect(settings), JobQueue(create_celery(settings))
    reconciler = Reconciler(store, storage, queue, timedelta(hours=1))
    client = Redis.from_url(valkey_url, decode_responses=True)

    class Connected(Promises):
        def __init__(self) -> None:
            super().__init__(client, store, reconciler)

    with client:
        run_state_machine_as_test(
            Connected,
            settings=hypothesis_settings(
                max_examples=30,
                stateful_step_count=30,
                deadline=None,
                database=None,
                phases=[Phase.generate],  # to shrink a failure would take minutes
            ),
        )
