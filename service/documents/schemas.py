"""The JSON documents of the API, except for the job's, which webhooks contain too."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from jobs.assets import Asset, AssetKind
from jobs.documents import JobDocument, WebhookDocument
from jobs.job import JobStatus
from jobs.s3.object_store import PresignedPut
from jobs.spelling import Spelling
from jobs.valkey.api_keys import Quota
from jobs.valkey.quotas import Usage
from jobs.valkey.webhook_secrets import TenantSecrets
from service.problems import ProblemType


class AssetRequest(BaseModel):
    """A request to register a file for upload."""

    model_config = ConfigDict(extra="forbid")

    kind: AssetKind
    size: int = Field(gt=0, description="Size of the file in bytes.")
    content_type: Annotated[
        str,
        Field(max_length=100),
        Spelling(
            # Quotes as \x22: openapi-generator writes the pattern in quotes without escaping it.
            r"^[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+"
            r"( ?; ?[A-Za-z0-9.+-]+=([A-Za-z0-9.+-]+|\x22[A-Za-z0-9.,+ -]+\x22))*$",
            "a content type such as image/jpeg, of at most 100 characters",
        ),
    ] = Field(
        description="Content type of the upload, such as `audio/webm;codecs=opus`.",
    )


class UploadDocument(BaseModel):
    """The request that uploads a file. It needs no API key, because its URL is signed."""

    method: str
    url: str
    headers: dict[str, str] = Field(description="Headers to send unchanged.")


class AssetDocument(BaseModel):
    """A file that jobs can refer to once it is uploaded."""

    id: str
    kind: AssetKind
    size: int = Field(description="Size of the file in bytes.")
    content_type: str
    created_at: datetime
    expires_at: datetime = Field(description="Jobs can refer to the asset until this time.")
    is_uploaded: bool = Field(description="Whether the file has been uploaded.")
    upload: UploadDocument | None = Field(
        description="How to upload the file; null except in the response to the registration."
    )

    @classmethod
    def of(
        cls, asset: Asset, upload: PresignedPut | None = None, *, is_uploaded: bool = False
    ) -> Self:
        """Return the document of an asset; a newly registered one has an upload."""
        return cls(
            **asset.model_dump(exclude={"tenant"}),
            expires_at=asset.expires_at,
            is_uploaded=is_uploaded,
            upload=upload and UploadDocument(**asdict(upload)),
        )


class AssetPage(BaseModel):
    """Your assets, newest first."""

    assets: list[AssetDocument]


class JobCounts(BaseModel):
    """Job counts."""

    unfinished: int = Field(description="Currently queued or processing.")
    created: int = Field(description="Created today.")
    succeeded: int = Field(description="Succeeded today.")
    failed: int = Field(description="Failed today.")
    canceled: int = Field(description="Canceled today.")


class UsageLimitDocument(BaseModel):
    """A limit and what remains of it."""

    limit: int
    remaining: int

    @classmethod
    def of(cls, limit: int | None, used: int) -> Self | None:
        """Return the document of a limit; None if there is none."""
        return None if limit is None else cls(limit=limit, remaining=max(0, limit - used))


class UsageLimitsDocument(BaseModel):
    """The limits of an API key; null means unlimited."""

    jobs_a_day: UsageLimitDocument | None
    concurrent_jobs: UsageLimitDocument | None
    requests_a_minute: UsageLimitDocument | None


class UsageDocument(BaseModel):
    """What your API key has used today and what remains. A day begins at midnight UTC."""

    day_start: datetime = Field(description="When today began.")
    day_end: datetime = Field(description="When today ends and its counts are reset.")
    jobs: JobCounts
    video_seconds: float = Field(
        description="Total length of the videos generated today, in seconds."
    )
    limits: UsageLimitsDocument

    @classmethod
    def of(cls, usage: Usage, quota: Quota, requests: UsageLimitDocument | None) -> Self:
        """Return the document of an API key's usage under its quota, and of its requests."""
        return cls(
            day_start=usage.day_start,
            day_end=usage.day_end,
            jobs=JobCounts(
                unfinished=usage.unfinished,
                created=usage.created,
                succeeded=usage.ended[JobStatus.SUCCEEDED],
                failed=usage.ended[JobStatus.FAILED],
                canceled=usage.ended[JobStatus.CANCELED],
            ),
            video_seconds=round(usage.video_seconds, 3),
            limits=UsageLimitsDocument(
                jobs_a_day=UsageLimitDocument.of(quota.jobs_a_day, usage.created),
                concurrent_jobs=UsageLimitDocument.of(quota.concurrent_jobs, usage.unfinished),
                requests_a_minute=requests,
            ),
        )


