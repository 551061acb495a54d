"""Both clients against the running system, including during failures."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from amigo import AsyncClient, Client, JobView
from deploy.standalone.supervisor import ManagedProcess
from deploy.standalone.system import Standalone
from tests.waiting import PATIENCE


@pytest.fixture
def service(system: Standalone) -> ManagedProcess:
    return next(process for process in system.processes if process.program.name == "service")


@pytest.fixture
def job(client: Client, portrait: Path, speech: Path) -> Iterator[JobView]:
    made = client.submit(portrait, speech, consent=True, resolution=256)
    yield made
    client.delete(made.id)


def test_following_a_job_survives_a_restart_of_the_service(
    client: Client, service: ManagedProcess, job: JobView
) -> None:
    first = service.child.pid
    looks = client.follow(job.id, timeout=PATIENCE)
    assert not next(looks).has_ended
    service.child.clean_up()
    *_, last = looks
    assert last.has_succeeded, last.failure
    assert service.child.pid != first


def test_a_retried_submission_returns_the_same_job(
    client: Client, portrait: Path, speech: Path
) -> None:
    first, second = (
        client.submit(portrait, speech, consent=True, idempotency_key="sent-twice")
        for _ in range(2)
    )
    assert first.id == second.id
    client.delete(first.id)


def test_the_async_client_submits_waits_and_downloads(
    system: Standalone, portrait: Path, speech: Path, tmp_path: Path
) -> None:
    notes = {"test": "whole way"}

    async def go() -> list[str]:
        async with AsyncClient(system.url) as client:
            job = await client.submit(
                portrait, speech, consent=True, metadata={"test": "whole way"}, resolution=256
            )
            ended = await client.wait(job.id, timeout=PATIENCE)
            assert ended.has_succeeded, ended.failure
            await client.download_video(job.id, tmp_path / "out.mp4")
            listed = [each.id async for each in client.list(metadata=notes)]
            await client.delete(job.id)
            return listed

    assert len(asyncio.run(go())) == 1
    assert (tmp_path / "out.mp4").read_bytes()[4:8] == b"ftyp"


class Torn(httpx.HTTPTransport):
    """Drops the first connection that transfers a video, after 1000 bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if not request.url.path.endswith("/video"):
            return response
        self.ranges.append(request.headers.get("Range"))
        return response if len(self.ranges) > 1 else torn(response)


def torn(response: httpx.Response) -> httpx.Response:
    assert isinstance(response.stream, httpx.SyncByteStream)
    return httpx.Response(
        response.status_code, headers=response.headers, stream=TornStream(response)
    )


class TornStream(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response) -> None:
        self._answer = response

    def __iter__(self) -> Iterator[bytes]:
        yield next(self._answer.iter_raw(1000))
        raise httpx.ReadError("torn")

    def close(self) -> None:
        self._answer.close()


def test_an_interrupted_download_resumes_where_it_stopped(
    client: Client, system: Standalone, job: JobView, tmp_path: Path
) -> None:
    client.wait(job.id, timeout=PATIENCE)
    whole = client.download_video(job.id, tmp_path / "whole.mp4")
    transport = Torn()
    with Client(system.url, transport=transport) as tearing:
        pieced = tearing.download_video(job.id, tmp_path / "pieced.mp4")
    assert transport.ranges == [None, "bytes=1000-"]
    assert pieced.read_bytes() == whole.read_bytes()
