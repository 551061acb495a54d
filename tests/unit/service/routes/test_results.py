"""A job's results: complete, in ranges, redirected and missing."""

from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest
from starlette.testclient import TestClient

from jobs.job import Job
from jobs.s3.paths import video_key
from service.problems import ProblemType
from tests.fakes.backstage import Backstage
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.unit.service.assertions import assert_problem

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VIDEO = bytes(range(100))
POSTER = b"a picture"
FRAMES = 3
LANDMARKS = np.arange(FRAMES * 79 * 2, dtype=np.float32).reshape(FRAMES, 79, 2) / 7
EMOTIONS_HEARD = np.full((FRAMES, 8), 0.125, np.float32)


@pytest.fixture
def path(backstage: Backstage) -> str:
    """The path of a finished video."""
    return f"{finished(backstage, poster_key='poster', landmarks_key='landmarks')}/video"


def finished(backstage: Backstage, **fields: str) -> str:
    """Return the path of a succeeded job with these files."""
    job = new_job()
    result = result_of(job.id, 1, **fields)
    backstage.store.jobs[job.id] = job.claim(NOW).succeed(1, result, (), NOW)
    arrays = BytesIO()
    np.savez(
        arrays,
        landmarks=LANDMARKS,
        emotions=EMOTIONS_HEARD,
        frame_rate=np.array(25),
        synthetic=True,
        model="AMIGO 0.2.0",
    )
    backstage.storage.contents = {
        video_key(job.id, 1): VIDEO,
        "poster": POSTER,
        "landmarks": arrays.getvalue(),
    }
    return f"/v1/jobs/{job.id}"


@pytest.fixture
def landmarks(path: str) -> str:
    """The path of the landmarks."""
    return path.replace("/video", "/landmarks")


def test_a_finished_video_is_streamed_whole(http: TestClient, path: str) -> None:
    response = http.get(path)
    assert (response.status_code, response.content) == (200, VIDEO)
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["content-length"] == "100"
    assert response.headers["accept-ranges"] == "bytes"
    job_id = path.split("/")[3]
    assert response.headers["content-disposition"] == f'inline; filename="{job_id}.mp4"'


def test_head_returns_the_size_without_the_video(http: TestClient, path: str) -> None:
    response = http.head(path, headers={"Range": "bytes=0-9"})
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-length"] == "100"
    assert response.headers["etag"] == http.get(path).headers["etag"]


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
def test_a_range_returns_its_bytes(
    http: TestClient, path: str, asked: str, content: bytes, told: str
) -> None:
    response = http.get(path, headers={"Range": asked})
    assert (response.status_code, response.content) == (206, content)
    assert response.headers["content-range"] == told
    assert response.headers["content-length"] == str(len(content))


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_a_range_beyond_the_end_is_rejected_with_the_size(
    http: TestClient, path: str, asked: str
) -> None:
    response = http.get(path, headers={"Range": asked})
    assert_problem(response, ProblemType.RANGE_NOT_SATISFIABLE, "100 bytes")
    assert response.headers["content-range"] == "bytes */100"


@pytest.mark.parametrize(
    "asked",
    [
        *("bytes=0-1,5-6", "bytes=9-3", "bytes=-", "lines=1-2", f"bytes={'9' * 5000}-"),
        f"bytes={' ' * 1_000_000}x",  # takes minutes if its time grows with the square
    ],
    ids=lambda asked: asked[:20],
)
def test_an_unsupported_range_returns_the_whole_video(
    http: TestClient, path: str, asked: str
) -> None:
    response = http.get(path, headers={"Range": asked})
    assert (response.status_code, response.content) == (200, VIDEO)


def test_a_range_of_another_version_returns_the_whole_video(http: TestClient, path: str) -> None:
    tag = http.get(path).headers["etag"]
    same = http.get(path, headers={"Range": "bytes=0-0", "If-Range": tag})
    other = http.get(path, headers={"Range": "bytes=0-0", "If-Range": '"other"'})
    assert (same.status_code, other.status_code) == (206, 200)


