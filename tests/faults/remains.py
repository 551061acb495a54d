"""Guarantees about the final state of objects, indexes and Idempotency-Keys, one check each.

A check yields each job that violates it, and a sentence about it.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TypeVar

from jobs.job import Job, JobStatus
from jobs.s3.paths import attempt_prefix, inputs_prefix, job_of, request_key
from tests.faults.evidence import ACCEPTED, Evidence, is_kept, made_keys
from tests.faults.history import Answered, Posted

Place = TypeVar("Place", bound=Hashable)


def videos_can_be_played(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The video of a succeeded job is stored, with the right number of frames."""
    snapshot = evidence.snapshot
    for job_id, job in snapshot.jobs.items():
        if job.result is None:
            continue
        for key in made_keys(job.result):
            if key not in snapshot.objects:
                yield job_id, f"lacks {key}"
        frames = snapshot.video_frames.get(job.result.video_key)
        if frames != job.result.num_frames:
            yield job_id, f"has a video of {frames} frames, not {job.result.num_frames}"


def no_object_is_left_over(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Each object belongs to the winning attempt, is an input of a job that has not ended, or will
    be swept.
    """
    for key in evidence.snapshot.objects:
        job_id = job_of(key)
        job = evidence.snapshot.jobs.get(job_id)
        if job is None and not _waits_for_its_retention(job_id, evidence):
            yield job_id, f"has no record and left {key}"
        elif job is not None and not _is_needed(key, job):
            yield job_id, f"is {job.status} in attempt {job.attempt} and left {key}"


def indexes_agree(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every index, queue, outbox and counter agrees with the job's record."""
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
    for job_id in snapshot.cleanups.intersection(unfinished):
        yield job_id, "is to be swept and has not ended"


def refusals_leave_nothing(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every recorded job was accepted, or its caller got no response.

    Callers rejected because the store does not respond are asked to retry. If one gives up, it is
    unknown whether the request was recorded.
    """
    responses: dict[str, list[int]] = defaultdict(list)
    for response in evidence.history.each(Answered):
        responses[response.key].append(response.status)
    posts: dict[str, int] = defaultdict(int)
    for post in evidence.history.each(Posted):
        posts[post.key] += 1
    for job_id, job in evidence.snapshot.jobs.items():
        key = job.idempotency.key if job.idempotency else ""
        is_promised = job_id in evidence.accepted
        is_answered = len(responses[key]) == posts[key] and key not in evidence.given_up
        if not is_promised and is_answered:
            yield job_id, f"exists, though its caller was answered {responses[key]}"


def one_key_makes_one_job(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """However often a request was sent under a key, it created one job."""
    made: dict[str, set[str]] = defaultdict(set)
    for response in evidence.history.each(Answered):
        if response.status in ACCEPTED and response.job_id:
            made[response.key].add(response.job_id)
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


def _waits_for_its_retention(job_id: str, evidence: Evidence) -> bool:
    """Whether the objects of a job without a record are only swept after the maximum age.

    This applies if a request was interrupted before its journal entry, and if the store was lost
    after the job had ended.
    """
    if job_id in evidence.accepted:
        return evidence.is_store_lost and evidence.was_seen_final(job_id)
    is_journaled = request_key(job_id) in evidence.snapshot.objects
    return not is_journaled and evidence.is_any_request_cut_short


def _is_needed(key: str, job: Job) -> bool:
    if not job.status.is_final:
        return key.startswith((inputs_prefix(job.id), attempt_prefix(job.id, job.attempt)))
    return job.status is JobStatus.SUCCEEDED and is_kept(key, job)


def _ids(jobs: Iterable[Job], place: Callable[[Job], Place]) -> dict[Place, set[str]]:
    """Return the ids of the jobs by the index to which each belongs."""
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
