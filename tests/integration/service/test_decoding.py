"""The decoding processes of a real service."""

import os
import signal

from tests.integration.service.conftest import LiveService
from tests.processes import children
from tests.service_examples import upload


def test_a_decoding_server_that_dies_is_replaced_at_the_next_upload(live: LiveService) -> None:
    assert live.http.post("/v1/jobs", files=upload()).status_code == 202
    [lost] = children(os.getpid(), b"media.sandbox.server")
    os.kill(lost, signal.SIGKILL)
    assert live.http.post("/v1/jobs", files=upload()).status_code == 202
    [server] = children(os.getpid(), b"media.sandbox.server")
    assert server != lost
