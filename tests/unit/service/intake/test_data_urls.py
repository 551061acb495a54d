"""Files within JSON."""

from base64 import b64encode

import pytest
from starlette.testclient import TestClient

from jobs.s3.paths import audio_key, portrait_key
from service.problems import ProblemType
from tests.fakes.backstage import Backstage
from tests.service_examples import portrait, speech
from tests.unit.service.assertions import assert_problem


def data(content: bytes, media_type: str = "image/jpeg") -> str:
    return f"data:{media_type};base64,{b64encode(content).decode()}"


def test_files_can_come_as_data_urls(http: TestClient, backstage: Backstage) -> None:
    picture, sound = portrait(), speech()
    request = {
        "consent": True,
        "portrait_url": data(picture),
        "audio_url": data(sound, "audio/webm;codecs=opus"),
    }
    response = http.post("/v1/jobs/json", json=request)
    assert response.status_code == 202, response.text
    job_id = response.json()["id"]
    assert backstage.storage.contents[portrait_key(job_id)] == picture
    assert backstage.storage.contents[audio_key(job_id)] == sound
    assert backstage.store.jobs[job_id].portrait_url is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("data:image/jpeg,abc", ProblemType.INVALID_OPTION),
        ("data:image/jpeg;base64,???", ProblemType.INVALID_OPTION),
        ("data:image/jpeg;base64,", ProblemType.EMPTY_PART),
        (data(bytes(100_001)), ProblemType.PORTRAIT_TOO_LARGE),
        (data(b"no picture"), ProblemType.PORTRAIT_UNREADABLE),
    ],
)
def test_an_invalid_data_url_is_rejected_with_the_reason(
    http: TestClient, url: str, problem: ProblemType
) -> None:
    request = {"consent": True, "portrait_url": url, "audio_url": data(speech())}
    assert_problem(http.post("/v1/jobs/json", json=request), problem)
