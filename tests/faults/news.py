"""Guarantees about what callers see and receive, one check each.

A check yields each job that violates it, and a sentence about it.
"""

from collections import defaultdict
from collections.abc import Iterator

from jobs.valkey.webhook_outbox import DeliveryStatus
from tests.faults.evidence import FINAL, Evidence
from tests.faults.history import Forged, Lost, Told


def callers_saw_the_truth(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The end that callers saw, or were notified of, is the recorded one, unless the job was lost
    and runs again.
    """
    for job_id, job in evidence.snapshot.jobs.items():
        if job_id in evidence.reopened:
            continue
        ends = {look.status for look in evidence.seen[job_id] if look.status in FINAL}
        ends |= {told.status for told in evidence.history.each(Told) if told.job_id == job_id}
        for end in ends - {job.status.value}:
            yield job_id, f"was {end} to its caller and is {job.status}"


def callers_never_lose_a_job(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """A follower is never told that its job does not exist, unless it was deleted."""
    for lost in evidence.history.each(Lost):
        if lost.job_id not in evidence.deleted and not evidence.is_store_lost:
            yield lost.job_id, f"was lost to its follower: {lost.reason}"


def ends_are_told(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every requested webhook arrived, with an id that identifies duplicates."""
    told: dict[str, set[str]] = defaultdict(set)
    for news in evidence.history.each(Told):
        if 200 <= news.answer < 300:
            told[news.job_id].add(news.message_id)
    for job_id, job in evidence.snapshot.jobs.items():
        if job.webhook_url is None or not job.status.is_final:
            continue
        delivery = evidence.snapshot.deliveries.get(job_id)
        if not told[job_id]:
            yield job_id, f"is {job.status} and nobody was told; its delivery: {delivery}"
        if len(told[job_id]) > 1:
            yield job_id, f"was told under several ids: {sorted(told[job_id])}"
        if delivery is None or delivery.status is not DeliveryStatus.DELIVERED:
            yield job_id, f"was told, and its delivery is {delivery}"
        if job_id in evidence.snapshot.webhooks_due:
            yield job_id, "was told, and is to be told again"


def news_has_a_job(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """No delivery is stored or due for a job that has not ended, or does not exist."""
    snapshot = evidence.snapshot
    for job_id in snapshot.deliveries.keys() | snapshot.webhooks_due:
        job = snapshot.jobs.get(job_id)
        if job is None or not job.status.is_final or job.webhook_url is None:
            yield job_id, "has news to tell and should not"


def webhooks_are_signed(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every webhook has a valid signature."""
    for forged in evidence.history.each(Forged):
        yield "", f"A webhook came that is not to be believed: {forged.reason}"
