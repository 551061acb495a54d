from datetime import timedelta

import pytest

from jobs.job import Job
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from jobs.valkey.webhook_outbox import Delivery, DeliveryStatus, WebhookOutbox
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.waiting import wait_for

LEASE = timedelta(minutes=1)
RETRYING = Delivery(status=DeliveryStatus.RETRYING, attempts=1, reason="It is closed.")


@pytest.fixture
def outbox(valkey_url: str) -> WebhookOutbox:
    return WebhookOutbox.connect(Settings(valkey_url=valkey_url))


def accepted(store: JobStore, webhook_url: str | None = "https://example.com/hook") -> Job:
    job = new_job(webhook_url=webhook_url)
    store.accept(job)
    return job


def canceled(store: JobStore) -> str:
    return store.cancel(accepted(store).id).id


def test_every_end_is_notified(store: JobStore, outbox: WebhookOutbox) -> None:
    succeeded, failed, ended = accepted(store), accepted(store), accepted(store)
    for job in (succeeded, failed):
        store.claim(job.id)
    assert outbox.claim(10, LEASE) == []
    store.finish(succeeded.id, 1, result_of(succeeded.id, 1))
    store.fail(failed.id, 1, FAILURE)
    store.cancel(ended.id)
    assert outbox.claim(10, LEASE) == [succeeded.id, failed.id, ended.id]
    assert outbox.delivery(failed.id) == Delivery()


def test_a_job_without_a_webhook_is_not_notified(store: JobStore, outbox: WebhookOutbox) -> None:
    job = accepted(store, webhook_url=None)
    store.cancel(job.id)
    assert outbox.claim(10, LEASE) == []
    assert outbox.delivery(job.id) is None


def test_a_repeated_end_is_notified_once(store: JobStore, outbox: WebhookOutbox) -> None:
    job = accepted(store)
    store.claim(job.id)
    store.finish(job.id, 1, result_of(job.id, 1))
    outbox.record(job.id, Delivery(status=DeliveryStatus.DELIVERED, attempts=1))
    store.finish(job.id, 1, result_of(job.id, 1))
    assert outbox.claim(10, timedelta()) == []


def test_a_claimed_webhook_cannot_be_claimed_until_its_lease_expires(
    store: JobStore, outbox: WebhookOutbox
) -> None:
    job_id = canceled(store)
    assert outbox.claim(10, timedelta(seconds=0.2)) == [job_id]
    assert outbox.claim(10, LEASE) == []
    wait_for(lambda: outbox.claim(10, LEASE) == [job_id])


def test_no_more_are_claimed_than_asked_for(store: JobStore, outbox: WebhookOutbox) -> None:
    job_ids = [canceled(store) for _ in range(3)]
    assert outbox.claim(2, LEASE) == job_ids[:2]
    assert outbox.claim(2, LEASE) == job_ids[2:]


def test_a_delivered_webhook_is_never_due_again(store: JobStore, outbox: WebhookOutbox) -> None:
    job_id = canceled(store)
    outbox.claim(10, timedelta())
    delivered = Delivery(status=DeliveryStatus.DELIVERED, attempts=1)
    outbox.record(job_id, delivered)
    assert outbox.delivery(job_id) == delivered
    assert outbox.claim(10, LEASE) == []


def test_an_undelivered_webhook_is_due_after_a_pause(
    store: JobStore, outbox: WebhookOutbox
) -> None:
    job_id = canceled(store)
    outbox.claim(10, LEASE)
    outbox.record(job_id, RETRYING, timedelta(seconds=0.2))
    assert outbox.delivery(job_id) == RETRYING
    assert outbox.claim(10, LEASE) == []
    wait_for(lambda: outbox.claim(10, LEASE) == [job_id])


def test_deleting_a_job_deletes_its_webhook(store: JobStore, outbox: WebhookOutbox) -> None:
    job_id = canceled(store)
    store.delete(job_id)
    assert outbox.claim(10, LEASE) == []
    outbox.record(job_id, RETRYING, timedelta())  # by a process that claimed it before
    assert outbox.delivery(job_id) is None
    assert outbox.claim(10, LEASE) == []
