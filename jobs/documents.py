"""The job's JSON document, as callers read it over HTTP and receive it in webhooks."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field

from jobs.eta import Estimate
from jobs.job import Job, JobStatus, Priority, Stage
from jobs.options import Metadata, Options
from jobs.signatures import SignedUrls
from jobs.valkey.webhook_outbox import Delivery, DeliveryStatus
from jobs.values import Failure, HeardEmotion, Result, WebhookEventType, utc_now


class WebhookDocument(BaseModel):
    """State of the webhook notification."""

    url: str = Field(description="The URL without its query, which may contain a secret.")
    status: DeliveryStatus
    attempts: int = Field(description="Number of delivery attempts.")
    reason: str | None = Field(description="Why the last attempt failed; null if it did not.")
    events: tuple[WebhookEventType, ...] = Field(description="Events sent to this URL.")

    @classmethod
    def of(cls, job: Job, delivery: Delivery) -> Self:
        """Return the state of a job's webhook."""
        url = urlsplit(job.webhook_url or "")._replace(query="", fragment="").geturl()
        events = job.webhook_events or tuple(WebhookEventType)
        return cls(url=url, events=events, **delivery.model_dump())


class ConsentDocument(BaseModel):
    """The consent that the caller gave."""

    affirmed_at: datetime
    version: str = Field(description="Version of the statement that was affirmed.")
    statement: str = Field(description="Text of the statement that was affirmed.")
    key_id: str | None = Field(
        description="Id of the API key that was used; null if none was required."
    )

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """Return the affirmation of the job's caller; None in records older than this field."""
        if job.consent is None:
            return None
        consent = job.consent.model_dump()
        return cls(**consent, statement=job.consent.statement, key_id=job.key_id)


class Links(BaseModel):
    """Related paths; null if not available in the job's state."""

    self: str
    events: str = Field(description="Stream of the job's changes (server-sent events).")
    cancel: str | None = Field(description="POST to this path to cancel the job.")
    stream: str | None = Field(description="The video while it is being rendered (HLS).")
    video: str | None = Field(description="The video.")
    poster: str | None = Field(description="The poster.")
    landmarks: str | None = Field(description="The landmarks of all frames.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the paths available in the job's state."""
        path, result = job_path(job.id), job.result
        return cls(
            self=path,
            events=f"{path}/events",
            cancel=None if job.status.is_final else f"{path}/cancel",
            stream=f"{path}/stream" if job.status is JobStatus.PROCESSING else None,
            video=f"{path}/video" if result else None,
            poster=f"{path}/poster" if result and result.poster_key else None,
            landmarks=f"{path}/landmarks" if result and result.landmarks_key else None,
        )


class JobDocument(BaseModel):
    """A job as seen by its caller."""

    id: str
    status: JobStatus
    stage: Stage | None = Field(
        description="The current step of the worker; null unless processing."
    )
    progress: Annotated[float, Field(ge=0, le=1)]
    attempt: int = Field(description="Number of attempts started.")
    priority: Priority
    queue_position: int | None = Field(
        description="Position in the queue; 1 is next, null unless queued."
    )
    eta: datetime | None = Field(
        description=(
            "Estimated time of completion, based on recent jobs; null if the job has ended or no "
            "job has finished yet."
        )
    )
    eta_seconds: float | None = Field(description="Estimated remaining seconds.")
    created_at: datetime
    started_at: datetime | None = Field(
        description="Start of the latest attempt; null before the first."
    )
    completed_at: datetime | None = Field(description="When the job ended; null until then.")
    updated_at: datetime
    expires_at: datetime | None = Field(
        description="When the job and its files are deleted; null until it has ended."
    )
    options: Options
    consent: ConsentDocument | None = Field(
        description="The caller's consent; null for jobs created before it was recorded."
    )
    metadata: Metadata = Field(description="The caller's metadata.")
    notices: tuple[str, ...] = Field(
        description="Codes of notices about the inputs or the video, such as `several_faces`."
    )
    failure: Failure | None = Field(description="Why the job failed; null otherwise.")
    emotion: HeardEmotion | None = Field(
        description="The detected emotion; null until the job has succeeded."
    )
    duration: float | None = Field(description="Length of the video in seconds.")
    num_frames: int | None = Field(description="Number of frames in the video.")
    width: int | None = Field(description="Width of the video in pixels.")
    height: int | None = Field(description="Height of the video in pixels.")
    timings: dict[str, float] = Field(description="Duration of each step in seconds.")
    webhook: WebhookDocument | None = Field(
        description="State of the webhook; null without a `webhook_url`."
    )
    video_url: str | None = Field(
        description=(
            "Absolute URL that plays the video without an API key, for a day; null until the job "
            "has succeeded."
        )
    )
    poster_url: str | None = Field(description="Absolute URL of the poster, like `video_url`.")
    links: Links

    @classmethod
    def of(
        cls,
        job: Job,
        retention: timedelta,
        estimate: Estimate | None = None,
        delivery: Delivery | None = None,
        urls: SignedUrls | None = None,
        now: datetime | None = None,
    ) -> Self:
        """Return the document of a job.

        Args:
            job: the job.
            retention: how long it is kept after its end.
            estimate: its position and ETA.
            delivery: the state of its webhook.
            urls: what signs the URLs of its files; None leaves them out.
            now: the time from which these URLs are valid; by default the current time.
        """
        eta, eta_seconds = estimate.remaining(job) if estimate else (None, None)
        return cls(
            **job.model_dump(
                exclude={"result", "attempt", "consent", "webhook_events", "traceparent"}
            ),
            **_outcome(job.result),
            **_signed(job, urls, now or utc_now()),
            started_at=job.claimed_at,
            completed_at=job.updated_at if job.status.is_final else None,
            expires_at=job.updated_at + retention if job.status.is_final else None,
            attempt=job.attempts_begun,
            consent=ConsentDocument.of(job),
            queue_position=estimate and estimate.position,
            eta=eta,
            eta_seconds=eta_seconds,
            webhook=WebhookDocument.of(job, delivery or Delivery()) if job.webhook_url else None,
            links=Links.of(job),
        )


def _outcome(result: Result | None) -> dict[str, Any]:
    """Return what is known of the video; empty fields without one."""
    return {
        "emotion": result and result.emotion,
        "duration": result and result.duration,
        "num_frames": result and result.num_frames,
        "width": result and result.width,
        "height": result and result.height,
        "timings": result.timings if result else {},
    }


def _signed(job: Job, urls: SignedUrls | None, now: datetime) -> dict[str, str | None]:
    """Return the URLs of the files that the job has, valid from now on."""
    result = job.result
    return {
        "video_url": urls.url(job, "video", now) if urls and result else None,
        "poster_url": urls.url(job, "poster", now)
        if urls and result and result.poster_key
        else None,
    }


class WebhookEvent(BaseModel):
    """The body of a webhook."""

    type: WebhookEventType | Literal["webhook.test"] = Field(
        description="`webhook.test` carries a sample job; `POST /v1/webhooks/tests` sends it."
    )
    timestamp: datetime = Field(description="When the job ended.")
    data: JobDocument


def job_path(job_id: str) -> str:
    """Return the path of a job."""
    return f"/v1/jobs/{job_id}"