class WebhookTestRequest(BaseModel):
    """A request to send a test notification."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        description="URL to send it to.", json_schema_extra={"format": "uri", "maxLength": 2048}
    )


class WebhookTestDocument(BaseModel):
    """A test notification and the state of its delivery."""

    id: str
    webhook: WebhookDocument


class WebhookSecretDocument(BaseModel):
    """The secrets that sign your webhooks (Standard Webhooks)."""

    secret: str = Field(description="The current secret, `whsec_…`.")
    previous_secret: str | None = Field(
        description="Also signs for a day after a rotation; null otherwise."
    )
    previous_expires_at: datetime | None = Field(description="When the previous secret expires.")

    @classmethod
    def of(cls, secrets: TenantSecrets) -> Self:
        """Return the document of a tenant's secrets."""
        return cls(
            secret=secrets.current,
            previous_secret=secrets.previous,
            previous_expires_at=secrets.previous_expires_at,
        )


class TokenRequest(BaseModel):
    """A request for a token."""

    model_config = ConfigDict(extra="forbid")

    job_id: str | None = Field(
        None, description="Job that the token can read; if omitted, all of yours."
    )
    seconds: int = Field(900, ge=60, le=3600, description="Lifetime of the token in seconds.")


class TokenDocument(BaseModel):
    """A token that lets a browser read jobs: append it to a URL as `?token=`."""

    token: str
    job_id: str | None = Field(description="Job that the token can read; null means all of yours.")
    expires_at: datetime


class ProblemDocument(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="Path of a page about this type of problem.")
    title: str
    status: int
    detail: str = Field(description="What was given and what is accepted.")
    instance: str = Field(
        description="Identifies this occurrence in responses and in the service's log."
    )
    code: str = Field(description="Stable code, meant for programs.")


class BatchResult(BaseModel):
    """Result of one request in a batch."""

    status: int = Field(description="202, or the problem's status.")
    job: JobDocument | None = Field(None, description="Present if the request was accepted.")
    problem: ProblemDocument | None = Field(
        None, description="Present if the request was rejected."
    )


class BatchDocument(BaseModel):
    """Results of the requests in a batch, in the same order."""

    results: list[BatchResult]


class JobPage(BaseModel):
    """A page of the caller's jobs, newest first."""

    jobs: list[JobDocument]
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last page.")


class ProblemTypeDocument(BaseModel):
    """A type of problem."""

    code: str
    status: int
    title: str

    @classmethod
    def of(cls, problem_type: ProblemType) -> Self:
        """Return the document of a type of problem."""
        return cls(code=problem_type.code, status=problem_type.status, title=problem_type.title)


class FrameLandmarks(BaseModel):
    """The landmarks of all frames and the emotion over time."""

    synthetic: Literal[True] = Field(
        description="Always true: a model generated these landmarks, not a person."
    )
    model: str = Field(description="The model: name, version and digest of its weights.")
    frame_rate: float = Field(description="Frames per second.")
    landmarks: list[list[Annotated[list[float], Field(min_length=2, max_length=2)]]] = Field(
        description="[T, 79, 2]: the points of each frame, in pixels of the video."
    )
    emotions: list[list[float]] = Field(
        description="[T, 8]: the probability of each emotion for each frame."
    )
    emotion_names: list[str] = Field(description="The names of the emotions, in order.")


class Liveness(BaseModel):
    """The process is alive."""

    alive: Literal[True] = True


class Readiness(BaseModel):
    """Availability of each component."""

    store: bool
    storage: bool
