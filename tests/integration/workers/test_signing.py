"""The documented commands for certificates, and a worker with an invalid one."""

import os
import re
import shutil
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest

from deploy.standalone.processes import free_port
from jobs.job import JobStatus
from jobs.s3.paths import poster_key, video_key
from media.provenance import Provenance
from media.video import encode_video
from tests.integration.workers.conftest import Client, StartWorker
from tests.media import babble
from tests.signing_authority import SigningAuthority
from tests.waiting import PATIENCE
from workers.synthesis.settings import WorkerSettings
from workers.synthesis.signing import JPEG, MP4, ManifestSigner, TimestampUnavailable

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl; `apt-get install openssl`")
def test_the_documented_commands_make_a_certificate_that_signs(tmp_path: Path) -> None:
    (commands,) = re.findall(
        r"```sh\n(openssl req.*?)^AMIGO_C2PA",
        (ROOT / "docs/running.md").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    subprocess.run(["sh", "-e"], input=commands, text=True, cwd=tmp_path, check=True)
    settings = WorkerSettings(
        c2pa_certificate=tmp_path / "chain.pem", c2pa_private_key=tmp_path / "signing.key"
    )
    assert ManifestSigner.open(settings) is not None


def test_without_its_timestamp_nothing_is_signed_and_nothing_changed(tmp_path: Path) -> None:
    certificate, video = SigningAuthority().issue(), tmp_path / "video.mp4"
    encode_video(video, [np.zeros((5, 64, 64, 3), np.uint8)], babble(0.2))
    before = video.read_bytes()
    url = f"http://127.0.0.1:{free_port()}/"
    signer = ManifestSigner(certificate.chain, certificate.key, url)
    signer.try_out()
    with pytest.raises(TimestampUnavailable, match="timestamp"):
        signer.sign_file(video, MP4, Provenance.now())
    assert video.read_bytes() == before


def test_a_worker_marks_and_signs_as_configured(
    start_worker: StartWorker, client: Client, tmp_path: Path
) -> None:
    authority = SigningAuthority()
    chain, key = authority.issue().save(tmp_path)
    start_worker(
        AMIGO_C2PA_CERTIFICATE=str(chain),
        AMIGO_C2PA_PRIVATE_KEY=str(key),
        AMIGO_VISIBLE_MARK="always",
    )
    job = client.wait_final(client.post())

    assert job.status is JobStatus.SUCCEEDED, job.failure
    assert job.notices == ("grey", "visible_mark")
    video = client.storage.get(video_key(job.id, 1))
    assert authority.judge(video, MP4) == "Trusted"
    assert authority.judge(client.storage.get(poster_key(job.id, 1)), JPEG) == "Trusted"
    with av.open(BytesIO(video), "r") as container:
        first = next(container.decode(video=0)).to_ndarray(format="gray")
    assert first.max() > 200  # the pipeline's first frame is black


def test_a_worker_with_a_certificate_that_cannot_sign_ends_before_it_loads_anything(
    tmp_path: Path,
) -> None:
    chain, key = SigningAuthority().issue(days=(-9, -1)).save(tmp_path)
    environment = {
        **os.environ,
        "AMIGO_RUN_DIRECTORY": str(tmp_path / "run"),
        "AMIGO_C2PA_CERTIFICATE": str(chain),
        "AMIGO_C2PA_PRIVATE_KEY": str(key),
    }
    worker = subprocess.run(
        [sys.executable, "-m", "workers.synthesis"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert worker.returncode == 1
    (sentence,) = worker.stderr.splitlines()
    assert str(chain) in sentence
    assert "not valid at time of signing" in sentence
