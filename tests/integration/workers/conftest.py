"""A real worker process, and jobs for it."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deploy.standalone.processes import free_port
from jobs.job import Job, Priority
from jobs.options import Options
from jobs.queue import JobQueue, create_celery
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import audio_key, portrait_key, request_key
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from tests.loopback import loopback
from tests.media import babble, recording
from tests.waiting import PATIENCE, wait_for
from workers.synthesis.run_directory import RunDirectory

PIPELINES = "tests.integration.workers.pipelines"


@cache
def picture() -> bytes:
    """Return a PNG of 256x256 pixels of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class RunningWorker:
    """`python -m workers.synthesis`, and what can be observed from outside."""

    def __init__(
        self, environment: dict[str, str], folder: Path, module: str = "workers.synthesis"
    ) -> None:
        self.directory = RunDirectory(folder / "run")
        self.metrics_port = free_port()
        self._log = folder / "log.txt"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module],
                env={
                    **os.environ,
                    **environment,
                    "AMIGO_RUN_DIRECTORY": str(self.directory.path),
                    "AMIGO_METRICS_PORT": str(self.metrics_port),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_loaded(self, times: int = 1) -> None:
        self.wait_for_log("The pipeline is loaded", times)

    def wait_for_log(self, text: str, times: int = 1) -> None:
        def found() -> bool:
            assert self.process.poll() is None, self.log
            return self.log.count(text) >= times

        wait_for(found)

    def child(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        for pid in children.split():
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
        raise LookupError("The worker has no child.")

    def metric(self, line: str) -> float:
        text = loopback.get(f"http://127.0.0.1:{self.metrics_port}/metrics").text
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def terminate(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """Kill all remaining processes of the worker."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        finally:
            self.process.wait()


StartWorker = Callable[..., RunningWorker]


def worker_environment(settings: Settings) -> dict[str, str]:
    """Return what gives a worker the grey pipeline and leases of two seconds."""
    return {
        "AMIGO_VALKEY_URL": settings.valkey_url,
        "AMIGO_S3_ENDPOINT_URL": settings.s3_endpoint_url,
        "AMIGO_S3_BUCKET": settings.s3_bucket,
        "AMIGO_S3_ACCESS_KEY": settings.s3_access_key,
        "AMIGO_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "AMIGO_LEASE_SECONDS": "2",
        "AMIGO_RETRY_PAUSE_SECONDS": "0.1",
        "AMIGO_RECONCILER_SECONDS": "0.2",
        "AMIGO_DEVICE": "cpu",
        "AMIGO_PIPELINE": f"{PIPELINES}:GreyPipeline",
    }


@pytest.fixture(scope="module")
def worker(
    addresses: Settings, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningWorker]:
    """A worker for the tests of a module, the last of which may stop it."""
    worker = RunningWorker(worker_environment(addresses), tmp_path_factory.mktemp("worker"))
    try:
        worker.wait_loaded()
        yield worker
    finally:
        worker.kill()


@pytest.fixture
def start_worker(settings: Settings, tmp_path: Path) -> Iterator[StartWorker]:
    """Start a worker of the test's own, with the settings given."""
    started: list[RunningWorker] = []

    def start(module: str = "workers.synthesis", **extra: str) -> RunningWorker:
        folder = tmp_path / f"{module}-{len(started)}"
        folder.mkdir()
        worker = RunningWorker({**worker_environment(settings), **extra}, folder, module)
        started.append(worker)
        return worker

    yield start
    for worker in started:
        worker.kill()


class Client:
    """Submits jobs like the service, and follows them."""

    def __init__(self, settings: Settings, storage: ObjectStorage) -> None:
        self.store = JobStore.connect(settings)
        self.storage = storage
        self.queue = JobQueue(create_celery(settings))

    def post(
        self,
        seed: int = 0,
        *,
        seconds: float = 1.0,
        portrait: bytes | None = None,
        priority: Priority = Priority.NORMAL,
        portrait_url: str | None = None,
    ) -> str:
        options = Options(consent=True, seed=seed)
        job = Job.create(options, priority=priority, portrait_url=portrait_url)
        speech = recording(babble(seconds), "wav", "pcm_s16le")
        if portrait_url is None:
            self.storage.put(portrait_key(job.id), portrait or picture(), "image/png")
        self.storage.put(audio_key(job.id), speech, "audio/wav")
        self.storage.put(request_key(job.id), job.model_dump_json().encode(), "application/json")
        self.store.accept(job)
        self.queue.dispatch(job.id, job.priority)
        self.store.mark_dispatched(job.id)
        return job.id

    def objects(self, job_id: str) -> list[str]:
        return [item.key for item in self.storage.objects(f"jobs/{job_id}/")]

    def wait_final(self, job_id: str) -> Job:
        wait_for(lambda: self.store.get(job_id).status.is_final)
        return self.store.get(job_id)

    def wait_progress(self, job_id: str, progress: float) -> None:
        wait_for(lambda: self.store.get(job_id).progress > progress)


@pytest.fixture
def client(settings: Settings, storage: ObjectStorage) -> Client:
    return Client(settings, storage)
