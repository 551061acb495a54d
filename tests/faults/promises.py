"""Guarantees about a job's states, attempts and progress, one check each.

A check yields each job that violates it, and a sentence about it.
"""

from collections.abc import Iterator
from itertools import pairwise

from jobs.job import JobStatus, workers_lost
from jobs.valkey.records import MAX_EVENTS
from tests.faults.evidence import FINAL, Evidence, is_kept, made_keys

MOVES = {
    JobStatus.QUEUED: {JobStatus.PROCESSING, JobStatus.CANCELED},
    JobStatus.PROCESSING: {*JobStatus},
}
"""Possible successors of each state that is not final."""

WORKERS_LOST = workers_lost(0).code


def accepted_jobs_end(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Every accepted job is in a final state."""
    for job_id in evidence.accepted - evidence.deleted:
        job = evidence.snapshot.jobs.get(job_id)
        if job is None and evidence.is_store_lost and evidence.was_seen_final(job_id):
            continue
        if job is None:
            yield job_id, "was accepted and is gone"
        elif not job.status.is_final:
            yield job_id, f"was accepted and is still {job.status}"


def jobs_move_as_they_may(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """A job starts queued, and each state is a valid successor of the previous one."""
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
    """A job has exactly one final event, which equals its record."""
    for job_id, job in evidence.snapshot.jobs.items():
        events = evidence.snapshot.events.get(job_id, ())
        finals = [event for event in events if event.status.is_final]
        if len(finals) > 1:
            yield job_id, f"ended {len(finals)} times"
        if events and events[-1] != job:
            yield job_id, "has a record that is not its last event"


def attempts_grow(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Attempts are numbered without gaps, and only a claim starts one."""
    for job_id, events in evidence.snapshot.events.items():
        for before, after in pairwise(events):
            is_claim = (before.status, after.status) == (JobStatus.QUEUED, JobStatus.PROCESSING)
            if after.attempt != before.attempt + is_claim:
                yield job_id, f"went from attempt {before.attempt} to {after.attempt}"


def attempts_are_accounted_for(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """No attempt counts twice, and a job fails with lost workers only if it lost all of them."""
    for job_id, job in evidence.snapshot.jobs.items():
        if job.lost + job.handed_back > job.attempt:
            yield job_id, f"lost {job.lost} of {job.attempts_counted} attempts"
        are_all_lost = job.lost == job.attempts_counted
        if job.failure and job.failure.code == WORKERS_LOST and not are_all_lost:
            yield job_id, f"is worker_lost, with {job.lost} of {job.attempts_counted} lost"


def progress_grows(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Progress never decreases, neither in the store's events nor in what callers saw."""
    for job_id, events in evidence.snapshot.events.items():
        for before, after in pairwise(events):
            if after.progress < before.progress:
                yield job_id, f"fell from {before.progress} to {after.progress}"
    for job_id, looks in evidence.seen.items():
        for sooner, later in pairwise(looks):
            if later.progress < sooner.progress and not evidence.is_store_lost:
                yield job_id, f"was seen to fall from {sooner.progress} to {later.progress}"


def results_are_the_winners(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """A job has a result exactly if it succeeded, and it belongs to its last attempt."""
    for job_id, job in evidence.snapshot.jobs.items():
        if (job.result is not None) != (job.status is JobStatus.SUCCEEDED):
            yield job_id, f"is {job.status} {'without' if job.result is None else 'with'} a result"
        if (job.failure is not None) != (job.status is JobStatus.FAILED):
            yield job_id, f"is {job.status}, its failure {job.failure}"
        for key in made_keys(job.result) if job.result else ():
            if not is_kept(key, job):
                yield job_id, f"won in attempt {job.attempt} with {key}"


def _stories(evidence: Evidence) -> Iterator[tuple[str, list[str]]]:
    """Yield each job's states, in order, from the store and as seen by its callers.

    Callers may have seen the first end of a job that was lost and runs again.
    """
    for job_id, events in evidence.snapshot.events.items():
        yield job_id, [event.status.value for event in events]
    for job_id, looks in evidence.seen.items():
        if job_id not in evidence.reopened:
            yield job_id, [look.status for look in looks]
