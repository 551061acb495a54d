"""The courier, a process of its own: `python -m workers.webhooks`.

It brings the news of a job's end to the address its caller named, signed as Standard Webhooks
(https://www.standardwebhooks.com) says. Any number may run; each takes what no other has. News can
come twice, when a courier dies between the answer and its record: `webhook-id` stays the same.
"""

import asyncio
import json
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

from standardwebhooks import Webhook

from jobs.errors import JobNotFound, Unavailable
from jobs.job import Job, utc_now
from jobs.valkey.job_store import JobStore
from jobs.valkey.webhook_outbox import Delivery, DeliveryStatus, WebhookOutbox
from workers.safe_http import Outbound, OutboundError, Reply, UrlNotFollowed
from workers.settings import WebhookSettings
from workers.webhooks.metrics import DeliveryMetrics

logger = logging.getLogger("workers.webhooks")

MAX_UNDER_WAY = 100
"""Deliveries at the same time."""

MAX_OF_ONE_TENANT = 25
"""Of these, so that nobody whose receivers do not answer holds the others up."""

ANOTHER_TURN = timedelta(seconds=2)
"""How long the news of a tenant that has as many waits for its turn."""

POLL_SECONDS = 0.5
"""Pause between two looks at what is due."""

LEASE_MARGIN = timedelta(seconds=30)
"""How much longer than a receiver's answer a delivery may take before another courier begins it."""

PARTING_SECONDS = 5.0
"""How long deliveries may go on once the courier shall stop; they come again later."""

PAUSE_GROWTH = 3
LONGEST_PAUSE = timedelta(hours=3)

GONE = 410
"""The status with which a receiver says that it wants no more."""

LATER = frozenset({429, 503})
"""The statuses with which it may say when it wants to be asked again."""


