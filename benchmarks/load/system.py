"""The system under load, and what can be read from it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from redis import Redis

from amigo.cli.top import Scrape, metrics_urls
from benchmarks.load.pipeline import SECONDS
from deploy.standalone.system import Standalone, environment
from jobs.job import JobStatus
from jobs.queue import JobQueue, create_celery
from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore

EXAMPLES = Path(__file__).parents[2] / "examples"
PORTRAIT, SPEECH = EXAMPLES / "portrait.jpg", EXAMPLES / "speech.wav"
FORM = {
    "portrait": ("portrait.jpg", PORTRAIT.read_bytes()),
    "audio": ("speech.wav", SPEECH.read_bytes()),
}

PIPELINE = "benchmarks.load.pipeline:FixedCost"
"""Used unless `AMIGO_PIPELINE` names another one."""


@dataclass(frozen=True)
class System:
    """A running system and its stores."""

    standalone: Standalone
    directory: Path
    store: JobStore
    queue: JobQueue
    storage: ObjectStorage
    valkey: Redis

    @property
    def url(self) -> str:
        """The URL of the service."""
        return self.standalone.url

    def open_jobs(self) -> int:
        """Return the number of jobs queued or processing."""
        counts = self.store.counts()
        return counts[JobStatus.QUEUED] + counts[JobStatus.PROCESSING]

    def num_workers(self) -> int:
        """Return the number of workers that are ready for jobs."""
        return sum(
            process.is_ready and process.program.pool for process in self.standalone.processes
        )

    def s3_requests(self) -> dict[str, float]:
        """Return the requests to the object store so far, by operation."""
        scrape = Scrape.of(metrics_urls(self.url, (), self.directory))
        return scrape.by("amigo_s3_request_seconds_count", "operation")

    def commands(self) -> int:
        """Return the number of commands that Valkey has processed."""
        return int(self.valkey.info("stats")["total_commands_processed"])

    def memory(self) -> int:
        """Return the bytes of Valkey's data."""
        return int(self.valkey.info("memory")["used_memory_dataset"])

    def cpu_seconds(self, name: str) -> float:
        """Return the CPU seconds of a program with all its processes: `service`, `Valkey`, …"""
        (pid,) = (
            process.child.pid
            for process in self.standalone.processes
            if process.program.name == name
        )
        return sum(_cpu_seconds(each) for each in _tree(pid or 0))


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def _cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


@contextmanager
def system(job_seconds: float, workers: int) -> Iterator[System]:
    """Run a system whose workers take this long to render a job."""
    os.environ |= {SECONDS: str(job_seconds), "AMIGO_DEVICE": "cpu"}
    if os.environ.setdefault("AMIGO_PIPELINE", PIPELINE) == PIPELINE:
        os.environ["AMIGO_TORCH_THREADS"] = "0"  # any other number would load torch
    with TemporaryDirectory() as folder:
        directory = Path(folder) / "system"
        with Standalone(directory, workers=workers, print_line=_report) as standalone:
            settings = Settings.model_validate(_fields(environment(directory)))
            yield System(
                standalone,
                directory,
                JobStore.connect(settings),
                JobQueue(create_celery(settings)),
                ObjectStorage.connect(settings),
                Redis.from_url(settings.valkey_url),
            )


def _report(text: str) -> None:
    print(text, file=sys.stderr)


def _fields(variables: dict[str, str]) -> dict[str, str]:
    return {name.removeprefix("AMIGO_").lower(): value for name, value in variables.items()}


def patient_client() -> httpx.AsyncClient:
    """Return a client that connects again if the service is being restarted."""
    return httpx.AsyncClient(timeout=120, transport=httpx.AsyncHTTPTransport(retries=5))


async def submit(client: httpx.AsyncClient, url: str) -> str:
    """Submit the example as a job, and return its id."""
    response = await client.post(f"{url}/v1/jobs", data={"consent": "true"}, files=FORM)
    job_id: str = response.raise_for_status().json()["id"]
    return job_id