def test_an_unchanged_video_is_304(http: TestClient, path: str) -> None:
    tag = http.get(path).headers["etag"]
    response = http.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert (response.status_code, response.content) == (304, b"")


def test_the_poster_is_a_picture_named_after_the_job(http: TestClient, path: str) -> None:
    response = http.get(path.replace("/video", "/poster"))
    assert (response.status_code, response.content) == (200, POSTER)
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["content-disposition"].endswith('.jpg"')


def test_a_file_that_is_downloaded_is_saved_under_the_name_of_the_job(
    http: TestClient, path: str
) -> None:
    job_id = path.split("/")[3]
    disposition = http.get(f"{path}?download=1").headers["content-disposition"]
    assert disposition == f'attachment; filename="{job_id}.mp4"'


def test_the_landmarks_of_every_frame_are_served_as_json(http: TestClient, landmarks: str) -> None:
    response = http.get(landmarks)
    assert response.headers["content-type"] == "application/json"
    assert response.headers["content-disposition"].endswith('.json"')
    assert response.headers["vary"] == "Accept"
    document = response.json()
    assert document["frame_rate"] == 25
    assert (document["synthetic"], document["model"]) == (True, "AMIGO 0.2.0")
    assert np.shape(document["landmarks"]) == (FRAMES, 79, 2)
    assert document["landmarks"][2][78] == [67.43, 67.57]
    assert document["emotions"][0] == [0.125] * 8
    assert document["emotion_names"][:2] == ["neutral", "happiness"]


@pytest.mark.parametrize(
    ("query", "accepted"),
    [
        ("?format=npz", "*/*"),
        ("", "application/x-npz"),
        ("?format=npz", "application/json"),
        ("", "application/x-npz, */*;q=0.1"),
    ],
)
def test_the_landmarks_are_served_as_arrays_on_request(
    http: TestClient, landmarks: str, query: str, accepted: str
) -> None:
    response = http.get(f"{landmarks}{query}", headers={"Accept": accepted})
    assert response.headers["content-type"] == "application/x-npz"
    assert response.headers["content-disposition"].endswith('.npz"')
    with np.load(BytesIO(response.content)) as arrays:
        assert np.array_equal(arrays["landmarks"], LANDMARKS)


def test_json_wins_when_it_is_named_in_the_query(http: TestClient, landmarks: str) -> None:
    response = http.get(f"{landmarks}?format=json", headers={"Accept": "application/x-npz"})
    assert response.headers["content-type"] == "application/json"


def test_an_unknown_format_is_rejected(http: TestClient, landmarks: str) -> None:
    assert_problem(http.get(f"{landmarks}?format=xml"), ProblemType.INVALID_REQUEST, "npz")


def test_each_format_of_the_landmarks_has_a_tag_of_its_own(
    http: TestClient, landmarks: str
) -> None:
    text, arrays = http.get(landmarks), http.get(f"{landmarks}?format=npz")
    assert text.headers["etag"] != arrays.headers["etag"]
    known = http.get(landmarks, headers={"If-None-Match": text.headers["etag"]})
    assert known.status_code == 304
    assert known.headers["vary"] == "Accept"


def test_landmarks_in_json_are_served_in_ranges_and_without_a_body(
    http: TestClient, landmarks: str
) -> None:
    whole = http.get(landmarks)
    part = http.get(landmarks, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    head = http.head(landmarks)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))


@pytest.mark.parametrize("kept", [0, 10, 100, -30])
def test_damaged_landmarks_are_not_found(
    http: TestClient, backstage: Backstage, landmarks: str, kept: int
) -> None:
    backstage.storage.contents["landmarks"] = backstage.storage.contents["landmarks"][:kept]
    assert_problem(http.get(landmarks), ProblemType.RESULT_NOT_FOUND, "damaged")


