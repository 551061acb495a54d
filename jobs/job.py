"""The job and its state transitions: frozen values, no I/O."""

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import Field

from jobs.consent import Consent
from jobs.errors import InvalidTransition, StaleAttempt
from jobs.options import Metadata, Options
from jobs.values import Failure, IdempotencyKey, Result, Value, WebhookEventType, utc_now

MAX_ATTEMPTS = 3

WORKER_LOST = "worker_lost"
"""Failure code of a job whose every worker died or stopped responding."""

MAX_OUTAGES = 50
"""Number of attempts that may end because of an outage before the job fails."""

ATTEMPT_BLOCK = 1000
"""The attempts of a restored record are numbered from a multiple of this number; no record has more
attempts, including those returned to the queue.
"""


class JobStatus(StrEnum):
    """State of a job. Final states never change."""

    QUEUED = "queued"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Whether no other state can follow."""
        return self not in (JobStatus.QUEUED, JobStatus.PROCESSING)


class Priority(StrEnum):
    """Priority of a job. Jobs start strictly in order of priority."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class Stage(StrEnum):
    """Current stage of a job that is processing."""

    FETCHING = "fetching"
    LISTENING = "listening"
    RENDERING = "rendering"
    STORING = "storing"


class Job(Value):
    """A portrait and a speech clip on their way to a video.

        queued ──claim──► processing ──succeed──► succeeded
          ▲  │                │  │
          │  └────cancel──────┼──┼──────────────► canceled
          └──────requeue──────┘  └────fail──────► failed

    A job that is requeued or lost after its last attempt fails instead; one that is released or
    postponed keeps its remaining attempts. `attempt` grows with each claim and fences off workers
    that lost their lease: every write of a worker carries its attempt number. `progress` runs from
    0 to 1 within an attempt.
    """

    id: str
    tenant: str = Field("local", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Owner of the job.")
    key_id: str | None = Field(None, description="API key that created the job.")
    status: JobStatus = JobStatus.QUEUED
    priority: Priority = Priority.NORMAL
    options: Options
    consent: Consent | None = Field(None, description="None in records older than this field.")
    metadata: Metadata = Field({})
    portrait_url: str | None = Field(
        None, description="URL to fetch from; None if the input is stored."
    )
    audio_url: str | None = Field(
        None, description="URL to fetch from; None if the input is stored."
    )
    audio_seconds: float | None = Field(None, gt=0, description="None until the input was checked.")
    webhook_url: str | None = Field(None, description="URL to notify when the job ends.")
    webhook_events: tuple[WebhookEventType, ...] = Field(
        (), description="Events to notify it of; empty means all."
    )
    idempotency: IdempotencyKey | None = None
    traceparent: str | None = Field(
        None, description="W3C trace context of the request that created the job."
    )
    created_at: datetime
    updated_at: datetime
    claimed_at: datetime | None = Field(None, description="Start of the latest attempt.")
    attempt: int = 0
    handed_back: int = Field(0, description="Attempts that do not count towards the limit.")
    outages: int = Field(
        0, description="Attempts among these that ended because a component was unavailable."
    )
    lost: int = Field(0, description="Attempts that ended because their worker stopped responding.")
    stage: Stage | None = None
    progress: float = Field(0.0, ge=0, le=1)
    notices: tuple[str, ...] = ()
    failure: Failure | None = None
    result: Result | None = None

    @classmethod
    def create(cls, options: Options, **fields: Any) -> Self:
        """Return a new queued job with an unguessable id; `fields` are those of the job.

        The options include the caller's consent, so there is no job without it.
        """
        now = utc_now()
        return cls(
            id=f"job_{secrets.token_urlsafe(16)}",
            options=options,
            consent=Consent(affirmed_at=now),
            created_at=now,
            updated_at=now,
            **fields,
        )

    def restore(self, now: datetime) -> Self:
        """Return the job as queued again after its record was lost.

        A worker may still be processing it, in an attempt of the lost record. New attempts are
        therefore numbered from the current time, so that no number is used twice.
        """
        start = ATTEMPT_BLOCK * int(now.timestamp() * 1000)
        return self.model_copy(update={"attempt": start, "handed_back": start})

    def claim(self, now: datetime) -> Self:
        """Return the job as claimed by the next attempt.

        Raises:
            InvalidTransition: the job is not queued.
        """
        self._require(JobStatus.QUEUED)
        return self._changed(
            now,
            status=JobStatus.PROCESSING,
            attempt=self.attempt + 1,
            stage=Stage.FETCHING,
            claimed_at=now,
        )

    def advance(self, attempt: int, stage: Stage, progress: float, now: datetime) -> Self:
        """Return the job with more progress; progress never decreases.

        Raises:
            StaleAttempt: the attempt does not own the job.
        """
        self.require_attempt(attempt)
        return self._changed(now, stage=stage, progress=max(self.progress, min(progress, 1.0)))

    def succeed(
        self, attempt: int, result: Result, notices: tuple[str, ...], now: datetime
    ) -> Self:
        """Return the job as succeeded; unchanged if this attempt has already succeeded.

        Repeating it must not fail: if the response to its first call was lost, a worker would
        otherwise treat its own video as stale.

        Raises:
            StaleAttempt: the attempt does not own the job.
        """
        if self.status is JobStatus.SUCCEEDED and (self.attempt, self.result) == (attempt, result):
            return self
        self.require_attempt(attempt)
        return self._changed(
            now,
            status=JobStatus.SUCCEEDED,
            stage=None,
            progress=1.0,
            result=result,
            notices=notices,
        )

    def fail(self, attempt: int, failure: Failure, now: datetime) -> Self:
        """Return the job as failed; unchanged if this attempt has already failed.

        Raises:
            StaleAttempt: the attempt does not own the job.
        """
        if self.status is JobStatus.FAILED and (self.attempt, self.failure) == (attempt, failure):
            return self
        self.require_attempt(attempt)
        return self._changed(now, status=JobStatus.FAILED, stage=None, failure=failure)

    def requeue(self, attempt: int, now: datetime, reason: Failure | None = None) -> Self:
        """Return the job as queued again, or as failed with this reason after its last attempt.

        Raises:
            StaleAttempt: the attempt does not own the job.
        """
        self.require_attempt(attempt)
        if self.is_last_attempt:
            return self.fail(attempt, reason or attempts_used_up(self.attempts_counted), now)
        return self._wait_again(now)

    def lose(self, attempt: int, now: datetime) -> Self:
        """Return the job as with `requeue`, because its worker has stopped responding.

        Raises:
            StaleAttempt: the attempt does not own the job.
        """
        lost = self.lost + 1
        is_poison = lost == self.attempts_counted
        moved = self.requeue(attempt, now, workers_lost(lost) if is_poison else None)
        return moved.model_copy(update={"lost": lost})

    def hand_back(self, attempt: int, now: datetime) -> Self:
        """Return the job as queued again because the worker is shutting down; the attempt does not
        count.

        Raises:
            StaleAttempt: the attempt does not own the job.
        """
        self.require_attempt(attempt)
        return self._wait_again(now, handed_back=self.handed_back + 1)

    def postpone(self, attempt: int, now: datetime) -> Self:
        """Return the job as queued again because a component is unavailable; the attempt does not
        count.

        After more of these than any outage explains, the job fails: the component then rejects this
        particular job.

        Raises:
            StaleAttempt: the attempt does not own the job.
        """
        self.require_attempt(attempt)
        outages = self.outages + 1
        if outages >= MAX_OUTAGES:
            return self.fail(attempt, attempts_used_up(outages), now)
        return self._wait_again(now, handed_back=self.handed_back + 1, outages=outages)

    def cancel(self, now: datetime) -> Self:
        """Return the job as canceled by its caller.

        Raises:
            InvalidTransition: the job has already ended.
        """
        self._require(JobStatus.QUEUED, JobStatus.PROCESSING)
        return self._changed(now, status=JobStatus.CANCELED, stage=None)

    @property
    def attempts_begun(self) -> int:
        """Number of attempts started, as far as the record goes back."""
        return self.attempt % ATTEMPT_BLOCK

    @property
    def attempts_counted(self) -> int:
        """Number of attempts that count towards the limit, including the current one."""
        return self.attempt - self.handed_back

    @property
    def is_last_attempt(self) -> bool:
        """Whether the job fails if the current attempt fails."""
        return self.attempts_counted >= MAX_ATTEMPTS

    @property
    def setbacks(self) -> int:
        """Number of failed attempts of a queued job; determines the delay before the next."""
        return self.attempts_counted + self.outages

    def require_attempt(self, attempt: int) -> None:
        """Check that this attempt owns the job.

        Raises:
            StaleAttempt: the attempt does not own the job.
        """
        if self.status is not JobStatus.PROCESSING or attempt != self.attempt:
            raise StaleAttempt(
                f"Attempt {attempt} no longer owns job {self.id}, which is {self.status} in "
                f"attempt {self.attempt}."
            )

    def _require(self, *accepted: JobStatus) -> None:
        if self.status not in accepted:
            raise InvalidTransition(f"Job {self.id} is {self.status}.")

    def _wait_again(self, now: datetime, **changes: object) -> Self:
        return self._changed(now, status=JobStatus.QUEUED, stage=None, **changes)

    def _changed(self, now: datetime, **changes: object) -> Self:
        return self.model_copy(update={**changes, "updated_at": now})


def attempts_used_up(attempts: int, *reasons: str) -> Failure:
    """Return the failure of a job that no attempt could finish; each reason is a sentence."""
    sentence = f"{attempts} attempts failed to finish this job."
    return Failure(code="attempts_used_up", message=" ".join([sentence, *reasons]))


def workers_lost(attempts: int) -> Failure:
    """Return the failure of a job whose every worker died or stopped responding."""
    return Failure(
        code=WORKER_LOST,
        message=f"{attempts} workers started this job, and each died or stopped responding.",
    )
