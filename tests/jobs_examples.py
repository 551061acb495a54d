"""Example jobs and results for the tests."""

from typing import Any

from jobs.job import Job
from jobs.options import Options
from jobs.s3.paths import video_key
from jobs.values import Failure, HeardEmotion, Result

FAILURE = Failure(code="no_face", message="No face was found.")


def new_job(**fields: Any) -> Job:
    """Return a queued job with the default options; `fields` are those of the job."""
    return Job.create(Options(consent=True), **fields)


def result_of(job_id: str, attempt: int, **fields: Any) -> Result:
    """Return an attempt's result with a video of one second; `fields` are additional."""
    return Result(
        video_key=video_key(job_id, attempt),
        num_frames=25,
        duration=1.0,
        emotion=HeardEmotion(emotion="happiness", probabilities={"happiness": 0.9}),
        timings={"render": 0.5},
        **fields,
    )
