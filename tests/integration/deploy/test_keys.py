"""The whole system on this machine, with API keys."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from amigo import ApiProblem, Client
from deploy.standalone.system import Standalone
from tests.integration.deploy.standalone.test_system import PIPELINE, START_SECONDS
from tests.media import babble, recording
from tests.service_examples import portrait

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="as the other tests of the system")


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standalone]:
    for name, value in {**PIPELINE, "AMIGO_AUTHENTICATION": "keys"}.items():
        monkeypatch.setenv(name, value)
    with Standalone(tmp_path / "system") as running:
        yield running


def new_key(directory: Path, tenant: str) -> str:
    """Create an API key like a user, with a command next to the running system."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("AMIGO_")}
    made = subprocess.run(
        [sys.executable, "-m", "amigo", "keys", "create", tenant, "--dir", str(directory)],
        env=others,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=True,
    )
    return made.stdout.strip()


def test_a_key_made_beside_the_system_gets_a_video_for_its_tenant_alone(
    system: Standalone, tmp_path: Path
) -> None:
    picture, speech = tmp_path / "portrait.jpg", tmp_path / "speech.wav"
    picture.write_bytes(portrait())
    speech.write_bytes(recording(babble(1.0), "wav", "pcm_s16le"))
    with Client(system.url, api_key=new_key(tmp_path / "system", "acme")) as client:
        job = client.submit(picture, speech, consent=True)
        assert client.wait(job.id, timeout=START_SECONDS).has_succeeded
        video = client.download_video(job.id, tmp_path / "out.mp4")
    assert video.read_bytes()[4:8] == b"ftyp"
    with (
        Client(system.url, api_key=new_key(tmp_path / "system", "globex")) as stranger,
        pytest.raises(ApiProblem) as refusal,
    ):
        stranger.get(job.id)
    assert refusal.value.code == "job_not_found"
    with Client(system.url) as nobody, pytest.raises(ApiProblem) as refusal:
        nobody.get(job.id)
    assert refusal.value.code == "key_missing"
