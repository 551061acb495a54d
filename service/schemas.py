"""The JSON documents that go over the wire."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from jobs.job import Failure, HeardEmotion, Job, JobStatus, Options, Stage
from service.problems import ProblemType

_EXAMPLE_JOB: dict[str, JsonValue] = {
    "id": "job_q4Jx0cVYbL1mZ8sW2nTfRg",
    "status": "processing",
    "stage": "rendering",
    "progress": 0.42,
    "attempt": 1,
    "queue_position": None,
    "created_at": "2026-11-22T12:00:00Z",
    "updated_at": "2026-11-22T12:00:07Z",
    "options": {
        "emotion": "auto",
        "intensity": 1.0,
        "pose": "natural",
        "blink": True,
        "seed": 0,
        "consent": True,
    },
    "notices": [],
    "failure": None,
    "emotion": None,
    "duration": None,
    "num_frames": None,
    "timings": {},
    "links": {
        "self": "/v1/jobs/job_q4Jx0cVYbL1mZ8sW2nTfRg",
        "video": None,
        "cancel": "/v1/jobs/job_q4Jx0cVYbL1mZ8sW2nTfRg/cancel",
    },
}


class Links(BaseModel):
    """Where to go from here; null: not now."""

    self: str
    video: str | None = Field(description="The finished video.")
    cancel: str | None = Field(description="POST here to cancel.")

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return what can be done with the job as it stands."""
        path = job_path(job.id)
        return cls(
            self=path,
            video=f"{path}/video" if job.status is JobStatus.SUCCEEDED else None,
            cancel=None if job.status.is_final else f"{path}/cancel",
        )


class JobDocument(BaseModel):
    """A job as its caller sees it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE_JOB]})

    id: str
    status: JobStatus
    stage: Stage | None = Field(description="What a worker is doing; null unless processing.")
    progress: Annotated[float, Field(ge=0, le=1)]
    attempt: int = Field(description="How many workers have begun the job.")
    queue_position: int | None = Field(description="1: next; null unless queued.")
    created_at: datetime
    updated_at: datetime
    options: Options
    notices: tuple[str, ...] = Field(
        description="Codes of what was done to the inputs, such as `several_faces`."
    )
    failure: Failure | None = Field(description="Why the job failed; null unless it did.")
    emotion: HeardEmotion | None = Field(description="The emotion heard; null until finished.")
    duration: float | None = Field(description="Length of the video in seconds.")
    num_frames: int | None = Field(description="Frames in the video.")
    timings: dict[str, float] = Field(description="Seconds spent in each step.")
    links: Links

    @classmethod
    def of(cls, job: Job, queue_position: int | None) -> Self:
        """Return the document of a job."""
        result = job.result
        return cls(
            **job.model_dump(exclude={"result"}),
            queue_position=queue_position,
            emotion=result and result.emotion,
            duration=result and result.duration,
            num_frames=result and result.num_frames,
            timings=result.timings if result else {},
            links=Links.of(job),
        )


class ProblemDocument(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(description="A page about this kind of problem.")
    title: str
    status: int
    detail: str = Field(description="What was given and what is accepted.")
    instance: str = Field(description="This occurrence; our log names it too.")
    code: str = Field(description="Stable; programs should look at this.")


class ProblemTypeDocument(BaseModel):
    """A kind of problem."""

    code: str
    status: int
    title: str

    @classmethod
    def of(cls, problem_type: ProblemType) -> Self:
        """Return the document of a kind of problem."""
        return cls(code=problem_type.code, status=problem_type.status, title=problem_type.title)


class Liveness(BaseModel):
    """The process answers."""

    alive: Literal[True] = True


class Readiness(BaseModel):
    """Whether each component answers."""

    store: bool
    storage: bool


def job_path(job_id: str) -> str:
    """Return the path under which a job is read."""
    return f"/v1/jobs/{job_id}"
