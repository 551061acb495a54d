from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from io import BytesIO
from threading import Event
from typing import Any

import anyio
import pytest
from starlette.testclient import TestClient

from media.errors import DetectorTooSlow, DetectorUnavailable
from media.faces.inspection import Box, FoundFace, Inspection, Refusal
from media.faces.selection import LARGEST
from service.intake.checks import MAX_WAITING
from service.intake.requests import CheckRequest
from service.intake.uploads import CheckUpload
from service.problems import ProblemType
from service.settings import ServiceSettings
from tests.fakes.backstage import Backstage
from tests.fakes.decoder import FakeFinder
from tests.service_examples import portrait, speech
from tests.unit.service.assertions import assert_problem

FOUND = Inspection(
    width=400,
    height=300,
    faces=(
        FoundFace(Box(10, 20, 90, 110), Box(0, 0, 150, 150), 50.0),
        FoundFace(
            Box(200, 20, 9, 11), Box(190, 10, 30, 30), 8.0, Refusal("face_too_small", "8 px")
        ),
    ),
    speaker=1,
    notices=("several_faces",),
)

Serve = Callable[[FakeFinder], TestClient]


@pytest.fixture
def serve(backstage: Backstage, service_settings: ServiceSettings) -> Iterator[Serve]:
    with ExitStack() as clients:

        def start(finder: FakeFinder) -> TestClient:
            app = replace(backstage, finder=finder).app(service_settings)
            return clients.enter_context(TestClient(app, base_url="http://127.0.0.1"))

        yield start


def form(**parts: Any) -> dict[str, Any]:
    return {
        name: (None, part) if isinstance(part, str) else ("file.bin", part)
        for name, part in parts.items()
    }


def test_both_files_are_checked_and_nothing_is_kept(serve: Serve, backstage: Backstage) -> None:
    finder = FakeFinder(FOUND)
    files = form(portrait=portrait(), audio=speech(1.5), face="2")
    checked = serve(finder).post("/v1/checks", files=files).json()
    assert checked["audio"] == {"duration": 1.5, "notices": [], "refusal": None}
    found = checked["portrait"]
    assert (found["width"], found["height"], found["speaker"]) == (400, 300, 1)
    assert found["notices"] == ["several_faces"]
    assert found["faces"][0]["box"] == {"left": 10, "top": 20, "width": 90, "height": 110}
    assert found["faces"][1]["refusal"] == {"code": "face_too_small", "message": "8 px"}
    assert finder.choices == ["2"]
    assert not backstage.storage.contents
    assert not backstage.store.jobs


def test_a_recording_alone_is_refused_as_by_a_job(http: TestClient) -> None:
    checked = http.post("/v1/checks", files=form(audio=speech(0.1))).json()
    assert checked["portrait"] is None
    assert checked["audio"]["duration"] is None
    assert checked["audio"]["refusal"]["code"] == "audio_too_short"
    assert "at least 0.2 s" in checked["audio"]["refusal"]["message"]


def test_without_a_detector_the_picture_is_still_decoded(serve: Serve) -> None:
    http = serve(FakeFinder())
    found = http.post("/v1/checks", files=form(portrait=portrait())).json()["portrait"]
    assert (found["width"], found["faces"], found["refusal"]) == (256, None, None)
    found = http.post("/v1/checks", files=form(portrait=b"no picture")).json()["portrait"]
    assert (found["width"], found["refusal"]["code"]) == (None, "portrait_unreadable")


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ({}, ProblemType.UNSUPPORTED_MEDIA_TYPE),
        ({"face": "1"}, ProblemType.MISSING_PART),
        ({"portrait": b""}, ProblemType.EMPTY_PART),
        ({"portrait": "text"}, ProblemType.NOT_A_FILE),
        ({"portrait": bytes(100_001)}, ProblemType.PORTRAIT_TOO_LARGE),
        ({"audio": bytes(200_001)}, ProblemType.AUDIO_TOO_LARGE),
        ({"audio": b"x", "consent": "true"}, ProblemType.UNKNOWN_OPTION),
        ({"audio": b"x", "face": "best"}, ProblemType.INVALID_OPTION),
    ],
)
def test_a_bad_request_is_a_problem(
    http: TestClient, parts: dict[str, Any], problem: ProblemType
) -> None:

    response = http.post("/v1/checks", files=form(**parts) or None)
    assert_problem(response, problem)


def test_a_picture_that_takes_too_long_is_checked_without_its_faces(serve: Serve) -> None:
    http = serve(FakeFinder(DetectorTooSlow("The face detector returned no result within 20 s.")))
    found = http.post("/v1/checks", files=form(portrait=portrait())).json()["portrait"]
    assert (found["width"], found["faces"], found["refusal"]) == (256, None, None)


def test_a_failing_detector_is_a_temporary_problem(serve: Serve) -> None:
    http = serve(FakeFinder(DetectorUnavailable("It was killed.")))
    response = http.post("/v1/checks", files=form(portrait=portrait()))
    assert_problem(response, ProblemType.CHECKS_UNAVAILABLE)
    assert response.headers["Retry-After"]


class SlowFinder(FakeFinder):
    def __init__(self) -> None:
        super().__init__(FOUND)
        self.may_end = Event()

    def inspect(self, file: bytes, choice: str = LARGEST) -> Inspection:
        self.may_end.wait()
        return super().inspect(file, choice)


def test_too_many_waiting_checks_are_rejected(
    backstage: Backstage, service_settings: ServiceSettings
) -> None:

    finder = SlowFinder()
    checks = replace(backstage, finder=finder).components(service_settings).checks
    refused: list[Exception] = []

    async def check() -> None:
        try:
            await checks.check(CheckUpload(CheckRequest(), {"portrait": BytesIO(b"x")}))
        except DetectorUnavailable as error:
            refused.append(error)

    async def crowd() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(MAX_WAITING + 2):
                group.start_soon(check)
                await anyio.wait_all_tasks_blocked()
            finder.may_end.set()

    anyio.run(crowd)
    assert len(refused) == 1
    assert len(finder.choices) == MAX_WAITING + 1


def test_the_limits_are_those_of_the_settings(http: TestClient) -> None:
    limits = http.get("/limits").json()
    assert (limits["portrait"]["max_bytes"], limits["audio"]["max_bytes"]) == (100_000, 200_000)
    assert limits["audio"]["max_seconds"] == 5
    assert limits["portrait"]["formats"] == ["JPEG", "PNG", "WEBP", "HEIC", "AVIF"]
    assert ".heic" in limits["portrait"]["suffixes"]
    assert "video/quicktime" in limits["audio"]["media_types"]
