"""The documents of jobs as JSON, each serialized once a change."""

from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import version

from pydantic_core import to_json

from jobs.documents import JobDocument
from jobs.eta import Estimate
from jobs.settings import SigningSettings
from jobs.signatures import HOUR, SignedUrls
from jobs.valkey.readings import Reading
from jobs.valkey.records import parse_record
from jobs.valkey.webhook_outbox import Delivery
from jobs.values import utc_now
from service.reading.conditional import entity_tag

DOCUMENTS_KEPT = 1000
"""Number of serialized documents kept, some 3 KB each."""

URLS_KEPT = 16
"""Number of the service's own URLs that are known at a time."""

_NO_ETA = b'"eta":null,"eta_seconds":null'
_VERSION = version("amigo")


class SerializedJobs:
    """Serializes jobs for all callers; safe to share between threads."""

    def __init__(self, settings: SigningSettings) -> None:
        self._settings = settings
        self._document = lru_cache(DOCUMENTS_KEPT)(self._serialize)
        self.urls = lru_cache(URLS_KEPT)(self._urls)

    def body(self, reading: Reading, base_url: str) -> bytes:
        """Return a job's document for callers that know the service by this URL."""
        # The URLs in it change once an hour.
        hour = int(utc_now().timestamp()) // HOUR
        position, delivery = reading.estimate.position, reading.delivery
        body = self._document(reading.record, position, delivery, base_url, hour)
        eta, seconds = reading.estimate.remaining(reading.job)
        if eta is None:
            return body
        fields = to_json({"eta": eta, "eta_seconds": seconds})[1:-1]
        return body.replace(_NO_ETA, fields, 1)

    def _serialize(
        self,
        record: str,
        position: int | None,
        delivery: Delivery | None,
        base_url: str,
        hour: int,
    ) -> bytes:
        job = parse_record(record)
        moment = datetime.fromtimestamp((hour + 1) * HOUR - 1, UTC)
        document = JobDocument.of(
            job,
            self._settings.retention,
            estimate=Estimate(position, (), (), moment),
            delivery=delivery,
            urls=self.urls(base_url),
            now=moment,
        )
        return document.model_dump_json().encode()

    def _urls(self, base_url: str) -> SignedUrls:
        return SignedUrls.of(self._settings, base_url)


def job_tag(reading: Reading) -> str:
    """Return the entity tag of a job's state: what its document is made of, without time.

    It is strong, so that callers can send it in If-Match as they received it, although the ETA
    changes without it. An unchanged job need not be described to know its tag.
    """
    delivery = reading.delivery and reading.delivery.model_dump_json()
    parts = (_VERSION, reading.record, reading.estimate.position, delivery)
    return entity_tag("\n".join(map(str, parts)).encode())
