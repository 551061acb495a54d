"""Where a job's files lie in the object store.

jobs/{id}/inputs/portrait            deleted once the job has ended
jobs/{id}/inputs/audio
jobs/{id}/inputs/request.json        the journal entry: the job as it was queued
jobs/{id}/attempts/{n}/video.mp4     kept for the winning attempt
jobs/{id}/attempts/{n}/poster.jpg
jobs/{id}/attempts/{n}/landmarks.npz
jobs/{id}/attempts/{n}/stream/…      the same video in segments, stored as they are encoded
"""

JOBS_PREFIX = "jobs/"


def job_prefix(job_id: str) -> str:
    """Return the prefix of all objects of a job."""
    return f"{JOBS_PREFIX}{job_id}/"


def inputs_prefix(job_id: str) -> str:
    """Return the prefix of a job's inputs: portrait, audio and request."""
    return f"{job_prefix(job_id)}inputs/"


def portrait_key(job_id: str) -> str:
    """Return the key of the portrait."""
    return f"{inputs_prefix(job_id)}portrait"


def audio_key(job_id: str) -> str:
    """Return the key of the driving audio."""
    return f"{inputs_prefix(job_id)}audio"


def request_key(job_id: str) -> str:
    """Return the key of the journal entry, the queued job as JSON."""
    return f"{inputs_prefix(job_id)}request.json"


def job_of(key: str) -> str:
    """Return the id of the job to which an object under `JOBS_PREFIX` belongs."""
    return key.removeprefix(JOBS_PREFIX).partition("/")[0]


def attempt_prefix(job_id: str, attempt: int) -> str:
    """Return the prefix of one attempt's results."""
    return f"{job_prefix(job_id)}attempts/{attempt}/"


def video_key(job_id: str, attempt: int) -> str:
    """Return the key of one attempt's video."""
    return f"{attempt_prefix(job_id, attempt)}video.mp4"


def poster_key(job_id: str, attempt: int) -> str:
    """Return the key of one attempt's poster."""
    return f"{attempt_prefix(job_id, attempt)}poster.jpg"


def landmarks_key(job_id: str, attempt: int) -> str:
    """Return the key of one attempt's landmarks."""
    return f"{attempt_prefix(job_id, attempt)}landmarks.npz"


def stream_prefix(job_id: str, attempt: int) -> str:
    """Return the prefix of one attempt's segments and their playlists."""
    return f"{attempt_prefix(job_id, attempt)}stream/"
