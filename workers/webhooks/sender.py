"""The webhook sender, a separate process: `python -m workers.webhooks`.

It notifies the URL given by a job's caller when the job ends, signed as defined by Standard
Webhooks (https://www.standardwebhooks.com). Any number may run; each claims different jobs. A
notification can arrive twice if a sender dies between the response and its record: `webhook-id`
stays the same.
"""

import asyncio
import logging
import random
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Self

from opentelemetry.trace import SpanKind
from standardwebhooks import Webhook

from jobs.documents import JobDocument, WebhookEvent
from jobs.errors import JobNotFound, Unavailable
from jobs.job import Job
from jobs.settings import read_settings
from jobs.signatures import SignedUrls
from jobs.tracing import HEADER, current_traceparent, job_span, log_fields_of, start_tracing
from jobs.valkey.job_store import JobStore
from jobs.valkey.webhook_outbox import TEST_PREFIX, Delivery, DeliveryStatus, WebhookOutbox
from jobs.valkey.webhook_secrets import WebhookSecrets
from jobs.values import WebhookEventType, utc_now
from media.logging import configure_logging, log_fields
from workers.safe_http import Outbound, OutboundError, Reply, UrlNotFollowed
from workers.webhooks.metrics import DeliveryMetrics
from workers.webhooks.settings import WebhookSettings

logger = logging.getLogger("workers.webhooks")

MAX_CONCURRENT = 100
"""Number of concurrent deliveries."""

MAX_PER_TENANT = 25
"""Concurrent deliveries per tenant, so one tenant's dead endpoint cannot starve the rest."""

TENANT_DELAY = timedelta(seconds=2)
"""Delay of a notification whose tenant has reached this number."""

POLL_SECONDS = 0.5
"""Delay between two checks for due webhooks."""

LEASE_MARGIN = timedelta(seconds=30)
"""How much longer than the receiver's time limit a delivery may take before it can be claimed
again.
"""

DRAIN_SECONDS = 5.0
"""How long deliveries may continue during shutdown; unfinished ones are repeated later."""

PAUSE_GROWTH = 3
LONGEST_PAUSE = timedelta(hours=3)

GONE = 410
"""The status with which a receiver disables a webhook."""

RETRY_AFTER_STATUSES = frozenset({429, 503})
"""Statuses for which `Retry-After` is respected."""


