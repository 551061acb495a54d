"""Request and response types of the service: requests, jobs, pages of jobs, assets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from amigo.choices import JobOptions

FINAL = frozenset({"succeeded", "failed", "canceled"})


class View(BaseModel):
    """A frozen part of a response; unknown members of newer services are kept unchanged."""

    model_config = ConfigDict(frozen=True, extra="allow")


class FailureView(View):
    """Why a job failed: a stable code and a message."""

    code: str
    message: str


class EmotionView(View):
    """The emotion detected in the speech, with the probability of each."""

    emotion: str
    probabilities: dict[str, float]


class ConsentView(View):
    """The consent affirmed by the job's caller; `key_id` is None if no API key is required."""

    affirmed_at: datetime
    version: str
    statement: str
    key_id: str | None = None


class WebhookView(View):
    """State of a webhook's delivery.

    `status` is pending, delivered, retrying or disabled; `reason` explains the last failure.
    """

    url: str
    status: str
    attempts: int = 0
    reason: str | None = None


class WebhookSecretView(View):
    """The secrets with which webhooks are signed; the previous one, if any, until it expires."""

    secret: str
    previous_secret: str | None = None
    previous_expires_at: datetime | None = None


class WebhookTestView(View):
    """A test notification and the state of its delivery."""

    id: str
    webhook: WebhookView


class TokenView(View):
    """A token for reading through URLs (`?token=…`): one job, or all if `job_id` is None."""

    token: str
    job_id: str | None = None
    expires_at: datetime


class JobView(View):
    """State of a job; its results are None until it has succeeded.

    `progress` runs from 0 to 1; `duration`, `timings` and `eta_seconds` are in seconds, `width` and
    `height` in pixels. `eta` is None if it cannot be estimated, `expires_at` until the job has
    ended. `links` are paths; `video_url` and `poster_url` are absolute, and need no API key. `etag`
    identifies this version for `if_match`; only jobs from `get`, `follow` and `wait` have one.
    """

    id: str
    etag: str | None = Field(None, exclude=True)
    status: str
    stage: str | None = None
    progress: float = 0.0
    queue_position: int | None = None
    eta: datetime | None = None
    eta_seconds: float | None = None
    priority: str = "normal"
    metadata: dict[str, str] = {}
    options: dict[str, Any] = {}
    consent: ConsentView | None = None
    webhook: WebhookView | None = None
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updated_at: datetime
    expires_at: datetime | None = None
    notices: tuple[str, ...] = ()
    failure: FailureView | None = None
    emotion: EmotionView | None = None
    duration: float | None = None
    num_frames: int | None = None
    width: int | None = None
    height: int | None = None
    timings: dict[str, float] = {}
    video_url: str | None = None
    poster_url: str | None = None
    links: dict[str, str | None] = {}

    @property
    def has_ended(self) -> bool:
        """Whether the job has reached a final state."""
        return self.status in FINAL

    @property
    def has_succeeded(self) -> bool:
        """Whether there is a video."""
        return self.status == "succeeded"


class PageView(View):
    """A page of a caller's jobs, newest first; `next_cursor` leads to older ones."""

    jobs: tuple[JobView, ...]
    next_cursor: str | None = None


class BatchEntryView(View):
    """The result of one request in a batch: a job, or the problem that rejected it."""

    status: int
    job: JobView | None = None
    problem: dict[str, Any] | None = None


class BatchView(View):
    """Results of the requests in a batch, in the same order."""

    results: tuple[BatchEntryView, ...]


class RefusalView(View):
    """Why a file cannot be used: a stable code and a message."""

    code: str
    message: str


class BoxView(View):
    """A rectangle in pixels of the upright picture; it may extend beyond its edges."""

    left: float
    top: float
    width: float
    height: float


class FaceView(View):
    """A face: its position, the crop that a video shows, and why it cannot be animated."""

    box: BoxView
    crop: BoxView
    interocular: float
    refusal: RefusalView | None = None


