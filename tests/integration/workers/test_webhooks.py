"""The webhook sender with a real Valkey and an unreliable receiver."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event
from time import time

import pytest
from redis import Redis
from standardwebhooks import Webhook, WebhookVerificationError

from deploy.standalone.processes import free_port
from jobs.valkey.job_store import JobStore
from jobs.valkey.webhook_outbox import WEBHOOKS, Delivery, DeliveryStatus, WebhookOutbox
from jobs.valkey.webhook_secrets import WebhookSecrets
from tests.integration.workers.test_safe_http import dripping
from tests.jobs_examples import new_job
from tests.loopback import loopback
from tests.processes import running
from tests.servers import LocalServer, content, redirect, serving
from tests.waiting import wait_for
from workers.webhooks.sender import WebhookSender
from workers.webhooks.settings import WebhookSettings

LEASE = timedelta(minutes=1)


@pytest.fixture
def receiver() -> Iterator[LocalServer]:
    with serving(content(b"")) as running:
        yield running


@pytest.fixture
def webhook_settings(valkey_url: str) -> WebhookSettings:
    return WebhookSettings(valkey_url=valkey_url, local_urls=True, webhook_pause_seconds=0.05)


@pytest.fixture
def outbox(webhook_settings: WebhookSettings) -> WebhookOutbox:
    return WebhookOutbox.connect(webhook_settings)


def ended(store: JobStore, url: str, tenant: str = "local") -> str:
    job = new_job(webhook_url=url, tenant=tenant)
    store.accept(job)
    return store.cancel(job.id).id


def run(
    settings: WebhookSettings, outbox: WebhookOutbox, job_id: str, until: DeliveryStatus
) -> Delivery:
    """Run a webhook sender until a job's delivery has this status."""

    async def watch() -> Delivery:
        stop = asyncio.Event()
        sender = asyncio.create_task(WebhookSender.connect(settings).run(stop))
        async with asyncio.timeout(60):
            while (delivery := outbox.delivery(job_id)) is None or delivery.status is not until:
                await asyncio.sleep(0.02)
        stop.set()
        await sender
        return delivery

    return asyncio.run(watch())


def test_a_webhook_is_delivered_with_a_valid_signature(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
) -> None:
    job_id = ended(store, f"{receiver.url}/hook?token=1")
    delivery = run(webhook_settings, outbox, job_id, DeliveryStatus.DELIVERED)
    assert delivery == Delivery(status=DeliveryStatus.DELIVERED, attempts=1)
    (asked,) = receiver.asked
    assert (asked.method, asked.path) == ("POST", "/hook?token=1")
    secret = WebhookSecrets.connect(webhook_settings).of("local").current
    event = Webhook(secret).verify(asked.body, asked.headers)
    assert event["type"] == "job.canceled"
    assert event["data"]["id"] == job_id
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(asked.body.replace(b"canceled", b"succeeded"), asked.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "QUJD" * 8).verify(asked.body, asked.headers)
    assert outbox.claim(10, LEASE) == []


def test_after_a_rotation_both_secrets_verify_a_webhook(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
) -> None:
    secrets = WebhookSecrets.connect(webhook_settings)
    before, after = secrets.of("local"), secrets.rotate("local")
    assert (after.previous, secrets.of("local")) == (before.current, after)
    run(webhook_settings, outbox, ended(store, receiver.url), DeliveryStatus.DELIVERED)
    (asked,) = receiver.asked
    for secret in (before.current, after.current):
        assert Webhook(secret).verify(asked.body, asked.headers)
    latest = secrets.rotate("local")
    assert before.current not in latest.valid
    with pytest.raises(WebhookVerificationError):
        Webhook(latest.current).verify(asked.body, asked.headers)
    assert secrets.of("other").previous is None


