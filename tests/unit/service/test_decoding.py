from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from media.errors import AudioTooDemanding, DecoderUnavailable, PortraitTooDemanding
from media.picture import Picture
from service.problems import ProblemType
from service.settings import ServiceSettings
from tests.fakes.backstage import Backstage
from tests.fakes.decoder import DirectDecoder
from tests.service_examples import portrait, upload
from tests.unit.service.assertions import assert_problem

Serve = Callable[[Exception], TestClient]


class FailingDecoder(DirectDecoder):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def portrait(self, file: bytes) -> Picture:
        raise self._error


@pytest.fixture
def serve(backstage: Backstage, service_settings: ServiceSettings) -> Iterator[Serve]:
    """Serve with a decoder that fails on every picture."""
    with ExitStack() as clients:

        def start(error: Exception) -> TestClient:
            app = replace(backstage, decoder=FailingDecoder(error)).app(service_settings)
            return clients.enter_context(TestClient(app, base_url="http://127.0.0.1"))

        yield start


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (DecoderUnavailable("No server."), ProblemType.DECODER_UNAVAILABLE),
        (PortraitTooDemanding("Too long."), ProblemType.PORTRAIT_TOO_DEMANDING),
        (AudioTooDemanding("Too long."), ProblemType.AUDIO_TOO_DEMANDING),
    ],
)
def test_a_file_that_cannot_be_decoded_is_a_problem_and_leaves_nothing(
    serve: Serve, backstage: Backstage, error: Exception, problem: ProblemType
) -> None:
    response = serve(error).post("/v1/jobs", files=upload())
    assert_problem(response, problem)
    assert ("Retry-After" in response.headers) == (problem is ProblemType.DECODER_UNAVAILABLE)
    assert not backstage.storage.contents
    assert not backstage.store.jobs


def test_a_batch_keeps_the_jobs_created_before_a_decoder_outage(
    serve: Serve, backstage: Backstage
) -> None:
    http = serve(DecoderUnavailable("No server."))
    face = portrait()
    wanted = {"kind": "portrait", "size": len(face), "content_type": "image/jpeg"}
    asset = http.post("/v1/assets", json=wanted).json()["id"]
    backstage.storage.contents[f"assets/local/{asset}/portrait"] = face

    speech = {"audio_url": "https://example.com/speech.wav", "consent": True}
    by_url = {**speech, "portrait_url": "https://example.com/face.jpg"}
    batch = [by_url, {**speech, "portrait_asset": asset}, by_url]
    results = http.post("/v1/jobs/batch", json={"jobs": batch}).json()["results"]
    assert [result["status"] for result in results] == [202, 503, 503]
    assert results[1]["problem"]["code"] == "decoder_unavailable"
    assert len(backstage.store.jobs) == 1