class PortraitCheckView(View):
    """The result of checking a portrait.

    `faces` are from the left; None if the service could not look for them. `speaker` is the number
    of the one to be animated, 1 for the leftmost.
    """

    width: int | None = None
    height: int | None = None
    faces: tuple[FaceView, ...] | None = None
    speaker: int | None = None
    notices: tuple[str, ...] = ()
    refusal: RefusalView | None = None


class AudioCheckView(View):
    """The result of checking a recording; `duration` is in seconds."""

    duration: float | None = None
    notices: tuple[str, ...] = ()
    refusal: RefusalView | None = None


class CheckView(View):
    """The results of checking both files; None for one that was not sent."""

    portrait: PortraitCheckView | None = None
    audio: AudioCheckView | None = None

    @property
    def refusals(self) -> tuple[RefusalView, ...]:
        """The reasons against a job with these files; empty if none is known."""
        found = (each.refusal for each in (self.portrait, self.audio) if each)
        return tuple(refusal for refusal in found if refusal)


class UploadView(View):
    """The request that uploads an asset's content to the object store."""

    method: str
    url: str
    headers: dict[str, str] = {}


class AssetView(View):
    """An uploaded portrait or audio file to which jobs can refer; `kind` says which."""

    id: str
    kind: str
    expires_at: datetime | None = None
    size: int | None = None
    content_type: str | None = None
    created_at: datetime | None = None
    is_uploaded: bool = False
    upload: UploadView | None = None


class JobCountsView(View):
    """Numbers of jobs: those queued or processing now, and today's, by UTC."""

    unfinished: int
    created: int
    succeeded: int
    failed: int
    canceled: int


class LimitView(View):
    """A limit and what remains of it."""

    limit: int
    remaining: int


class LimitsView(View):
    """The limits of an API key; None means unlimited."""

    jobs_a_day: LimitView | None = None
    concurrent_jobs: LimitView | None = None
    requests_a_minute: LimitView | None = None


class UsageView(View):
    """What an API key has used today and what remains; `video_seconds` is the length of videos."""

    day_start: datetime
    day_end: datetime
    jobs: JobCountsView
    video_seconds: float
    limits: LimitsView


Source = Path | str | AssetView
"""A file; an `http(s)://` URL, which the service fetches; or an asset uploaded before."""

File = tuple[str, bytes]
"""A name and content."""


@dataclass(frozen=True)
class JobRequest:
    """A request for a job, including the content of its files.

    Attributes:
        fields: options and inputs other than files, as JSON values.
        files: the inputs that are files.
    """

    fields: Mapping[str, Any]
    files: Mapping[str, File]

    @classmethod
    def of(
        cls, portrait: Source, audio: Source, *, consent: bool, options: JobOptions | None = None
    ) -> "JobRequest":
        """Read the files and return the request.

        The files are read once, so that a repeated request is identical.

        Raises:
            OSError: a file cannot be read.
        """
        inputs = {"portrait": _located(portrait), "audio": _located(audio)}
        chosen = {name: value for name, value in (options or {}).items() if value is not None}
        return cls(
            fields={
                "consent": consent,
                **chosen,
                **{
                    f"{name}_{place}": source
                    for name, (place, source) in inputs.items()
                    if place != "file"
                },
            },
            files={
                name: read_file(path)
                for name, (_, path) in inputs.items()
                if isinstance(path, Path)
            },
        )

    @property
    def form(self) -> dict[str, str]:
        """The fields as text parts of a form."""
        return {name: _text(value) for name, value in self.fields.items()}


def read_files(**paths: Path | str | None) -> dict[str, File]:
    """Return the files by name, without those that are None.

    Raises:
        OSError: one cannot be read.
    """
    return {name: read_file(Path(path)) for name, path in paths.items() if path is not None}


def read_file(path: Path) -> File:
    """Return the file's name and content.

    Raises:
        OSError: it cannot be read.
    """
    return path.name, path.read_bytes()


def is_address(source: str) -> bool:
    """Whether the service can fetch it; any other text is the name of a file."""
    return source.startswith(("https://", "http://"))


def _located(source: Source) -> tuple[Literal["file", "url", "asset"], Path | str]:
    if isinstance(source, AssetView):
        return "asset", source.id
    if isinstance(source, str) and is_address(source):
        return "url", source
    return "file", Path(source)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
