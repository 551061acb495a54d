"""The client against answers that no socket carried."""

from pathlib import Path

import httpx
import pytest

from client import client as module
from client.client import AmigoClient
from client.errors import ApiProblem, JobUnfinished, Unreachable
from client.job_view import JobView
from tests.unit.client.answers import FAILED, JOB, PROCESSING, SUCCEEDED, Service, problem


def client_of(service: Service) -> AmigoClient:
    return AmigoClient("http://amigo", transport=httpx.MockTransport(service))


def test_submit_posts_both_files_and_the_options_as_text(portrait: Path, audio: Path) -> None:
    service = Service(post=[JOB])
    job = client_of(service).submit(
        portrait, audio, consent=True, emotion="anger", intensity=1.5, blink=False, seed=None
    )
    assert job.id == "job_1"
    body = service.requests[0].content
    for part in (
        b'name="portrait"; filename="portrait.jpg"',
        b"a face",
        b'name="audio"; filename="speech.wav"',
        b"a voice",
        b'name="consent"\r\n\r\ntrue\r\n',
        b'name="emotion"\r\n\r\nanger\r\n',
        b'name="intensity"\r\n\r\n1.5\r\n',
        b'name="blink"\r\n\r\nfalse\r\n',
    ):
        assert part in body
    assert b"seed" not in body


def test_a_problem_carries_its_code_and_detail() -> None:
    service = Service(get=[problem(404, "job_not_found", "No job job_1.")])
    with pytest.raises(ApiProblem, match=r"No job job_1. \(job_not_found\)") as caught:
        client_of(service).get("job_1")
    assert (caught.value.status, caught.value.code) == (404, "job_not_found")
    assert caught.value.detail == "No job job_1."


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[]", b'{"error": 1}'])
def test_an_error_page_of_a_proxy_is_a_problem_too(body: bytes) -> None:
    service = Service(get=[httpx.Response(502, content=body)])
    with pytest.raises(ApiProblem, match="answered 502 Bad Gateway") as caught:
        client_of(service).get("job_1")
    assert caught.value.code == "http_error"


def test_a_refused_connection_is_told_as_unreachable() -> None:
    service = Service(get=[httpx.ConnectError("refused")])
    with pytest.raises(Unreachable, match="http://amigo cannot be reached: refused"):
        client_of(service).get("job_1")


def test_a_success_that_is_no_job_is_not_believed() -> None:
    service = Service(get=[httpx.Response(200, text="<html>Some other server</html>")])
    with pytest.raises(Unreachable, match="not like AMIGO"):
        client_of(service).get("job_1")


@pytest.mark.parametrize("last", [SUCCEEDED, FAILED, {**JOB, "status": "canceled"}])
def test_wait_shows_every_look_and_ends_with_the_job(last: dict[str, object]) -> None:
    seen: list[JobView] = []
    service = Service(get=[JOB, PROCESSING, last])
    job = client_of(service).wait("job_1", seen.append)
    assert [look.status for look in seen] == ["queued", "processing", last["status"]]
    assert job == seen[-1]


def test_wait_bears_a_short_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    outage = [httpx.ConnectError("refused"), problem(503, "store_unavailable", "No store.")]
    service = Service(get=[JOB, *outage, SUCCEEDED])
    assert client_of(service).wait("job_1").has_succeeded


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "Sun, 22 Nov 2026 12:00:00 GMT"}])
def test_wait_pauses_as_usual_when_no_seconds_are_named(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str]
) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    service = Service(get=[httpx.Response(200, json=JOB, headers=headers), SUCCEEDED])
    assert client_of(service).wait("job_1").has_succeeded


def test_wait_gives_up_a_service_that_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.0)
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.05)
    service = Service(get=[httpx.ConnectError("refused")])
    with pytest.raises(Unreachable):
        client_of(service).wait("job_1")
    assert len(service.requests) > 1


def test_wait_does_not_ask_again_after_a_problem_that_stays() -> None:
    service = Service(get=[problem(404, "job_not_found", "No job.")])
    with pytest.raises(ApiProblem):
        client_of(service).wait("job_1")
    assert len(service.requests) == 1


def test_wait_ends_when_its_time_is_up() -> None:
    service = Service(get=[PROCESSING])
    with pytest.raises(JobUnfinished, match=r"did not end within 0.05 s"):
        client_of(service).wait("job_1", timeout=0.05)


def test_cancel_posts_and_returns_the_job() -> None:
    service = Service(cancel=[{**JOB, "status": "canceled"}])
    assert client_of(service).cancel("job_1").has_ended
    request = service.requests[0]
    assert (request.method, request.url.path) == ("POST", "/v1/jobs/job_1/cancel")


def test_a_video_is_saved_whole(tmp_path: Path) -> None:
    service = Service(video=[httpx.Response(200, content=b"frames" * 50_000)])
    path = client_of(service).download_video("job_1", tmp_path / "new" / "out.mp4")
    assert path.read_bytes() == b"frames" * 50_000
    assert list(path.parent.iterdir()) == [path]


def test_a_video_that_lies_elsewhere_is_followed(tmp_path: Path) -> None:
    away = httpx.Response(307, headers={"Location": "http://store/bucket/video"})
    service = Service(video=[away, httpx.Response(200, content=b"frames")])
    path = client_of(service).download_video("job_1", tmp_path / "out.mp4")
    assert path.read_bytes() == b"frames"
    assert service.requests[1].url.host == "store"


class Cut(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self):  # type: ignore[no-untyped-def]
        yield b"half"
        raise httpx.ReadError("connection lost")


def test_a_video_cut_short_leaves_no_file_and_keeps_the_old_one(tmp_path: Path) -> None:
    old = tmp_path / "out.mp4"
    old.write_bytes(b"old")
    service = Service(video=[httpx.Response(200, stream=Cut())])
    service_client = AmigoClient("http://amigo", transport=Cutting(service))
    with pytest.raises(Unreachable, match="connection lost"):
        service_client.download_video("job_1", old)
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


class Cutting(httpx.BaseTransport):
    """Hands responses on without reading them first, as MockTransport would."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._service(request)


def test_a_video_that_is_not_there_leaves_no_file(tmp_path: Path) -> None:
    service = Service(video=[problem(409, "video_not_ready", "Not yet.")])
    with pytest.raises(ApiProblem, match="video_not_ready"):
        client_of(service).download_video("job_1", tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())
