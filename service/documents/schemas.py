"""The JSON documents of the API."""

from datetime import datetime, timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from jobs.assets import Asset, AssetKind
from jobs.eta import Estimate
from jobs.job import Job, JobStatus, Priority, Stage
from jobs.options import Metadata, Options
from jobs.s3.object_store import PresignedPut
from jobs.valkey.webhook_outbox import Delivery, DeliveryStatus
from jobs.values import Failure, HeardEmotion
from service.problems import ProblemType


class WebhookDocument(BaseModel):
    """State of the webhook notification."""

    url: str = Field(description="The URL without its query, which may contain a secret.")
    status: DeliveryStatus
    attempts: int = Field(description="Number of delivery attempts.")
    reason: str | None = Field(description="Why the last attempt failed; null if it did not.")


class ConsentDocument(BaseModel):
    """The caller's affirmation of consent."""

    affirmed_at: datetime
    version: str = Field(description="Version of the statement.")
    statement: str = Field(description="Text of the statement.")
    key_id: str | None = Field(
        description="The API key that affirmed it; null if none was required."
    )

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """Return the affirmation of the job's caller; None in records older than this field."""
        if job.consent is None:
            return None
        told = job.consent.model_dump()
        return cls(**told, statement=job.consent.statement, key_id=job.key_id)


class Links(BaseModel):
    """Related paths; null if not available in the job's state."""

    self: str
    events: str = Field(description="Event stream of the job's changes.")
    cancel: str | None = Field(description="POST here to cancel.")
    stream: str | None = Field(description="The video while it is made (HLS).")
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
    queue_position: int | None = Field(description="1 is next; null unless queued.")
    eta: datetime | None = Field(
        description=(
            "Estimated time of completion, based on recent jobs; null if the job has ended or no "
            "job has finished yet."
        )
    )
    eta_seconds: float | None = Field(description="Estimated remaining seconds.")
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = Field(
        description="When the job and its files are deleted; null until it has ended."
    )
    options: Options
    consent: ConsentDocument | None = Field(
        description="The affirmed consent; null in records older than this field."
    )
    metadata: Metadata = Field(description="The caller's metadata.")
    notices: tuple[str, ...] = Field(
        description="Codes of changes to the inputs or the video, such as `several_faces`."
    )
    failure: Failure | None = Field(description="Why the job failed; null otherwise.")
    emotion: HeardEmotion | None = Field(description="The detected emotion; null until finished.")
    duration: float | None = Field(description="Length of the video in seconds.")
    num_frames: int | None = Field(description="Number of frames in the video.")
    width: int | None = Field(description="Of the video, in pixels.")
    height: int | None = Field(description="Of the video, in pixels.")
    timings: dict[str, float] = Field(description="Duration of each step in seconds.")
    webhook: WebhookDocument | None = Field(description="Null without a `webhook_url`.")
    links: Links

    @classmethod
    def of(
        cls,
        job: Job,
        retention: timedelta,
        estimate: Estimate | None = None,
        delivery: Delivery | None = None,
    ) -> Self:
        """Return the document of a job; the estimate gives its position and ETA."""
        result = job.result
        eta = estimate and estimate.eta(job)
        return cls(
            **job.model_dump(exclude={"result", "attempt", "consent"}),
            attempt=job.attempts_begun,
            consent=ConsentDocument.of(job),
            queue_position=estimate and estimate.position,
            eta=eta and eta.replace(microsecond=0),
            eta_seconds=eta and estimate and round((eta - estimate.now).total_seconds(), 1),
            expires_at=job.updated_at + retention if job.status.is_final else None,
            emotion=result and result.emotion,
            duration=result and result.duration,
            num_frames=result and result.num_frames,
            width=result and result.width,
            height=result and result.height,
            timings=result.timings if result else {},
            webhook=_webhook(job, delivery or Delivery()),
            links=Links.of(job),
        )


def _webhook(job: Job, delivery: Delivery) -> WebhookDocument | None:
    if job.webhook_url is None:
        return None
    url = urlsplit(job.webhook_url)._replace(query="", fragment="").geturl()
    return WebhookDocument(url=url, **delivery.model_dump())


class AssetRequest(BaseModel):
    """A file to be uploaded."""

    model_config = ConfigDict(extra="forbid")

    kind: AssetKind
    size: int = Field(gt=0, description="Size of the file in bytes.")
    content_type: str = Field(
        max_length=100,
        pattern=r"^[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+$",
        description="Content type of the upload, such as `image/jpeg`.",
    )


class UploadDocument(BaseModel):
    """The request that uploads a file. It needs no API key, because its URL is signed."""

    method: str
    url: str
    headers: dict[str, str] = Field(description="Headers to send unchanged.")


class AssetDocument(BaseModel):
    """A file to which jobs can refer once it is uploaded."""

    id: str
    kind: AssetKind
    expires_at: datetime = Field(description="Jobs can refer to the asset until this time.")
    upload: UploadDocument

    @classmethod
    def of(cls, asset: Asset, upload: PresignedPut) -> Self:
        """Return the document of a newly registered asset."""
        return cls(
            id=asset.id,
            kind=asset.kind,
            expires_at=asset.expires_at,
            upload=UploadDocument(method=upload.method, url=upload.url, headers=upload.headers),
        )


class ProblemDocument(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="A page about this type of problem.")
    title: str
    status: int
    detail: str = Field(description="What was given and what is accepted.")
    instance: str = Field(description="Identifies this occurrence, also in the service's log.")
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
        description="The face did not really move this way: a model generated the landmarks."
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


def job_path(job_id: str) -> str:
    """Return the path of a job."""
    return f"/v1/jobs/{job_id}"
