"""A job as the service shows it."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

FINAL = frozenset({"succeeded", "failed", "canceled"})


class View(BaseModel):
    """A frozen part of an answer; members that a newer service adds are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class FailureView(View):
    """Why a job failed: a stable code and a sentence."""

    code: str
    message: str


class EmotionView(View):
    """The emotion heard in the speech, with the probability of each."""

    emotion: str
    probabilities: dict[str, float]


class JobView(View):
    """Where a job stands; what it made is None until it succeeded.

    `progress` runs from 0 to 1, `duration` and `timings` are in seconds.
    """

    id: str
    status: str
    stage: str | None = None
    progress: float = 0.0
    queue_position: int | None = None
    created_at: datetime
    updated_at: datetime
    notices: tuple[str, ...] = ()
    failure: FailureView | None = None
    emotion: EmotionView | None = None
    duration: float | None = None
    num_frames: int | None = None
    timings: dict[str, float] = {}

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self.status in FINAL

    @property
    def has_succeeded(self) -> bool:
        """Whether there is a video."""
        return self.status == "succeeded"
