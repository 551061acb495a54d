"""What the service shows: jobs, pages of them, assets."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

FINAL = frozenset({"succeeded", "failed", "canceled"})


class View(BaseModel):
    """A frozen part of an answer; members that a newer service adds are kept as they come."""

    model_config = ConfigDict(frozen=True, extra="allow")


class FailureView(View):
    """Why a job failed: a stable code and a sentence."""

    code: str
    message: str


class EmotionView(View):
    """The emotion heard in the speech, with the probability of each."""

    emotion: str
    probabilities: dict[str, float]


class ConsentView(View):
    """What the job's caller affirmed; `key_id` is None where no key is asked for."""

    affirmed_at: datetime
    version: str
    statement: str
    key_id: str | None = None


class WebhookView(View):
    """How far the news of a job's end has come.

    `status` is pending, delivered, retrying or disabled; `reason` says what went wrong last.
    """

    url: str
    status: str
    attempts: int = 0
    reason: str | None = None


class JobView(View):
    """Where a job stands; what it made is None until it succeeded.

    `progress` runs from 0 to 1; `duration`, `timings` and `eta_seconds` are in seconds, `width` and
    `height` in pixels. `eta` is None while nothing can be said, `expires_at` until the job has
    ended. `links` are paths.
    """

    id: str
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
    links: dict[str, str | None] = {}

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.status in FINAL

    @property
    def has_succeeded(self) -> bool:
        """Whether there is a video."""
        return self.status == "succeeded"


class PageView(View):
    """Some of a caller's jobs, newest first; `next_cursor` leads to those before them."""

    jobs: tuple[JobView, ...]
    next_cursor: str | None = None


class BatchEntryView(View):
    """What became of one request of a batch: a job, or the problem that refused it."""

    status: int
    job: JobView | None = None
    problem: dict[str, Any] | None = None


class BatchView(View):
    """What became of each request of a batch, in their order."""

    results: tuple[BatchEntryView, ...]


class UploadView(View):
    """The request that brings an asset's bytes to the object store."""

    method: str
    url: str
    headers: dict[str, str] = {}


class AssetView(View):
    """A place for a portrait or an audio that jobs can name; `kind` says which."""

    id: str
    kind: str
    expires_at: datetime | None = None
    upload: UploadView
