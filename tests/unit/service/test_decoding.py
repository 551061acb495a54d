import numpy as np
import pytest
from numpy.typing import NDArray
from starlette.testclient import TestClient

from models.errors import AudioTooDemanding, DecoderUnavailable, PortraitTooDemanding
from service.app import create_app
from service.components import Components
from service.problems import ProblemType
from service.settings import ServiceSettings
from tests.decoders import DirectDecoder
from tests.service_examples import upload
from tests.unit.service.assertions import assert_problem
from tests.unit.service.conftest import Backstage


class FailingDecoder(DirectDecoder):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def portrait(self, file: bytes) -> NDArray[np.uint8]:
        raise self._error


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (DecoderUnavailable("No server."), ProblemType.DECODER_UNAVAILABLE),
        (PortraitTooDemanding("Too long."), ProblemType.PORTRAIT_TOO_DEMANDING),
        (AudioTooDemanding("Too long."), ProblemType.AUDIO_TOO_DEMANDING),
    ],
)
def test_what_cannot_be_decoded_is_told_and_nothing_stays(
    backstage: Backstage, service_settings: ServiceSettings, error: Exception, problem: ProblemType
) -> None:
    components = Components.wire(
        service_settings,
        backstage.store,
        backstage.storage,
        backstage.queue,
        backstage.watcher,
        FailingDecoder(error),
    )
    app = create_app(service_settings, components)
    with TestClient(app, base_url="http://127.0.0.1") as http:
        answer = http.post("/v1/jobs", files=upload())
    assert_problem(answer, problem)
    assert ("Retry-After" in answer.headers) == (problem is ProblemType.DECODER_UNAVAILABLE)
    assert not backstage.storage.contents
    assert not backstage.store.jobs