def test_a_delivered_webhook_is_sent_again_on_request(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
) -> None:
    job_id = ended(store, receiver.url)
    run(webhook_settings, outbox, job_id, DeliveryStatus.DELIVERED)
    outbox.deliver_again(job_id)
    run(webhook_settings, outbox, job_id, DeliveryStatus.DELIVERED)
    first, second = receiver.asked
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_a_webhook_is_retried_with_the_same_id_until_it_is_delivered(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
) -> None:
    well, ill = content(b""), content(b"out of order", 500)
    receiver.answer = lambda handler: (well if len(receiver.asked) > 2 else ill)(handler)
    job_id = ended(store, receiver.url)
    delivery = run(webhook_settings, outbox, job_id, DeliveryStatus.DELIVERED)
    assert delivery.attempts == 3
    assert len({asked.headers["webhook-id"] for asked in receiver.asked}) == 1
    assert len({asked.body for asked in receiver.asked}) == 1


def test_a_failed_delivery_reports_the_reason(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
) -> None:
    receiver.answer = content(b"", 503)
    slow = webhook_settings.model_copy(update={"webhook_pause_seconds": 1000.0})
    delivery = run(slow, outbox, ended(store, receiver.url), DeliveryStatus.RETRYING)
    assert delivery.attempts == 1
    assert delivery.reason is not None
    assert "503" in delivery.reason


@pytest.mark.parametrize(("status", "is_heeded"), [(429, True), (503, True), (500, False)])
def test_retry_after_of_a_receiver_is_respected(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
    status: int,
    is_heeded: bool,
) -> None:
    well, busy = content(b""), content(b"", status, Retry_After="600")
    receiver.answer = lambda handler: (well if len(receiver.asked) > 1 else busy)(handler)
    job_id = ended(store, receiver.url)
    until = DeliveryStatus.RETRYING if is_heeded else DeliveryStatus.DELIVERED
    delivery = run(webhook_settings, outbox, job_id, until)
    with Redis.from_url(webhook_settings.valkey_url) as client:
        due = client.zscore(WEBHOOKS, job_id)
    if is_heeded:
        assert (delivery.attempts, due) == (1, pytest.approx((time() + 600) * 1e6, abs=120e6))
    else:
        assert (delivery.attempts, due) == (2, None)


def test_delivery_outcomes_are_exported(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
    tmp_path: Path,
) -> None:
    port = free_port()
    statuses = {"/": 200, "/gone": 410, "/ill": 500}
    receiver.answer = lambda handler: content(b"", statuses[handler.path])(handler)
    for path in ("/", "/", "/gone", "/ill"):
        ended(store, receiver.url + path)
    environment = {
        "AMIGO_VALKEY_URL": webhook_settings.valkey_url,
        "AMIGO_LOCAL_URLS": "true",
        "AMIGO_WEBHOOK_PAUSE_SECONDS": "1000",
        "AMIGO_WEBHOOK_METRICS_PORT": str(port),
    }

    def told() -> dict[str, float]:
        lines = loopback.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    with running("workers.webhooks", environment, tmp_path / "log.txt") as sender:
        sender.wait_for_log("Delivering webhooks")
        wait_for(lambda: told()["amigo_webhook_attempt_seconds_count"] == 4)
        wait_for(lambda: told()["amigo_webhooks_pending"] == 1)
        metrics = told()
    outcomes = [
        metrics[f'amigo_webhook_attempts_total{{outcome="{outcome}"}}']
        for outcome in ("delivered", "disabled", "retrying")
    ]
    assert outcomes == [2, 1, 1]
    assert metrics["amigo_webhook_overdue_seconds"] == 0


def test_an_undelivered_webhook_is_exported_as_overdue(
    store: JobStore, outbox: WebhookOutbox
) -> None:
    assert outbox.backlog() == (0, timedelta())
    ended(store, "https://example.org/")
    ended(store, "https://example.org/")
    wait_for(lambda: outbox.backlog()[1] > timedelta(seconds=0.1))
    assert outbox.backlog()[0] == 2
    outbox.claim(10, LEASE)
    assert outbox.backlog() == (2, timedelta())


