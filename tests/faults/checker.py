"""Whether a history and what it left behind keep the promises; a list of what does not.

Pure: nothing is read but the two values. Every check has a hand-made story in `test_checker.py`
that it must object to.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from jobs.job import Job, JobStatus
from jobs.storage import (
    attempt_prefix,
    inputs_prefix,
    job_of,
    landmarks_key,
    poster_key,
    request_key,
    video_key,
)
from jobs.webhooks import DeliveryStatus
from tests.faults.history import (
    Answered,
    Deleted,
    Faulted,
    Forged,
    History,
    Lost,
    Posted,
    Seen,
    Told,
    Unanswered,
)
from tests.faults.snapshot import Snapshot

ACCEPTED = (200, 202)
FINAL = frozenset(status.value for status in JobStatus if status.is_final)
LOSE = "lose"
"""The deed of a fault that takes the store's data away; jobs that had ended are gone then."""


@dataclass(frozen=True)
class Violation:
    """A promise that was not kept."""

    check: str
    job_id: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.check}: {self.job_id or '-'} {self.sentence}"


@dataclass(frozen=True)
class Evidence:
    """What a check may look at."""

    history: History
    snapshot: Snapshot

    @cached_property
    def accepted(self) -> frozenset[str]:
        """The jobs that callers were promised."""
        return frozenset(
            answer.job_id
            for answer in self.history.each(Answered)
            if answer.status in ACCEPTED and answer.job_id
        )

    @cached_property
    def deleted(self) -> frozenset[str]:
        """The jobs that need not be there any more."""
        return frozenset(event.job_id for event in self.history.each(Deleted))

    @cached_property
    def is_store_lost(self) -> bool:
        """Whether the store lost its data on the way."""
        return any(fault.deed == LOSE for fault in self.history.each(Faulted))

    @cached_property
    def is_any_request_cut_short(self) -> bool:
        """Whether some request was answered by nobody, or with an error of ours."""
        answers = self.history.each(Answered)
        return any(self.history.each(Unanswered)) or any(each.status >= 500 for each in answers)

    @cached_property
    def seen(self) -> Mapping[str, list[Seen]]:
        """What callers saw of each job, oldest first."""
        found: dict[str, list[Seen]] = defaultdict(list)
        for look in self.history.each(Seen):
            found[look.job_id].append(look)
        return found

    def was_seen_final(self, job_id: str) -> bool:
        """Whether a caller saw the job's end."""
        return any(look.status in FINAL for look in self.seen[job_id])


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


def progress_grows(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Progress never goes backwards."""
    for job_id, events in evidence.snapshot.events.items():
        for before, after in pairwise(events):
            if after.attempt == before.attempt and after.progress < before.progress:
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
        if job.result and job.result.video_key != video_key(job_id, job.attempt):
            yield job_id, f"won in attempt {job.attempt} with {job.result.video_key}"


def videos_can_be_played(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The video of a job that succeeded is stored, and has as many frames as it should."""
    snapshot = evidence.snapshot
    for job_id, job in snapshot.jobs.items():
        if job.result is None:
            continue
        for key in (job.result.video_key, job.result.poster_key, job.result.landmarks_key):
            if key is not None and key not in snapshot.objects:
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
    snapshot, jobs = evidence.snapshot, evidence.snapshot.jobs
    queued = {job_id for job_id, job in jobs.items() if job.status is JobStatus.QUEUED}
    under_way = {job_id for job_id, job in jobs.items() if not job.status.is_final}
    expected = {
        **{
            f"the index {status}": (ids, {i for i, job in jobs.items() if job.status is status})
            for status, ids in snapshot.indexes.items()
        },
        **{
            f"the queue {priority}": (ids, {i for i in queued if jobs[i].priority is priority})
            for priority, ids in snapshot.queues.items()
        },
        **{
            f"the jobs of tenant {name}": (ids, {i for i in jobs if jobs[i].tenant == name})
            for name, ids in snapshot.tenants.items()
        },
        **{
            f"the jobs under way of key {name}": (
                ids,
                {i for i in under_way if jobs[i].key_id == name},
            )
            for name, ids in snapshot.active.items()
        },
        "the outbox": (snapshot.outbox, queued),
    }
    for name, (found, wanted) in expected.items():
        for job_id in found - wanted:
            yield job_id, f"is in {name} and should not be"
        for job_id in wanted - found:
            yield job_id, f"should be in {name} and is not"


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
    nothing_follows_an_end,
    ends_are_told_once,
    callers_saw_the_truth,
    attempts_grow,
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
    kept = {name(job.id, job.attempt) for name in (video_key, poster_key, landmarks_key)}
    return job.status is JobStatus.SUCCEEDED and key in kept
