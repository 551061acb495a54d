"""Checks that the service conforms to its OpenAPI document, also for invalid requests."""

import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import landmarks_key, poster_key, video_key
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from jobs.values import Result
from service.settings import ServiceSettings
from tests.integration.service.callers import Guarded, guarding
from tests.jobs_examples import new_job, result_of

FOLDER = Path(__file__).parent
FINISHED = "job_finished"
"""The name used in schemathesis.toml."""


@pytest.fixture
def guarded(settings: Settings) -> Iterator[Guarded]:
    with guarding(ServiceSettings(**settings.model_dump())) as guarded:
        yield guarded


@pytest.fixture
def finished_job(store: JobStore, storage: ObjectStorage) -> Result:
    """A finished job, in the tenant used by Schemathesis."""
    job = new_job(tenant="acme").model_copy(update={"id": FINISHED})
    store.accept(job)
    store.claim(job.id)
    result = result_of(
        job.id, 1, poster_key=poster_key(job.id, 1), landmarks_key=landmarks_key(job.id, 1)
    )
    arrays = BytesIO()
    np.savez(
        arrays,
        landmarks=np.zeros((2, 79, 2)),
        emotions=np.ones((2, 8)),
        frame_rate=25.0,
        model="AMIGO 0.2.0",
    )
    storage.put(video_key(job.id, 1), bytes(1000), "video/mp4")
    storage.put(poster_key(job.id, 1), bytes(100), "image/jpeg")
    storage.put(landmarks_key(job.id, 1), arrays.getvalue(), "application/x-npz")
    store.finish(job.id, 1, result)
    return result


@pytest.mark.parametrize("examples", [3, pytest.param(12, marks=pytest.mark.thorough)])
def test_every_answer_is_as_documented(
    guarded: Guarded, finished_job: Result, tmp_path: Path, examples: int
) -> None:
    """Send the examples, edge cases, valid and invalid inputs, and chains of these."""
    token = guarded.key()["Authorization"].removeprefix("Bearer ")
    schemathesis = Path(sys.executable).with_name("st")
    done = subprocess.run(
        [
            *(schemathesis, "--config-file", FOLDER / "schemathesis.toml", "run", "--no-color"),
            f"--max-examples={examples}",
            f"{guarded.live.http.base_url}/openapi.json",
        ],
        cwd=tmp_path,
        env={**os.environ, "AMIGO_API_KEY": token, "PYTHONPATH": str(FOLDER.parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