def test_a_webhook_is_disabled_after_its_lifetime(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
) -> None:
    receiver.answer = content(b"", 500)
    hasty = webhook_settings.model_copy(update={"webhook_hours": 2 / 3600})
    job_id = ended(store, receiver.url)
    delivery = run(hasty, outbox, job_id, DeliveryStatus.DISABLED)
    assert delivery.attempts == len(receiver.asked) > 1
    assert delivery.reason is not None
    assert "500" in delivery.reason
    assert outbox.claim(10, LEASE) == []


def test_a_receiver_that_responds_with_410_is_disabled(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
) -> None:
    receiver.answer = content(b"", 410)
    job_id = ended(store, receiver.url)
    delivery = run(webhook_settings, outbox, job_id, DeliveryStatus.DISABLED)
    assert (delivery.attempts, len(receiver.asked)) == (1, 1)


def test_a_redirect_is_neither_followed_nor_a_success(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
) -> None:
    receiver.answer = redirect("/elsewhere", 307)
    slow = webhook_settings.model_copy(update={"webhook_pause_seconds": 1000.0})
    delivery = run(slow, outbox, ended(store, receiver.url), DeliveryStatus.RETRYING)
    assert "307" in (delivery.reason or "")
    assert len(receiver.asked) == 1


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://10.0.0.1/hook"])
def test_a_disallowed_url_is_disabled_at_once(
    store: JobStore, outbox: WebhookOutbox, webhook_settings: WebhookSettings, url: str
) -> None:
    delivery = run(webhook_settings, outbox, ended(store, url), DeliveryStatus.DISABLED)
    assert delivery.attempts == 1
    assert "not public" in (delivery.reason or "")


def test_a_hanging_receiver_does_not_delay_others(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.webhooks.sender.DRAIN_SECONDS", 0.1)
    stop, good = Event(), content(b"")
    drip = dripping(b"", b"", stop)
    receiver.answer = lambda handler: (drip if handler.path == "/slow" else good)(handler)
    slow = [ended(store, f"{receiver.url}/slow") for _ in range(5)]
    job_id = ended(store, f"{receiver.url}/quick")
    patient = webhook_settings.model_copy(update={"webhook_seconds": 60.0})
    run(patient, outbox, job_id, DeliveryStatus.DELIVERED)
    assert {outbox.delivery(each) for each in slow} == {Delivery()}
    stop.set()


def test_a_tenant_with_hanging_receivers_does_not_delay_others(
    store: JobStore,
    outbox: WebhookOutbox,
    webhook_settings: WebhookSettings,
    receiver: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("workers.webhooks.sender.DRAIN_SECONDS", 0.1)
    monkeypatch.setattr("workers.webhooks.sender.MAX_CONCURRENT", 4)
    monkeypatch.setattr("workers.webhooks.sender.MAX_PER_TENANT", 2)
    stop, good = Event(), content(b"")
    drip = dripping(b"", b"", stop)
    receiver.answer = lambda handler: (drip if handler.path == "/slow" else good)(handler)
    slow = [ended(store, f"{receiver.url}/slow", "slow") for _ in range(6)]
    job_id = ended(store, f"{receiver.url}/quick", "quick")
    patient = webhook_settings.model_copy(update={"webhook_seconds": 60.0})
    run(patient, outbox, job_id, DeliveryStatus.DELIVERED)
    assert [asked.path for asked in receiver.asked].count("/slow") == 2
    assert {outbox.delivery(each) for each in slow} == {Delivery()}
    stop.set()


def test_a_store_outage_is_survived(
    webhook_settings: WebhookSettings, caplog: pytest.LogCaptureFixture
) -> None:
    dead = webhook_settings.model_copy(update={"valkey_url": "redis://127.0.0.1:1/0"})

    async def run_for_a_while() -> None:
        stop = asyncio.Event()
        sender = asyncio.create_task(WebhookSender.connect(dead).run(stop))
        async with asyncio.timeout(30):
            while caplog.text.count("Webhooks cannot be delivered at the moment") < 2:
                await asyncio.sleep(0.02)
        stop.set()
        await sender

    asyncio.run(run_for_a_while())
