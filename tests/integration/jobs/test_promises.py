"""Whatever workers, callers and the reconciler do in any order, the guarantees hold."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from secrets import token_hex
from typing import cast

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

from jobs.errors import IdempotencyKeyTaken, InvalidTransition, JobNotFound, StaleAttempt
from jobs.job import Job, JobStatus, Priority, Stage
from jobs.queue import JobQueue, create_celery
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import JOBS_PREFIX, inputs_prefix, job_prefix, request_key
from jobs.settings import Settings
from jobs.valkey.connection import score
from jobs.valkey.job_store import JobStore
from jobs.valkey.keys import CLEANUPS, LEADER, OUTBOX, index_key, queue_key, tenant_key
from jobs.valkey.webhook_outbox import WEBHOOKS, Delivery, DeliveryStatus, WebhookOutbox
from jobs.values import IdempotencyKey
from tests.jobs_examples import FAILURE, new_job, result_of
from workers.reconciler.reconciler import Reconciler

Move = Callable[[Job], Job]

HOUR = 3_600_000_000
"""Microseconds, as in the indexes."""


class Promises(RuleBasedStateMachine):
    """A real store, compared with the job's pure transitions."""

    def __init__(
        self,
        client: Redis,
        store: JobStore,
        storage: ObjectStorage,
        outbox: WebhookOutbox,
        reconcilers: tuple[Reconciler, Reconciler],
    ) -> None:
        super().__init__()
        client.flushall()
        storage.delete_prefix(JOBS_PREFIX)
        self.client, self.store, self.storage, self.outbox = client, store, storage, outbox
        self.reconcilers = reconcilers
        self.accepted: dict[str, Job] = {}
        self.expected: dict[str, Job] = {}
        self.spent: set[str] = set()
        self.told: set[str] = set()
        self.attempts: set[tuple[str, int]] = set()

    ids = Bundle("ids")
    stages = st.sampled_from(Stage)
    progress = st.floats(0, 1)
    lag = st.sampled_from([0, 0, 0, 1])
    """Number of attempts by which a worker is behind; mostly 0."""

    @rule(target=ids, priority=st.sampled_from(Priority), webhook=st.booleans())
    def accept(self, priority: Priority, webhook: bool) -> str:
        key = IdempotencyKey(key=token_hex(8), fingerprint="a" * 64)
        url = "https://example.org/told" if webhook else None
        job = new_job(priority=priority, webhook_url=url, idempotency=key)
        self.storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")
        assert self.store.accept(job)
        self.accepted[job.id] = self.expected[job.id] = job
        return job.id

    @rule(job_id=ids)
    def accept_what_is_known(self, job_id: str) -> None:
        if job_id in self.expected or job_id in self.spent:
            assert not self.store.accept(self.accepted[job_id])

    @rule(job_id=ids)
    def accept_another_under_the_same_key(self, job_id: str) -> None:
        if job_id in self.expected:
            with pytest.raises(IdempotencyKeyTaken):
                self.store.accept(new_job(idempotency=self.accepted[job_id].idempotency))

    @rule(job_id=ids)
    def claim(self, job_id: str) -> None:
        self.agree(job_id, self.store.claim, lambda job: job.claim(job.updated_at))
        job = self.expected.get(job_id)
        if job and job.status is JobStatus.PROCESSING:
            self.attempts.add((job_id, job.attempt))

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
            self.storage.delete_prefix(job_prefix(job_id))  # like the service
            self.spent.add(job_id)
        else:
            with pytest.raises(JobNotFound):
                self.store.delete(job_id)

    @rule(job_id=ids)
    def let_the_lease_run_out(self, job_id: str) -> None:
        self.client.zadd(index_key(JobStatus.PROCESSING), {job_id: 1}, xx=True)

    @rule(job_id=ids)
    def lose_the_message(self, job_id: str) -> None:
        self.client.zadd(OUTBOX, {job_id: 1}, xx=True)

    @rule(hours=st.sampled_from([-1, 1]))
    def step_the_clock(self, hours: int) -> None:
        """Shift all due times, which is equivalent to changing the store's clock."""
        for index in (index_key(JobStatus.PROCESSING), OUTBOX, CLEANUPS, WEBHOOKS):
            for job_id in self.ids_in(index):
                self.client.zincrby(index, -hours * HOUR, job_id)

    @rule()
    def tell(self) -> None:
        for job_id in self.outbox.claim(10, timedelta(seconds=1)):
            delivered = Delivery(status=DeliveryStatus.DELIVERED, attempts=1)
            self.outbox.record(job_id, delivered)
            self.told.add(job_id)

    @rule(number=st.sampled_from([0, 1]))
    def reconcile(self, number: int) -> None:
        self.client.delete(LEADER)  # the other no longer leads, or so this one believes
        lost, spent = self.due(index_key(JobStatus.PROCESSING)), self.due(CLEANUPS)
        self.reconcilers[number].run_once()
        for job_id in lost:
            job = self.expected[job_id]
            self.keep(job.lose(job.attempt, job.updated_at))
        self.spent -= spent
        assert not self.store.maintenance.undispatched()

    @rule()
    def lose_all_data(self) -> None:
        """Unfinished jobs are restored from the journal; ended ones are unknown from now on."""
        self.client.flushall()
        self.reconcilers[0].run_once()
        self.spent.clear()
        self.told.clear()
        lost, self.expected = self.expected, {}
        for job_id, job in lost.items():
            if not job.status.is_final:
                self.expected[job_id] = self.restored(job_id)

    def restored(self, job_id: str) -> Job:
        """Return a job's new record: the accepted job except for its attempt numbers."""
        job, accepted = self.store.get(job_id), self.accepted[job_id]
        assert job == accepted.restore(job.updated_at).model_copy(
            update={"attempt": job.attempt, "handed_back": job.attempt}
        )
        assert all(job.attempt > number for known, number in self.attempts if known == job_id)
        return job

    def due(self, index: str) -> set[str]:
        now = score(self.store.now())
        return {id for id in self.ids_in(index) if (self.client.zscore(index, id) or 0) <= now}

    def ids_in(self, index: str) -> set[str]:
        return set(cast("list[str]", self.client.zrange(index, 0, -1)))

    def attempt(self, job_id: str, lag: int) -> int:
        job = self.expected.get(job_id)
        return job.attempt - lag if job else 1

    def agree(self, job_id: str, said: Callable[[str], Job], move: Move) -> None:
        """Call the store, and expect the result of the pure transition."""
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
        self.keep(moved)

    def keep(self, job: Job) -> None:
        self.expected[job.id] = job
        if job.status.is_final:
            self.spent.add(job.id)
            self.storage.delete_prefix(inputs_prefix(job.id))  # like the worker

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
        assert self.ids_in(OUTBOX) == self.waiting()
        for priority in Priority:
            waiting = {id for id in self.waiting() if self.expected[id].priority is priority}
            assert set(self.client.zrange(queue_key(priority), 0, -1)) == waiting
        assert set(self.client.zrange(tenant_key("local"), 0, -1)) == set(self.expected)
        assert self.ids_in(CLEANUPS) == self.spent

    @invariant()
    def every_end_that_was_not_told_is_to_be_told(self) -> None:
        ended = {id for id, job in self.expected.items() if job.webhook_url and job.status.is_final}
        assert self.ids_in(WEBHOOKS) == ended - self.told

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


def test_the_guarantees_hold_in_any_order_of_events(
    valkey_url: str, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.reconciler.bucket_reader.JOURNAL_GRACE", timedelta(seconds=-60))
    settings = Settings(valkey_url=valkey_url)
    store, queue = JobStore.connect(settings), JobQueue(create_celery(settings))
    one = Reconciler(store, storage, queue, timedelta(hours=9))
    other = Reconciler(store, storage, queue, timedelta(hours=9))
    outbox = WebhookOutbox.connect(settings)
    client = Redis.from_url(valkey_url, decode_responses=True)

    class Connected(Promises):
        def __init__(self) -> None:
            super().__init__(client, store, storage, outbox, (one, other))

    with client:
        run_state_machine_as_test(
            Connected,
            settings=hypothesis_settings(
                max_examples=25,
                stateful_step_count=30,
                deadline=None,
                database=None,
                phases=[Phase.generate],  # shrinking a failure would take minutes
            ),
        )
