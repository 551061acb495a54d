"""The input of a check: a history, the final state, and what follows from both."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from jobs.job import Job, JobStatus
from jobs.s3.paths import landmarks_key, poster_key, stream_prefix, video_key
from jobs.values import Result
from tests.faults.history import (
    LOSE,
    Answered,
    Deleted,
    Faulted,
    GivenUp,
    History,
    Reopened,
    Seen,
    Unanswered,
)
from tests.faults.snapshot import Snapshot

ACCEPTED = (200, 202)
FINAL = frozenset(status.value for status in JobStatus if status.is_final)


@dataclass(frozen=True)
class Evidence:
    """The input of a check."""

    history: History
    snapshot: Snapshot

    @cached_property
    def accepted(self) -> frozenset[str]:
        """The accepted jobs."""
        return frozenset(
            response.job_id
            for response in self.history.each(Answered)
            if response.status in ACCEPTED and response.job_id
        )

    @cached_property
    def deleted(self) -> frozenset[str]:
        """Jobs that may be missing."""
        return frozenset(event.job_id for event in self.history.each(Deleted))

    @cached_property
    def is_store_lost(self) -> bool:
        """Whether the store lost its data during the run."""
        return any(fault.deed == LOSE for fault in self.history.each(Faulted))

    @cached_property
    def reopened(self) -> frozenset[str]:
        """Jobs that may be seen to end twice, as docs/reliability.md explains."""
        return frozenset(event.job_id for event in self.history.each(Reopened))

    @cached_property
    def given_up(self) -> frozenset[str]:
        """The Idempotency-Keys of requests whose callers gave up while Valkey was broken."""
        if not any(fault.target == "valkey" for fault in self.history.each(Faulted)):
            return frozenset()
        return frozenset(event.key for event in self.history.each(GivenUp))

    @cached_property
    def is_any_request_cut_short(self) -> bool:
        """Whether a request got no response, or an internal error."""
        responses = self.history.each(Answered)
        return any(self.history.each(Unanswered)) or any(each.status >= 500 for each in responses)

    @cached_property
    def seen(self) -> Mapping[str, list[Seen]]:
        """What callers saw of each job, oldest first."""
        found: dict[str, list[Seen]] = defaultdict(list)
        for look in self.history.each(Seen):
            found[look.job_id].append(look)
        return found

    def was_seen_final(self, job_id: str) -> bool:
        """Whether a caller saw the end of the job."""
        return any(look.status in FINAL for look in self.seen[job_id])


def is_kept(key: str, job: Job) -> bool:
    """Return whether a job's last attempt may leave the object."""
    results = (name(job.id, job.attempt) for name in (video_key, poster_key, landmarks_key))
    return key in results or key.startswith(stream_prefix(job.id, job.attempt))


def made_keys(result: Result) -> list[str]:
    """Return the keys of the objects named in a result."""
    keys = (result.video_key, result.poster_key, result.landmarks_key)
    return [key for key in keys if key is not None]
