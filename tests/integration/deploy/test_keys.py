"""The whole system on this machine, with API keys."""

import sys
from pathlib import Path

import pytest

from amigo import ApiProblem, Client
from deploy.standalone.system import Standalone
from tests.integration.deploy.conftest import new_key
from tests.media import babble, recording
from tests.service_examples import portrait
from tests.waiting import PATIENCE

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="as the other tests of the system")


def test_a_key_created_by_the_command_gives_access_to_its_tenant_only(
    system: Standalone, directory: Path, api_key: str, tmp_path: Path
) -> None:
    picture, speech = tmp_path / "portrait.jpg", tmp_path / "speech.wav"
    picture.write_bytes(portrait())
    speech.write_bytes(recording(babble(1.0), "wav", "pcm_s16le"))
    with Client(system.url, api_key=api_key) as client:
        job = client.submit(picture, speech, consent=True)
        assert client.wait(job.id, timeout=PATIENCE).has_succeeded
        video = client.download_video(job.id, tmp_path / "out.mp4")
    assert video.read_bytes()[4:8] == b"ftyp"
    with (
        Client(system.url, api_key=new_key(directory, "globex")) as stranger,
        pytest.raises(ApiProblem) as refusal,
    ):
        stranger.get(job.id)
    assert refusal.value.code == "job_not_found"
    with Client(system.url) as nobody, pytest.raises(ApiProblem) as refusal:
        nobody.get(job.id)
    assert refusal.value.code == "key_missing"