def test_landmarks_that_are_not_numbers_are_not_found(
    http: TestClient, backstage: Backstage, landmarks: str
) -> None:
    arrays = BytesIO()
    nowhere = np.full((FRAMES, 79, 2), np.nan)
    np.savez(arrays, landmarks=nowhere, emotions=EMOTIONS_HEARD, frame_rate=25, model="AMIGO")
    backstage.storage.contents["landmarks"] = arrays.getvalue()
    assert_problem(http.get(landmarks), ProblemType.RESULT_NOT_FOUND, "damaged")


@pytest.mark.parametrize("name", ["poster", "landmarks"])
def test_a_job_created_without_a_file_has_none(
    http: TestClient, backstage: Backstage, name: str
) -> None:
    response = http.get(f"{finished(backstage)}/{name}")
    assert_problem(response, ProblemType.RESULT_NOT_FOUND, "without this file")


def test_a_public_object_store_serves_the_files(
    http: TestClient, backstage: Backstage, path: str, landmarks: str
) -> None:
    backstage.storage.is_public = True
    response = http.get(f"{path}?download=1", follow_redirects=False)
    assert response.status_code == 307
    assert response.headers["cache-control"] == "private, no-store"
    location = response.headers["location"]
    assert location.startswith("https://s3.example/jobs/")
    assert "as=video/mp4" in location
    assert "how=attachment" in location
    assert http.get(f"{landmarks}?format=npz", follow_redirects=False).status_code == 307


def test_a_converted_file_is_served_by_the_service(
    http: TestClient, backstage: Backstage, path: str, landmarks: str
) -> None:
    tag = http.get(path).headers["etag"]
    backstage.storage.is_public = True
    assert http.get(landmarks, follow_redirects=False).status_code == 200
    assert http.get(f"{path}?redirect=false", follow_redirects=False).content == VIDEO
    assert http.head(path, follow_redirects=False).status_code == 200
    known = http.get(path, headers={"If-None-Match": tag}, follow_redirects=False)
    assert known.status_code == 304


def test_a_missing_video_is_not_found_even_with_a_public_object_store(
    http: TestClient, backstage: Backstage, path: str
) -> None:
    backstage.storage.is_public = True
    backstage.storage.contents.clear()
    assert_problem(http.get(path, follow_redirects=False), ProblemType.RESULT_NOT_FOUND)


@pytest.mark.parametrize("name", ["video", "poster", "landmarks"])
@pytest.mark.parametrize(
    ("job", "problem_type", "said"),
    [
        (new_job(), ProblemType.VIDEO_NOT_READY, "queued"),
        (new_job().claim(NOW), ProblemType.VIDEO_NOT_READY, "processing"),
        (new_job().claim(NOW).fail(1, FAILURE, NOW), ProblemType.JOB_FAILED, "No face was found."),
        (new_job().cancel(NOW), ProblemType.JOB_CANCELED, "canceled"),
    ],
)
def test_a_job_without_a_video_reports_the_reason(
    http: TestClient,
    backstage: Backstage,
    name: str,
    job: Job,
    problem_type: ProblemType,
    said: str,
) -> None:
    backstage.store.jobs[job.id] = job
    assert_problem(http.get(f"/v1/jobs/{job.id}/{name}"), problem_type, said)


def test_a_missing_video_is_not_found(http: TestClient, backstage: Backstage, path: str) -> None:
    backstage.storage.contents.clear()
    assert_problem(http.get(path), ProblemType.RESULT_NOT_FOUND)


def test_without_the_object_store_a_video_is_503(
    http: TestClient, backstage: Backstage, path: str
) -> None:
    backstage.storage.is_down = True
    response = http.get(path)
    assert_problem(response, ProblemType.STORAGE_UNAVAILABLE)
    assert response.headers["retry-after"] == "5"