@dataclass(frozen=True)
class Courier:
    """Delivers the news that is due."""

    store: JobStore
    outbox: WebhookOutbox
    outbound: Outbound
    settings: WebhookSettings
    metrics: DeliveryMetrics
    under_way: Counter[str] = field(default_factory=Counter)
    """Deliveries by tenant."""

    @classmethod
    def connect(cls, settings: WebhookSettings) -> Self:
        """Return the courier that the settings describe; nothing is sent yet."""
        outbox = WebhookOutbox.connect(settings)
        return cls(
            JobStore.connect(settings),
            outbox,
            Outbound(settings.url_rules),
            settings,
            DeliveryMetrics(outbox),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop` is set; what is under way then may end within some seconds."""
        under_way: set[asyncio.Task[None]] = set()
        while not stop.is_set():
            for job_id in await self._claim(MAX_UNDER_WAY - len(under_way)):
                task = asyncio.create_task(self.deliver(job_id))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await _pause(stop)
        if under_way:
            await asyncio.wait(under_way, timeout=PARTING_SECONDS)
        for task in under_way:
            task.cancel()

    async def _claim(self, count: int) -> list[str]:
        lease = timedelta(seconds=self.settings.webhook_seconds) + LEASE_MARGIN
        try:
            return await asyncio.to_thread(self.outbox.claim, count, lease) if count else []
        except Unavailable as silent:
            logger.warning("Nothing can be delivered for now: %s", silent)
            return []

    async def deliver(self, job_id: str) -> None:
        """Try once to deliver the news of a job, and record what came of it.

        Whatever keeps it from being recorded leaves it to the end of its lease.
        """
        try:
            job = await asyncio.to_thread(self.store.get, job_id)
            before = await asyncio.to_thread(self.outbox.delivery, job_id)
            if job.webhook_url is None or before is None:
                return
            with self._turn(job.tenant) as is_granted:
                if is_granted:
                    began = monotonic()
                    after, pause = await self._attempt(job, job.webhook_url, before.attempts + 1)
                    self.metrics.observe(after.status, monotonic() - began)
                    logger.info("job=%s webhook %s %s", job_id, after.status, after.reason or "")
                else:
                    after, pause = before, ANOTHER_TURN
            await asyncio.to_thread(self.outbox.record, job_id, after, pause)
        except JobNotFound:
            logger.info("job=%s was deleted before its news was delivered", job_id)
        except Unavailable as silent:
            logger.warning("job=%s its delivery is not recorded: %s", job_id, silent)
        except Exception:
            logger.exception("job=%s its delivery ended by a fault", job_id)

    @contextmanager
    def _turn(self, tenant: str) -> Iterator[bool]:
        """Tell whether a tenant may have one more delivery under way, which then counts."""
        is_granted = self.under_way[tenant] < MAX_OF_ONE_TENANT
        self.under_way[tenant] += is_granted
        try:
            yield is_granted
        finally:
            self.under_way[tenant] -= is_granted

    async def _attempt(self, job: Job, url: str, attempt: int) -> tuple[Delivery, timedelta | None]:
        """Return what came of an attempt, and the pause before the next; None: there is none."""
        try:
            reply = await self._post(job, url)
        except UrlNotFollowed as refused:
            return _given_up(attempt, str(refused)), None
        except OutboundError as failed:
            return await self._failed(job, attempt, str(failed))
        if 200 <= reply.status < 300:
            return Delivery(status=DeliveryStatus.DELIVERED, attempts=attempt), None
        reason = f"It answers with status {reply.status}; any from 200 to 299 is accepted."
        if reply.status == GONE:
            return _given_up(attempt, reason), None
        wish = reply.retry_after if reply.status in LATER else None
        return await self._failed(job, attempt, reason, wish)

    async def _post(self, job: Job, url: str) -> Reply:
        body = news(job)
        message_id, now = f"msg_{job.id.removeprefix('job_')}", utc_now()
        signer = Webhook(self.settings.webhook_secret.get_secret_value())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(message_id, now, body),
        }
        return await self.outbound.post(url, body.encode(), headers, self.settings.webhook_seconds)

    async def _failed(
        self, job: Job, attempt: int, reason: str, retry_after: str | None = None
    ) -> tuple[Delivery, timedelta | None]:
        now = await asyncio.to_thread(self.store.now)
        left = job.updated_at + self.settings.webhook_patience - now
        pause = pause_after(attempt, self.settings.webhook_pause_seconds)
        if pause > left:
            return _given_up(attempt, reason), None
        pause = max(pause, min(wished_pause(retry_after, now), left))
        return Delivery(status=DeliveryStatus.RETRYING, attempts=attempt, reason=reason), pause


def news(job: Job) -> str:
    """Return the body that tells of a job's end; the same in every attempt.

    `data` has the names of the job's document, as far as they tell of an end.
    """
    document = job.model_dump(mode="json")
    result = document.pop("result") or {}
    told = ("id", "status", "priority", "metadata", "created_at", "updated_at", "options")
    made = ("emotion", "duration", "num_frames", "width", "height")
    data = {
        **{name: document[name] for name in (*told, "notices", "failure")},
        **{name: result.get(name) for name in made},
    }
    event = {"type": f"job.{job.status}", "timestamp": document["updated_at"], "data": data}
    return json.dumps(event, ensure_ascii=False)


def pause_after(attempt: int, first: float) -> timedelta:
    """Return the pause after an attempt, the first being 1; no two jobs wait equally long."""
    # Beyond 20 the power alone would outlast a human life.
    seconds = first * PAUSE_GROWTH ** (min(attempt, 20) - 1)
    pause = min(timedelta(seconds=seconds), LONGEST_PAUSE)
    return pause * random.uniform(0.75, 1)  # noqa: S311 - spreads the load, guards nothing


def wished_pause(retry_after: str | None, now: datetime) -> timedelta:
    """Return the pause that a `Retry-After` asks for, three hours at most; none: no time at all.

    It is a number of seconds or a date (RFC 9110, section 10.2.3).
    """
    wish = (retry_after or "").strip()
    if wish.isdecimal():
        longest = LONGEST_PAUSE.total_seconds()
        return timedelta(seconds=min(float(wish), longest))
    try:
        pause = parsedate_to_datetime(wish) - now
    except (ValueError, TypeError, OverflowError):
        return timedelta()  # it asks for nothing that can be understood
    return min(max(pause, timedelta()), LONGEST_PAUSE)


def _given_up(attempt: int, reason: str) -> Delivery:
    return Delivery(status=DeliveryStatus.DISABLED, attempts=attempt, reason=reason)


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(POLL_SECONDS):
            await stop.wait()
    except TimeoutError:
        return


async def deliver_until_told(settings: WebhookSettings) -> None:
    """Deliver until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    courier = Courier.connect(settings)
    if settings.webhook_metrics_port:
        courier.metrics.serve(settings.webhook_metrics_host, settings.webhook_metrics_port)
    logger.info("Delivering webhooks for %g h after a job's end.", settings.webhook_hours)
    await courier.run(stop)


def main() -> None:
    """Deliver until told to stop."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # It logs whole URLs, and a caller's may hold a token.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(deliver_until_told(WebhookSettings()))


if __name__ == "__main__":
    main()
