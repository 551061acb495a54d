"""Frozen values: what a job carries besides its options, and their common base."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Value(BaseModel):
    """A frozen value; changes return a copy."""

    # Error messages about a damaged record must not quote it: callers' URLs contain signatures.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def read(cls, record: str | bytes) -> Self:
        """Return a stored value. Fields that only a newer version knows are ignored.

        Raises:
            ValidationError: the record is damaged.
        """
        return cls.model_validate_json(record, extra="ignore")


class Failure(Value):
    """Why a job failed: a stable code and a message."""

    code: str
    message: str


class HeardEmotion(Value):
    """The emotion detected in the whole speech clip."""

    emotion: str
    probabilities: dict[str, float]


class Result(Value):
    """The result of the successful attempt."""

    video_key: str
    poster_key: str | None = Field(None, description="Poster of the video, a JPEG of one frame.")
    landmarks_key: str | None = Field(None, description="The landmarks of all frames, as npz.")
    width: int | None = Field(None, gt=0, description="Of the video, in pixels.")
    height: int | None = Field(None, gt=0, description="Of the video, in pixels.")
    num_frames: int = Field(gt=0)
    duration: float = Field(gt=0, description="Seconds.")
    emotion: HeardEmotion
    timings: dict[str, float] = Field(description="Duration of each step in seconds.")


class IdempotencyKey(Value):
    """Distinguishes a repeated request from a new one."""

    key: str = Field(description="The key chosen by the caller.")
    fingerprint: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the request, in hexadecimal."
    )


class WebhookEventType(StrEnum):
    """Events that a webhook can receive."""

    SUCCEEDED = "job.succeeded"
    FAILED = "job.failed"
    CANCELED = "job.canceled"


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)
