"""Whether a history and what it left behind keep the promises; a list of what does not.

Pure: nothing is read but the two values. Every check has a hand-made story in `test_checker.py`
that it must object to.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from jobs.job import Job, JobStatus, Result, workers_lost
from jobs.storage import (
    attempt_prefix,
    inputs_prefix,
    job_of,
    landmarks_key,
    poster_key,
    request_key,
    video_key,
)
from jobs.store import MAX_EVENTS
from jobs.webhooks import DeliveryStatus
from tests.faults.evidence import ACCEPTED, FINAL, Evidence
from tests.faults.history import Answered, Forged, History, Lost, Posted, Told
from tests.faults.snapshot import Snapshot

Place = TypeVar("Place", bound=Hashable)

MOVES = {
    JobStatus.QUEUED: {JobStatus.PROCESSING, JobStatus.CANCELED},
    JobStatus.PROCESSING: {*JobStatus},
}
"""What may follow a state that is not final."""


WORKERS_LOST = workers_lost(0).code


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept."""

    check: str
    job_id: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.check}: {self.job_id or '-'} {self.sentence}"


Check = Callable[[Evidence], Iterator[tuple[str, str]]]
"""Yields each job that is not as promised, and a sentence about it."""


def accepted_jobs_end(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every job that was accepted is in a final state."""
    for job_id in evidence.accepted - evidence.deleted:
        job = evidence.snapshot.jobs.get(job_id)
        if job is None and evidence.is_store_lost and evidence.was_seen_final(job_id):
            continue
        if job is None:
            yield job_id, "was accepted and is gone"
        elif not job.status.is_final:
            yield job_id, f"was accepted and is still {job.status}"


def jobs_move_as_they_may(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """A job begins queued, and each of its states may follow the one before."""
    for job_id, events in evidence.snapshot.events.items():
        if events and len(events) < MAX_EVENTS and events[0].status is not JobStatus.QUEUED:
            yield job_id, f"began {events[0].status}"
        for before, after in pairwise(events):
            if after.status not in MOVES.get(before.status, {*JobStatus}):
                yield job_id, f"was {before.status} and then {after.status}"


def nothing_follows_an_end(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """No state follows a final one, in the store's events and in what callers saw."""
    for job_id, statuses in _stories(evidence):
        for before, after in pairwise(statuses):
            if before in FINAL and after != before:
                yield job_id, f"was {before} and then {after}"


def ends_are_told_once(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """A job has one event of its end, and its record is that."""
    for job_id, job in evidence.snapshot.jobs.items():
        events = evidence.snapshot.events.get(job_id, ())
        finals = [event for event in events if event.status.is_final]
        if len(finals) > 1:
            yield job_id, f"ended {len(finals)} times"
        if events and events[-1] != job:
            yield job_id, "has a record that is not its last event"


def callers_saw_the_truth(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The end that callers saw, or were told of, is the one on record."""
    for job_id, job in evidence.snapshot.jobs.items():
        ends = {look.status for look in evidence.seen[job_id] if look.status in FINAL}
        ends |= {told.status for told in evidence.history.each(Told) if told.job_id == job_id}
        for end in ends - {job.status.value}:
            yield job_id, f"was {end} to its caller and is {job.status}"


def attempts_grow(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Attempts are counted without gaps, and a claim alone begins one."""
    for job_id, events in evidence.snapshot.events.items():
        for before, after in pairwise(events):
            is_claim = (before.status, after.status) == (JobStatus.QUEUED, JobStatus.PROCESSING)
            if after.attempt != before.attempt + is_claim:
                yield job_id, f"went from attempt {before.attempt} to {after.attempt}"


def attempts_are_accounted_for(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """No attempt is counted twice, and a job fails for lost workers if it lost every one."""
    for job_id, job in evidence.snapshot.jobs.items():
        if job.lost + job.handed_back > job.attempt:
            yield job_id, f"lost {job.lost} of {job.attempts_counted} attempts"
        are_all_lost = job.lost == job.attempts_counted
        if job.failure and job.failure.code == WORKERS_LOST and not are_all_lost:
            yield job_id, f"is worker_lost, with {job.lost} of {job.attempts_counted} lost"


def progress_grows(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Progress never goes backwards, neither in the store's events nor in what callers saw."""
    for job_id, events in evidence.snapshot.events.items():
        for before, after in pairwise(events):
            if after.progress < before.progress:
                yield job_id, f"fell from {before.progress} to {after.progress}"
    for job_id, looks in evidence.seen.items():
        for sooner, later in pairwise(looks):
            if later.progress < sooner.progress and not evidence.is_store_lost:
                yield job_id, f"was seen to fall from {sooner.progress} to {later.progress}"


def results_are_the_winners(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """A job has a result exactly when it succeeded, and it is that of its last attempt."""
    for job_id, job in evidence.snapshot.jobs.items():
        if (job.result is not None) != (job.status is JobStatus.SUCCEEDED):
            yield job_id, f"is {job.status} {'without' if job.result is None else 'with'} a result"
        if (job.failure is not None) != (job.status is JobStatus.FAILED):
            yield job_id, f"is {job.status}, its failure {job.failure}"
        for key in _made(job.result) if job.result else ():
            if key not in _kept(job):
                yield job_id, f"won in attempt {job.attempt} with {key}"


def videos_can_be_played(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The video of a job that succeeded is stored, and has as many frames as it should."""
    snapshot = evidence.snapshot
    for job_id, job in snapshot.jobs.items():
        if job.result is None:
            continue
        for key in _made(job.result):
            if key not in snapshot.objects:
                yield job_id, f"lacks {key}"
        frames = snapshot.video_frames.get(job.result.video_key)
        if frames != job.result.num_frames:
            yield job_id, f"has a video of {frames} frames, not {job.result.num_frames}"


def no_object_is_left_over(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Each object is the winner's, an input of a job that has not ended, or waits to be swept."""
    for key in evidence.snapshot.objects:
        job_id = job_of(key)
        job = evidence.snapshot.jobs.get(job_id)
        if job is None and not _waits_for_its_retention(job_id, evidence):
            yield job_id, f"has no record and left {key}"
        elif job is not None and not _is_needed(key, job):
            yield job_id, f"is {job.status} in attempt {job.attempt} and left {key}"


def indexes_agree(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every index, queue, outbox and counter says of a job what its record says."""
    snapshot, jobs = evidence.snapshot, evidence.snapshot.jobs.values()
    queued = [job for job in jobs if job.status is JobStatus.QUEUED]
    with_key = [job for job in jobs if job.key_id and not job.status.is_final]
    unfinished = [job.id for job in jobs if not job.status.is_final]
    yield from _compare("the index", snapshot.indexes, _ids(jobs, lambda job: job.status))
    yield from _compare("the queue", snapshot.queues, _ids(queued, lambda job: job.priority))
    yield from _compare("the jobs of", snapshot.tenants, _ids(jobs, lambda job: job.tenant))
    yield from _compare(
        "those under way of", snapshot.active, _ids(with_key, lambda j: j.key_id or "")
    )
    yield from _compare("the", {"outbox": snapshot.outbox}, _ids(queued, lambda _: "outbox"))
    for job_id in snapshot.spent.intersection(unfinished):
        yield job_id, "is to be swept and has not ended"


def refusals_leave_nothing(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every job on record was promised to a caller, or its caller never heard an answer."""
    answers: dict[str, list[int]] = defaultdict(list)
    for answer in evidence.history.each(Answered):
        answers[answer.key].append(answer.status)
    posts: dict[str, int] = defaultdict(int)
    for post in evidence.history.each(Posted):
        posts[post.key] += 1
    for job_id, job in evidence.snapshot.jobs.items():
        key = job.idempotency.key if job.idempotency else ""
        is_promised = job_id in evidence.accepted
        is_answered = len(answers[key]) == posts[key]
        if not is_promised and is_answered:
            yield job_id, f"exists, though its caller was answered {answers[key]}"


def one_key_makes_one_job(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """However often a request was sent under a key, it made one job."""
    made: dict[str, set[str]] = defaultdict(set)
    for answer in evidence.history.each(Answered):
        if answer.status in ACCEPTED and answer.job_id:
            made[answer.key].add(answer.job_id)
    for job_id, job in evidence.snapshot.jobs.items():
        if job.idempotency:
            made[job.idempotency.key].add(job_id)
    for key, job_ids in made.items():
        if len(job_ids) > 1:
            yield min(job_ids), f"shares the key {key} with {sorted(job_ids - {min(job_ids)})}"


def keys_lead_to_jobs(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """A confirmed Idempotency-Key leads to a job that exists, or was deleted."""
    known = evidence.snapshot.jobs.keys() | evidence.deleted
    for holder in evidence.snapshot.holders:
        if holder.is_confirmed and holder.job_id not in known:
            yield holder.job_id, "is what an Idempotency-Key leads to, and does not exist"


def ends_are_told(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Whoever asked to be told of an end was, and with a message that can be recognised."""
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
    """No delivery is kept or due of a job that has not ended, or is not there."""
    snapshot = evidence.snapshot
    for job_id in snapshot.deliveries.keys() | snapshot.webhooks_due:
        job = snapshot.jobs.get(job_id)
        if job is None or not job.status.is_final or job.webhook_url is None:
            yield job_id, "has news to tell and should not"


def webhooks_are_signed(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every webhook that came can be believed."""
    for forged in evidence.history.each(Forged):
        yield "", f"A webhook came that is not to be believed: {forged.reason}"


def callers_never_lose_a_job(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """A caller that follows a job is never told that there is none, unless it was deleted."""
    for lost in evidence.history.each(Lost):
        if lost.job_id not in evidence.deleted and not evidence.is_store_lost:
            yield lost.job_id, f"was lost to its follower: {lost.reason}"


CHECKS: tuple[Check, ...] = (
    accepted_jobs_end,
    jobs_move_as_they_may,
    nothing_follows_an_end,
    ends_are_told_once,
    callers_saw_the_truth,
    attempts_grow,
    attempts_are_accounted_for,
    progress_grows,
    results_are_the_winners,
    videos_can_be_played,
    no_object_is_left_over,
    indexes_agree,
    refusals_leave_nothing,
    one_key_makes_one_job,
    keys_lead_to_jobs,
    ends_are_told,
    news_has_a_job,
    webhooks_are_signed,
    callers_never_lose_a_job,
)


def find_violations(history: History, snapshot: Snapshot) -> list[Violation]:
    """Return every promise that was not kept, in the order of the checks."""
    evidence = Evidence(history, snapshot)
    return [
        Violation(check.__name__, job_id, sentence)
        for check in CHECKS
        for job_id, sentence in check(evidence)
    ]


def _ids(jobs: Iterable[Job], place: Callable[[Job], Place]) -> dict[Place, set[str]]:
    """Return the ids of the jobs by the place that each belongs in."""
    found: dict[Place, set[str]] = defaultdict(set)
    for job in jobs:
        found[place(job)].add(job.id)
    return found


def _compare(
    kind: str, found: Mapping[Place, frozenset[str]], wanted: Mapping[Place, set[str]]
) -> Iterator[tuple[str, str]]:
    for place in found.keys() | wanted.keys():
        is_in, should_be = found.get(place, frozenset()), wanted.get(place, set())
        for job_id in is_in - should_be:
            yield job_id, f"is in {kind} {place} and should not be"
        for job_id in should_be - is_in:
            yield job_id, f"should be in {kind} {place} and is not"


def _stories(evidence: Evidence) -> Iterator[tuple[str, list[str]]]:
    """Yield each job's states, in order, as the store tells them and as its callers saw them."""
    for job_id, events in evidence.snapshot.events.items():
        yield job_id, [event.status.value for event in events]
    for job_id, looks in evidence.seen.items():
        yield job_id, [look.status for look in looks]


def _waits_for_its_retention(job_id: str, evidence: Evidence) -> bool:
    """Whether what is left of a job without a record is swept only when it is as old as can be.

    That is so when a request was cut short before its journal entry, and when the store was lost
    after the job had ended.
    """
    if job_id in evidence.accepted:
        return evidence.is_store_lost and evidence.was_seen_final(job_id)
    is_journaled = request_key(job_id) in evidence.snapshot.objects
    return not is_journaled and evidence.is_any_request_cut_short


def _is_needed(key: str, job: Job) -> bool:
    if not job.status.is_final:
        return key.startswith((inputs_prefix(job.id), attempt_prefix(job.id, job.attempt)))
    return job.status is JobStatus.SUCCEEDED and key in _kept(job)


def _kept(job: Job) -> set[str]:
    """Return the keys of what a job's last attempt may leave behind."""
    return {name(job.id, job.attempt) for name in (video_key, poster_key, landmarks_key)}


def _made(result: Result) -> list[str]:
    """Return the keys of what a result tells of."""
    keys = (result.video_key, result.poster_key, result.landmarks_key)
    return [key for key in keys if key is not None]
