"""A job's stream: its attempts, their playlists, and how each ends."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from jobs.job import Job
from jobs.s3.paths import stream_prefix
from media.hls import END
from service.problems import ProblemType
from tests.fakes.backstage import Backstage
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.unit.service.assertions import assert_problem

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLAYLIST = "#EXTM3U\n#EXTINF:1.0,\n00000.m4s\n"


@pytest.fixture
def job(backstage: Backstage) -> Job:
    """A job in its second attempt, of which each has stored a segment."""
    job = new_job().claim(NOW).requeue(1, NOW).claim(NOW)
    for attempt in (1, 2):
        prefix = stream_prefix(job.id, attempt)
        backstage.storage.contents |= {
            f"{prefix}index.m3u8": b"#EXTM3U\nmedia.m3u8\n",
            f"{prefix}media.m3u8": PLAYLIST.encode(),
            f"{prefix}init.mp4": b"start",
            f"{prefix}00000.m4s": b"segment",
        }
    return keep(backstage, job)


def keep(backstage: Backstage, job: Job) -> Job:
    backstage.store.jobs[job.id] = job
    return job


def stream(job: Job) -> str:
    return f"/v1/jobs/{job.id}/stream"


def test_a_player_is_led_to_the_current_attempt(http: TestClient, job: Job) -> None:
    assert http.get(f"/v1/jobs/{job.id}").json()["links"]["stream"] == stream(job)
    response = http.get(stream(job), follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (
        307,
        f"{stream(job)}/2/index.m3u8",
    )
    playlist = http.get(stream(job))
    assert playlist.text == "#EXTM3U\nmedia.m3u8\n"
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    segment = http.get(f"{stream(job)}/2/00000.m4s", headers={"Range": "bytes=1-"})
    assert (segment.status_code, segment.content) == (206, b"egment")
    assert segment.headers["content-type"] == "video/mp4"


def test_a_token_in_the_url_is_carried_on_to_the_segments(http: TestClient, job: Job) -> None:
    token = http.post("/v1/tokens", json={"job_id": job.id}).json()["token"]
    known = {"token": token}
    assert http.get(stream(job), params=known).text == f"#EXTM3U\nmedia.m3u8?token={token}\n"
    media = http.get(f"{stream(job)}/2/media.m3u8", params=known).text
    assert media == PLAYLIST.replace(".m4s", f".m4s?token={token}")
    assert http.get(f"{stream(job)}/2/00000.m4s", params=known).content == b"segment"


def test_only_the_current_attempts_playlist_grows(http: TestClient, job: Job) -> None:
    assert http.get(f"{stream(job)}/2/media.m3u8").text == PLAYLIST
    assert http.get(f"{stream(job)}/1/media.m3u8").text == PLAYLIST + END
    assert http.get(f"{stream(job)}/2/media.m3u8").headers["cache-control"] == "no-store"


def test_a_lost_attempts_playlist_ends_while_the_job_waits(
    backstage: Backstage, http: TestClient, job: Job
) -> None:
    keep(backstage, job.requeue(2, NOW))
    assert http.get(f"{stream(job)}/2/media.m3u8").text == PLAYLIST + END
    assert_problem(http.get(stream(job)), ProblemType.VIDEO_NOT_READY, "queued")


def test_a_finished_stream_stays(backstage: Backstage, http: TestClient, job: Job) -> None:
    keep(backstage, job.succeed(2, result_of(job.id, 2), (), NOW))
    assert http.get(stream(job)).status_code == 200
    assert http.get(f"{stream(job)}/2/media.m3u8").text == PLAYLIST + END
    backstage.storage.contents.clear()
    assert_problem(http.get(stream(job)), ProblemType.RESULT_NOT_FOUND, "no stream")


def test_a_player_may_be_too_early(backstage: Backstage, http: TestClient) -> None:
    job = keep(backstage, new_job().claim(NOW))
    response = http.get(stream(job))
    assert_problem(response, ProblemType.VIDEO_NOT_READY, "first second")
    assert response.headers["retry-after"] == "1"


def test_a_player_may_wait_for_the_first_second(
    backstage: Backstage, http: TestClient, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    playlist = backstage.storage.contents.pop(f"{stream_prefix(job.id, 2)}index.m3u8")

    async def arrive(_: float) -> None:
        backstage.storage.contents[f"{stream_prefix(job.id, 2)}index.m3u8"] = playlist

    monkeypatch.setattr("service.routes.stream.asyncio.sleep", arrive)
    assert http.get(f"{stream(job)}?wait=30").text == playlist.decode()


@pytest.mark.parametrize("path", ["", "/2/media.m3u8", "/2/00000.m4s"])
def test_a_job_that_ended_without_a_video_has_no_stream(
    backstage: Backstage, http: TestClient, job: Job, path: str
) -> None:
    keep(backstage, job.cancel(NOW))
    assert_problem(http.get(stream(job) + path), ProblemType.JOB_CANCELED)
    keep(backstage, job.fail(2, FAILURE, NOW))
    assert_problem(http.get(stream(job) + path), ProblemType.JOB_FAILED, FAILURE.message)


@pytest.mark.parametrize("path", ["2/video.mp4", "2/000.m4s", "0/index.m3u8", "x/index.m3u8"])
def test_only_the_streams_own_files_are_served(http: TestClient, job: Job, path: str) -> None:
    assert_problem(http.get(f"{stream(job)}/{path}"), ProblemType.INVALID_REQUEST)


@pytest.mark.parametrize("path", ["2/00001.m4s", "3/media.m3u8"])
def test_a_file_that_is_not_there_is_not_said_to_be_gone(
    http: TestClient, job: Job, path: str
) -> None:
    attempt, file = path.split("/")
    words = f"The stream of attempt {attempt} has no file {file}."
    assert_problem(http.get(f"{stream(job)}/{path}"), ProblemType.RESULT_NOT_FOUND, words)


def test_segments_come_from_the_object_store_where_callers_reach_it(
    backstage: Backstage, http: TestClient, job: Job
) -> None:
    backstage.storage.is_public = True
    key = f"{stream_prefix(job.id, 2)}00000.m4s"
    response = http.get(f"{stream(job)}/2/00000.m4s", follow_redirects=False)
    assert response.status_code == 307
    assert response.headers["location"].startswith(f"https://s3.example/{key}?")
    assert http.get(f"{stream(job)}/2/00000.m4s?redirect=false").content == b"segment"
