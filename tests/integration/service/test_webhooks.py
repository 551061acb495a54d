"""Webhooks over HTTP: each tenant's secret, test notifications, and repeated deliveries."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from jobs.settings import Settings
from jobs.valkey.api_keys import Scope
from jobs.valkey.job_store import JobStore
from jobs.valkey.webhook_outbox import Delivery, DeliveryStatus, WebhookOutbox
from jobs.values import WebhookEventType
from service.settings import ServiceSettings
from tests.integration.service.callers import Guarded, guarding
from tests.jobs_examples import new_job

SECRET = "/v1/webhooks/secret"
LEASE = timedelta(minutes=1)
HOOK = "https://example.com/hook"


@pytest.fixture(scope="module")
def guarded_service(addresses: Settings) -> Iterator[Guarded]:
    with guarding(ServiceSettings(**addresses.model_dump())) as guarded:
        yield guarded


@pytest.fixture
def guarded(guarded_service: Guarded, settings: Settings) -> Guarded:
    """The module's service, which asks for keys; its stores are empty."""
    return guarded_service


@pytest.fixture
def outbox(settings: Settings) -> WebhookOutbox:
    return WebhookOutbox.connect(settings)


def test_a_tenants_keys_read_and_rotate_its_own_secret(guarded: Guarded) -> None:
    http, acme = guarded.live.http, guarded.key("acme")
    first = http.get(SECRET, headers=acme).json()
    assert first["secret"].startswith("whsec_")
    assert (first["previous_secret"], first["previous_expires_at"]) == (None, None)
    other = http.get(SECRET, headers=guarded.key("other")).json()["secret"]
    assert other != first["secret"]
    rotated = http.post(f"{SECRET}/rotate", headers=guarded.key("acme")).json()
    assert rotated["previous_secret"] == first["secret"]
    assert http.get(SECRET, headers=acme).json() == rotated
    assert http.get(SECRET, headers=guarded.key("other")).json()["secret"] == other


def test_a_key_that_only_reads_jobs_reads_no_secret(guarded: Guarded) -> None:
    reader = guarded.key(scopes=frozenset({Scope.JOBS_READ}))
    assert guarded.live.http.get(SECRET, headers=reader).json()["code"] == "scope_missing"


def test_a_test_notification_is_due_and_belongs_to_its_tenant(
    guarded: Guarded, outbox: WebhookOutbox
) -> None:
    http, acme = guarded.live.http, guarded.key("acme")
    sent = http.post("/v1/webhooks/tests", json={"url": HOOK}, headers=acme)
    assert sent.status_code == 202, sent.text
    test_id = sent.json()["id"]
    assert outbox.claim(10, LEASE) == [test_id]
    outbox.record(test_id, Delivery(status=DeliveryStatus.DELIVERED, attempts=1))
    path = f"/v1/webhooks/tests/{test_id}"
    assert http.get(path, headers=acme).json()["webhook"]["status"] == "delivered"
    assert http.get(path, headers=guarded.key("other")).status_code == 404
    refused = http.post("/v1/webhooks/tests", json={"url": "http://10.0.0.1/"}, headers=acme)
    assert refused.json()["code"] == "invalid_option"


def test_only_an_ended_job_with_a_webhook_is_notified_again(
    guarded: Guarded, store: JobStore, outbox: WebhookOutbox
) -> None:
    http, key = guarded.live.http, guarded.key("acme")
    job, plain = new_job(tenant="acme", webhook_url=HOOK), new_job(tenant="acme")
    store.accept(job)
    store.accept(plain)
    for each in (job, plain):
        response = http.post(f"/v1/jobs/{each.id}/webhook", headers=key)
        assert response.json()["code"] == "no_notification"
    store.cancel(job.id)
    outbox.record(job.id, Delivery(status=DeliveryStatus.DISABLED, attempts=9))
    again = http.post(f"/v1/jobs/{job.id}/webhook", headers=key)
    assert (again.status_code, again.json()["webhook"]["status"]) == (202, "pending")
    assert outbox.claim(10, LEASE) == [job.id]


def test_a_webhook_is_only_notified_of_the_events_it_asked_for(
    store: JobStore, outbox: WebhookOutbox
) -> None:
    wanted = {"succeeded": WebhookEventType.SUCCEEDED, "canceled": WebhookEventType.CANCELED}
    jobs = {name: new_job(webhook_url=HOOK, webhook_events=(e,)) for name, e in wanted.items()}
    for job in jobs.values():
        store.accept(job)
        store.cancel(job.id)
    assert outbox.claim(10, LEASE) == [jobs["canceled"].id]
