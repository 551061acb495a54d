"""The service under attack: a real process, and what can be observed of it and its stores."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from redis import Redis

from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings
from media.sandbox.confinement import LIMITS
from tests.processes import RunningService, running_service
from tests.security.bait import Listener
from tests.security.footprint import MEBIBYTE, family, measured
from tests.security.hostile import ACCEPTED
from tests.service_examples import portrait, speech
from tests.waiting import wait_for

ANSWER_SECONDS = 120.0
"""Time limit of a response, even on a busy machine."""

MOST_MEMORY = LIMITS.memory + 512 * MEBIBYTE
"""Memory limit of a service or a worker with all its processes while they take one file after the
other: what decoding one may take, plus their own.
"""


@dataclass(frozen=True)
class Traces:
    """Everything that a request could leave behind."""

    objects: frozenset[str]
    keys: frozenset[bytes | str]
    files: frozenset[str]
    num_processes: int


@dataclass(frozen=True)
class Target:
    """The service, its stores and its folder for temporary files."""

    service: RunningService
    storage: ObjectStorage
    valkey: Redis
    scratch: Path
    listener: Listener
    http: httpx.Client

    def post(self, **files: bytes) -> httpx.Response:
        """Submit a job; if only one input is given, the other one is valid."""
        good = {"portrait": portrait(), "audio": speech()}
        return self.http.post("/v1/jobs", files={**good, **files}, data={"consent": "true"})

    def check(self, **files: bytes) -> httpx.Response:
        """Check files without creating a job."""
        return self.http.post("/v1/checks", files=files)

    def forget(self, location: str | None) -> None:
        """Delete the job at this path, if one was created."""
        if location is not None:
            assert self.http.post(f"{location}/cancel").is_success
            assert self.http.delete(location).is_success

    def traces(self) -> Traces:
        """Return the current state."""
        return Traces(
            frozenset(stored.key for stored in self.storage.objects("")),
            frozenset(self.valkey.keys()),
            frozenset(str(path) for path in self.scratch.rglob("*")),
            len(family(self.service.process.pid)),
        )

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Check that whatever happens within the context uses little memory and leaves nothing
        behind.
        """
        before = self.traces()
        with measured(self.service.process.pid) as peak:
            yield
        assert self.http.get("/livez").is_success
        assert self.listener.heard == []
        assert peak.bytes < MOST_MEMORY, f"{peak.bytes / MEBIBYTE:.0f} MiB"
        wait_for(lambda: self.traces() == before)


def outcome(response: httpx.Response) -> str:
    """Return the code of the problem, or ACCEPTED, after checking either."""
    if response.status_code == 202:
        assert response.json()["status"] == "queued"
        return ACCEPTED
    return problem_of(response)


def problem_of(response: httpx.Response) -> str:
    """Return the code of a problem, after checking it."""
    document: dict[str, Any] = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.status_code == document["status"] < 500, document
    return str(document["code"])


def environment(settings: Settings, scratch: Path) -> dict[str, str]:
    """Return the environment with the stores and a folder for temporary files."""
    return {
        "AMIGO_VALKEY_URL": settings.valkey_url,
        "AMIGO_S3_ENDPOINT_URL": settings.s3_endpoint_url,
        "AMIGO_S3_BUCKET": settings.s3_bucket,
        "AMIGO_S3_ACCESS_KEY": settings.s3_access_key,
        "AMIGO_S3_SECRET_KEY": settings.s3_secret_key.get_secret_value(),
        "TMPDIR": str(scratch),
    }


@contextmanager
def attacked(settings: Settings, listener: Listener, folder: Path) -> Iterator[Target]:
    """Run the service with a separate folder for its temporary files."""
    scratch = folder / "tmp"
    scratch.mkdir()
    with (
        running_service(environment(settings, scratch), folder / "service.log") as service,
        Redis.from_url(settings.valkey_url) as valkey,
        httpx.Client(base_url=service.url, timeout=ANSWER_SECONDS) as http,
    ):
        storage = ObjectStorage.connect(settings)
        target = Target(service, storage, valkey, scratch, listener, http)
        target.forget(target.post().headers["location"])  # so that everything created once exists
        yield target
        assert "Traceback" not in service.log
        assert not any(line.startswith("X-Injected") for line in service.log.splitlines())
