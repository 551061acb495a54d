"""The video, whole, in ranges and not at all."""

from datetime import UTC, datetime

import pytest
from starlette.testclient import TestClient

from jobs.job import Job
from jobs.storage import video_key
from service.problems import ProblemType
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.unit.service.assertions import assert_problem
from tests.unit.service.conftest import Backstage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VIDEO = bytes(range(100))


@pytest.fixture
def path(backstage: Backstage) -> str:
    """The path of a finished video."""
    job = new_job()
    backstage.store.jobs[job.id] = job.claim(NOW).succeed(1, result_of(job.id, 1), (), NOW)
    backstage.storage.contents[video_key(job.id, 1)] = VIDEO
    return f"/v1/jobs/{job.id}/video"


def test_a_finished_video_is_streamed_whole(http: TestClient, path: str) -> None:
    answer = http.get(path)
    assert (answer.status_code, answer.content) == (200, VIDEO)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == "100"
    assert answer.headers["accept-ranges"] == "bytes"
    job_id = path.split("/")[3]
    assert answer.headers["content-disposition"] == f'inline; filename="{job_id}.mp4"'


def test_head_tells_the_size_without_the_video(http: TestClient, path: str) -> None:
    answer = http.head(path, headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "100"
    assert answer.headers["etag"] == http.get(path).headers["etag"]


@pytest.mark.parametrize(
    ("asked", "content", "told"),
    [
        ("bytes=0-9", VIDEO[:10], "bytes 0-9/100"),
        ("bytes=90-", VIDEO[90:], "bytes 90-99/100"),
        ("bytes=-10", VIDEO[90:], "bytes 90-99/100"),
        ("bytes=95-1000", VIDEO[95:], "bytes 95-99/100"),
        ("bytes=-1000", VIDEO, "bytes 0-99/100"),
        ("bytes=99-99", VIDEO[99:], "bytes 99-99/100"),
    ],
)
def test_a_range_is_answered_with_its_bytes(
    http: TestClient, path: str, asked: str, content: bytes, told: str
) -> None:
    answer = http.get(path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, content)
    assert answer.headers["content-range"] == told
    assert answer.headers["content-length"] == str(len(content))


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_a_range_behind_the_end_is_refused_with_the_size(
    http: TestClient, path: str, asked: str
) -> None:
    answer = http.get(path, headers={"Range": asked})
    assert_problem(answer, ProblemType.RANGE_NOT_SATISFIABLE, "100 bytes")
    assert answer.headers["content-range"] == "bytes */100"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "bytes=9-3", "bytes=-", "lines=1-2", f"bytes={'9' * 5000}-"]
)
def test_a_range_that_is_not_served_means_the_whole_video(
    http: TestClient, path: str, asked: str
) -> None:
    answer = http.get(path, headers={"Range": asked})
    assert (answer.status_code, answer.content) == (200, VIDEO)


def test_a_range_of_another_version_means_the_whole_video(http: TestClient, path: str) -> None:
    tag = http.get(path).headers["etag"]
    same = http.get(path, headers={"Range": "bytes=0-0", "If-Range": tag})
    other = http.get(path, headers={"Range": "bytes=0-0", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


def test_a_video_that_is_known_is_not_sent_again(http: TestClient, path: str) -> None:
    tag = http.get(path).headers["etag"]
    answer = http.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    ("job", "problem_type", "said"),
    [
        (new_job(), ProblemType.VIDEO_NOT_READY, "queued"),
        (new_job().claim(NOW), ProblemType.VIDEO_NOT_READY, "processing"),
        (new_job().claim(NOW).fail(1, FAILURE, NOW), ProblemType.JOB_FAILED, "No face was found."),
        (new_job().cancel(NOW), ProblemType.JOB_CANCELED, "canceled"),
    ],
)
def test_a_job_without_a_video_tells_why(
    http: TestClient, backstage: Backstage, job: Job, problem_type: ProblemType, said: str
) -> None:
    backstage.store.jobs[job.id] = job
    assert_problem(http.get(f"/v1/jobs/{job.id}/video"), problem_type, said)


def test_a_video_that_is_gone_is_not_found(
    http: TestClient, backstage: Backstage, path: str
) -> None:
    backstage.storage.contents.clear()
    assert_problem(http.get(path), ProblemType.RESULT_NOT_FOUND)


def test_when_the_storage_is_down_the_video_may_be_asked_for_again(
    http: TestClient, backstage: Backstage, path: str
) -> None:
    backstage.storage.is_down = True
    answer = http.get(path)
    assert_problem(answer, ProblemType.STORAGE_UNAVAILABLE)
    assert answer.headers["retry-after"] == "5"