@dataclass(frozen=True)
class WebhookSender:
    """Delivers due webhooks."""

    store: JobStore
    outbox: WebhookOutbox
    secrets: WebhookSecrets
    outbound: Outbound
    settings: WebhookSettings
    metrics: DeliveryMetrics
    deliveries: Counter[str] = field(default_factory=Counter)
    """Number of current deliveries by tenant."""

    @classmethod
    def connect(cls, settings: WebhookSettings) -> Self:
        """Return the sender given by the settings, without connecting."""
        outbox = WebhookOutbox.connect(settings)
        return cls(
            JobStore.connect(settings),
            outbox,
            WebhookSecrets.connect(settings),
            Outbound(settings.url_rules),
            settings,
            DeliveryMetrics(outbox),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; current deliveries may then take some more seconds."""
        under_way: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            for job_id in await self._claim(MAX_CONCURRENT - len(under_way)):
                task = asyncio.create_task(self.deliver(job_id))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await _pause(stop)
        if under_way:
            await asyncio.wait(under_way, timeout=DRAIN_SECONDS)
        for task in under_way:
            task.cancel()

    async def _claim(self, count: int) -> list[str]:
        lease = timedelta(seconds=self.settings.webhook_seconds) + LEASE_MARGIN
        try:
            return await asyncio.to_thread(self.outbox.claim, count, lease) if count else []
        except Unavailable as error:
            logger.warning("Webhooks cannot be delivered at the moment: %s", error)
            return []

    async def deliver(self, job_id: str) -> None:
        """Try once to deliver a job's webhook, and record the outcome.

        If it cannot be recorded, the delivery is due again when its lease expires.
        """
        try:
            job = await asyncio.to_thread(self._job, job_id)
            before = await asyncio.to_thread(self.outbox.delivery, job_id)
            if job.webhook_url is None or before is None:
                return
            with self._slot(job.tenant) as is_granted:
                if is_granted:
                    after, pause = await self._observed(job, job.webhook_url, before.attempts + 1)
                else:
                    after, pause = before, TENANT_DELAY
            await asyncio.to_thread(self.outbox.record, job_id, after, pause)
        except JobNotFound:
            logger.info("job=%s was deleted before its webhook was delivered", job_id)
        except Unavailable as error:
            logger.warning("job=%s the delivery could not be recorded: %s", job_id, error)
        except Exception:
            logger.exception("job=%s the delivery ended with an unexpected error", job_id)

    def _job(self, job_id: str) -> Job:
        if not job_id.startswith(TEST_PREFIX):
            return self.store.get(job_id)
        if job := self.outbox.test(job_id):
            return job
        raise JobNotFound(f"The test notification {job_id} has expired.")

    @contextmanager
    def _slot(self, tenant: str) -> Iterator[bool]:
        """Count another delivery of a tenant, and return whether it is within the limit."""
        is_granted = self.deliveries[tenant] < MAX_PER_TENANT
        self.deliveries[tenant] += is_granted
        try:
            yield is_granted
        finally:
            self.deliveries[tenant] -= is_granted

    async def _observed(
        self, job: Job, url: str, attempt: int
    ) -> tuple[Delivery, timedelta | None]:
        """Trace, time and log an attempt."""
        began = monotonic()
        with (
            job_span(job, "webhook", SpanKind.CLIENT, **{"amigo.attempt": attempt}) as span,
            log_fields(**{**log_fields_of(job), "attempt": attempt}),
        ):
            after, pause = await self._attempt(job, url, attempt)
            span.set_attribute("amigo.outcome", after.status)
            self.metrics.observe(after.status, monotonic() - began)
            logger.info("job=%s webhook %s %s", job.id, after.status, after.reason or "")
        return after, pause

    async def _attempt(self, job: Job, url: str, attempt: int) -> tuple[Delivery, timedelta | None]:
        """Return the outcome of an attempt, and the delay before the next, or None."""
        try:
            reply = await self._post(job, url)
        except UrlNotFollowed as refused:
            return _given_up(attempt, str(refused)), None
        except OutboundError as failed:
            return await self._failed(job, attempt, str(failed))
        if 200 <= reply.status < 300:
            return Delivery(status=DeliveryStatus.DELIVERED, attempts=attempt), None
        reason = f"The receiver responded with status {reply.status}; 200 to 299 are accepted."
        if reply.status == GONE:
            return _given_up(attempt, reason), None
        requested = reply.retry_after if reply.status in RETRY_AFTER_STATUSES else None
        return await self._failed(job, attempt, reason, requested)

    async def _post(self, job: Job, url: str) -> Reply:
        body = event_body(job, self.settings)
        message_id, now = f"msg_{job.id.removeprefix('job_')}", utc_now()
        secrets = await asyncio.to_thread(self.secrets.of, job.tenant)
        signatures = [Webhook(each).sign(message_id, now, body) for each in secrets.valid]
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        if traceparent := current_traceparent():
            headers[HEADER] = traceparent
        return await self.outbound.post(url, body.encode(), headers, self.settings.webhook_seconds)

    async def _failed(
        self, job: Job, attempt: int, reason: str, retry_after: str | None = None
    ) -> tuple[Delivery, timedelta | None]:
        now = await asyncio.to_thread(self.store.now)
        left = job.updated_at + self.settings.webhook_lifetime - now
        pause = pause_after(attempt, self.settings.webhook_pause_seconds)
        if pause > left:
            return _given_up(attempt, reason), None
        pause = max(pause, min(requested_pause(retry_after, now), left))
        return Delivery(status=DeliveryStatus.RETRYING, attempts=attempt, reason=reason), pause


def event_body(job: Job, settings: WebhookSettings) -> str:
    """Return the body that reports a job's end; the same in every attempt.

    `data` is the job's document as `GET` returned it at that moment.
    """
    document = JobDocument.of(
        job, settings.retention, urls=SignedUrls.of(settings), now=job.updated_at
    )
    is_test = job.id.startswith(TEST_PREFIX)
    event = WebhookEvent(
        type="webhook.test" if is_test else WebhookEventType(f"job.{job.status}"),
        timestamp=job.updated_at,
        data=document,
    )
    return event.model_dump_json()


def pause_after(attempt: int, first: float) -> timedelta:
    """Return the delay after an attempt, counted from 1, randomized per job."""
    # Beyond 20, the power alone would exceed a human lifetime.
    seconds = first * PAUSE_GROWTH ** (min(attempt, 20) - 1)
    pause = min(timedelta(seconds=seconds), LONGEST_PAUSE)
    return pause * random.uniform(0.75, 1)  # noqa: S311 - spreads the load, guards nothing


def requested_pause(retry_after: str | None, now: datetime) -> timedelta:
    """Return the delay requested by a `Retry-After` header, at most three hours; zero if there is
    none.

    It is a number of seconds or a date (RFC 9110, section 10.2.3).
    """
    requested = (retry_after or "").strip()
    if requested.isdecimal():
        longest = LONGEST_PAUSE.total_seconds()
        return timedelta(seconds=min(float(requested), longest))
    try:
        pause = parsedate_to_datetime(requested) - now
    except (ValueError, TypeError, OverflowError):
        return timedelta()  # not a valid value
    return min(max(pause, timedelta()), LONGEST_PAUSE)


def _given_up(attempt: int, reason: str) -> Delivery:
    return Delivery(status=DeliveryStatus.DISABLED, attempts=attempt, reason=reason)


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(POLL_SECONDS):
            await stop.wait()
    except TimeoutError:
        return


async def deliver_until_stopped(settings: WebhookSettings) -> None:
    """Deliver until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    sender = WebhookSender.connect(settings)
    if settings.webhook_metrics_port:
        sender.metrics.serve(settings.webhook_metrics_host, settings.webhook_metrics_port)
    logger.info("Delivering webhooks for up to %g h after a job's end.", settings.webhook_hours)
    await sender.run(stop)


def main() -> None:
    """Deliver until asked to stop."""
    configure_logging()
    start_tracing("webhooks")
    asyncio.run(deliver_until_stopped(read_settings(WebhookSettings)))


if __name__ == "__main__":
    main()
