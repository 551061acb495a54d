"""Prometheus metrics of webhook delivery: attempts by outcome, and pending webhooks."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobs.errors import StoreUnavailable
from jobs.metrics import Build
from jobs.valkey.webhook_outbox import DeliveryStatus, WebhookOutbox

BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30)
"""Seconds."""

OUTCOMES = (DeliveryStatus.DELIVERED, DeliveryStatus.RETRYING, DeliveryStatus.DISABLED)


class DeliveryMetrics:
    """The metrics of one webhook process. No label ever contains a job, a tenant or a URL."""

    def __init__(self, outbox: WebhookOutbox) -> None:
        self.registry = CollectorRegistry()
        self._attempts = Counter(
            "amigo_webhook_attempts",
            "Webhook delivery attempts by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "amigo_webhook_attempt_seconds",
            "Seconds until the receiver responded or the attempt failed.",
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.registry.register(Build("webhooks"))
        for outcome in OUTCOMES:
            self._attempts.labels(outcome)
        self.registry.register(_Backlog(outbox))

    def observe(self, outcome: DeliveryStatus, seconds: float) -> None:
        """Count and time one attempt."""
        self._attempts.labels(outcome).inc()
        self._seconds.observe(seconds)

    def serve(self, host: str, port: int) -> None:
        """Serve /metrics from a thread."""
        start_http_server(port, host, self.registry)


class _Backlog(Collector):
    """Queries the store at each scrape, so that all webhook processes report the same."""

    def __init__(self, outbox: WebhookOutbox) -> None:
        self._outbox = outbox

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the pending webhooks; nothing while the store is unavailable."""
        try:
            pending, overdue = self._outbox.backlog()
        except StoreUnavailable:
            return
        yield GaugeMetricFamily(
            "amigo_webhooks_pending",
            "Notifications of ended jobs that are not delivered yet.",
            pending,
        )
        yield GaugeMetricFamily(
            "amigo_webhook_overdue_seconds",
            "How long the oldest pending notification has been due, in seconds; 0 if none is.",
            overdue.total_seconds(),
        )
