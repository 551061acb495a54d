"""Both clients against responses without sockets."""

import json
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from amigo import ApiProblem, JobRequest, JobUnfinished, JobView, Unreachable
from amigo.calls import LONG_POLL_SECONDS
from amigo.retries import ATTEMPTS, ATTEMPTS_BEFORE_A_RESPONSE
from tests.unit.amigo.answers import FAILED, JOB, PROCESSING, SUCCEEDED, Service, problem
from tests.unit.amigo.clock import Clock
from tests.unit.amigo.conftest import Connect

REFUSED = httpx.ConnectError("refused")
ASSET = {
    "id": "asset_1",
    "kind": "portrait",
    "expires_at": "2026-11-23T12:00:00Z",
    "upload": {
        "method": "PUT",
        "url": "http://store/bucket/assets/local/asset_1/portrait?signature=x",
        "headers": {"Content-Type": "image/jpeg"},
    },
}


def look(job: dict[str, Any], tag: str) -> httpx.Response:
    return httpx.Response(200, json=job, headers={"ETag": tag})


def test_submit_posts_both_files_and_the_options_as_text(
    connect: Connect, portrait: Path, audio: Path
) -> None:
    service = Service(post=[JOB])
    job = connect(service).submit(
        portrait,
        str(audio),
        consent=True,
        emotion="anger",
        intensity=1.5,
        blink=False,
        metadata={"scene": "3"},
        seed=None,
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
        b'name="metadata"\r\n\r\n{"scene": "3"}\r\n',
    ):
        assert part in body
    assert b"seed" not in body


def test_addresses_and_assets_go_as_json(connect: Connect) -> None:
    service = Service(post=[JOB], assets=[ASSET], put=[httpx.Response(200)])
    client = connect(service)
    client.submit("https://a/p.jpg", "https://a/s.wav", consent=True, metadata={"scene": "3"})
    assert json.loads(service.requests[0].content) == {
        "portrait_url": "https://a/p.jpg",
        "audio_url": "https://a/s.wav",
        "consent": True,
        "metadata": {"scene": "3"},
    }


def test_a_check_sends_what_there_is_and_again_if_it_is_lost(
    connect: Connect, portrait: Path
) -> None:
    refusal = {"code": "no_face", "message": "No face was found."}
    response = {"portrait": {"width": 64, "faces": [], "refusal": refusal}, "audio": None}
    service = Service(checks=[httpx.ReadError("lost"), response])
    checked = connect(service).check(portrait, face="2")
    assert checked.portrait
    assert [each.code for each in checked.refusals] == ["no_face"]
    lost, sent = service.requests
    assert lost.url.path == sent.url.path == "/v1/checks"
    assert b'name="face"\r\n\r\n2\r\n' in sent.content
    assert b'filename="portrait.jpg"' in sent.content
    assert b"audio" not in sent.content


def test_an_asset_goes_to_the_object_store_without_the_key(
    connect: Connect, portrait: Path, audio: Path
) -> None:
    service = Service(post=[JOB], assets=[ASSET], put=[httpx.Response(200)])
    client = connect(service, api_key="amigo_k")
    asset = client.upload_asset("portrait", portrait)
    client.submit(asset, audio, consent=True)
    wanted, upload, submission = service.requests
    assert json.loads(wanted.content) == {
        "kind": "portrait",
        "size": 6,
        "content_type": "image/jpeg",
    }
    assert (str(upload.url), upload.content) == (ASSET["upload"]["url"], b"a face")  # type: ignore[index]
    assert upload.headers["Content-Type"] == "image/jpeg"
    assert "Authorization" not in upload.headers
    assert b'name="portrait_asset"\r\n\r\nasset_1\r\n' in submission.content
    assert b'filename="speech.wav"' in submission.content


def test_a_batch_returns_a_job_or_a_problem_for_each_request(connect: Connect) -> None:
    refusal = {"code": "consent_required", "detail": "Consent to it.", "status": 422}
    results = [{"status": 202, "job": JOB}, {"status": 422, "problem": refusal}]
    service = Service(batch=[httpx.ReadError("lost"), {"results": results}])
    requests = [
        JobRequest.of("https://a/p.jpg", f"https://a/{name}.wav", consent=True) for name in "ab"
    ]
    job, refused = connect(service).submit_batch(requests)
    assert job.id == "job_1"
    assert (refused.status, refused.code) == (422, "consent_required")
    first, second = service.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    sent = json.loads(second.content)
    assert [each["audio_url"] for each in sent["jobs"]] == ["https://a/a.wav", "https://a/b.wav"]


def test_a_batch_of_files_is_refused_before_anything_is_sent(
    connect: Connect, portrait: Path, audio: Path
) -> None:
    service = Service()
    with pytest.raises(ValueError, match="upload files as assets first"):
        connect(service).submit_batch([JobRequest.of(portrait, audio, consent=True)])
    assert not service.requests


def test_the_key_given_goes_before_that_of_the_environment(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(get=[JOB])
    monkeypatch.delenv("AMIGO_API_KEY", raising=False)
    connect(service).get("job_1")
    monkeypatch.setenv("AMIGO_API_KEY", "amigo_env")
    connect(service).get("job_1")
    connect(service, api_key="amigo_given").get("job_1")
    shown = [request.headers.get("Authorization") for request in service.requests]
    assert shown == [None, "Bearer amigo_env", "Bearer amigo_given"]


def test_a_problem_carries_its_code_and_detail(connect: Connect) -> None:
    service = Service(get=[problem(404, "job_not_found", "No job job_1.")])
    with pytest.raises(ApiProblem, match=r"No job job_1. \(job_not_found\)") as caught:
        connect(service).get("job_1")
    assert (caught.value.status, caught.value.code) == (404, "job_not_found")
    assert caught.value.detail == "No job job_1."


@pytest.mark.parametrize("body", [b"<html>Forbidden</html>", b"[]", b'{"error": 1}'])
def test_an_error_page_of_a_proxy_is_a_problem_too(connect: Connect, body: bytes) -> None:
    service = Service(get=[httpx.Response(403, content=body)])
    with pytest.raises(ApiProblem, match="responded with 403 Forbidden") as caught:
        connect(service).get("job_1")
    assert caught.value.code == "http_error"


def test_a_successful_response_without_a_job_is_an_error(connect: Connect) -> None:
    service = Service(get=[httpx.Response(200, text="<html>Some other server</html>")])
    with pytest.raises(Unreachable, match="not respond like an AMIGO service"):
        connect(service).get("job_1")
    assert len(service.requests) == 1


def test_an_id_cannot_change_the_path(connect: Connect) -> None:
    service = Service(get=[JOB])
    connect(service).get("../../metrics?x")
    assert service.requests[0].url.raw_path == b"/v1/jobs/..%2F..%2Fmetrics%3Fx"


def test_members_of_a_newer_service_are_kept(connect: Connect) -> None:
    shown = connect(Service(get=[SUCCEEDED])).get("job_1")
    assert json.loads(shown.model_dump_json())["a_member_of_a_newer_service"] == 1


def test_a_service_that_never_responded_is_given_up_soon(connect: Connect, clock: Clock) -> None:
    service = Service(get=[REFUSED])
    with pytest.raises(Unreachable, match="refused"):
        connect(service).get("job_1")
    assert len(service.requests) == ATTEMPTS_BEFORE_A_RESPONSE
    assert sum(clock.pauses) < 2


def test_an_address_where_nothing_answers_is_named(connect: Connect) -> None:
    with pytest.raises(Unreachable, match="Nothing answers at http://amigo: refused") as caught:
        connect(Service(get=[REFUSED])).get("job_1")
    assert caught.value.is_absent


@pytest.mark.parametrize("cause", [httpx.ReadTimeout("timed out"), ssl.SSLError("self-signed")])
def test_a_service_that_accepted_the_connection_is_not_reported_as_absent(
    connect: Connect, cause: Exception
) -> None:
    error = httpx.ConnectError(str(cause)) if isinstance(cause, ssl.SSLError) else cause
    error.__cause__ = cause if error is not cause else None
    with pytest.raises(Unreachable, match="The connection to http://amigo failed") as caught:
        connect(Service(get=[error])).get("job_1")
    assert not caught.value.is_absent


def test_a_service_that_has_responded_before_is_retried_longer(
    connect: Connect, clock: Clock
) -> None:
    service = Service(get=[JOB, REFUSED])
    client = connect(service)
    client.get("job_1")
    with pytest.raises(Unreachable):
        client.get("job_1")
    assert len(service.requests) == 1 + ATTEMPTS
    assert 25 < sum(clock.pauses) < 60
    assert clock.pauses == sorted(clock.pauses)


def test_an_invalid_url_is_not_retried(clock: Clock) -> None:
    from amigo import Client

    with pytest.raises(Unreachable, match="'localhost' is not the URL of a service"):
        Client("localhost").get("job_1")
    assert not clock.pauses


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "idempotency_in_progress"),
        (429, "rate_limited"),
        (502, "http_error"),
        (503, "store_unavailable"),
        (504, "http_error"),
    ],
)
def test_a_temporary_error_is_retried_after_the_requested_delay(
    connect: Connect, clock: Clock, portrait: Path, audio: Path, status: int, code: str
) -> None:
    refusal = httpx.Response(
        status, json={"code": code, "detail": "Later."}, headers={"Retry-After": "7"}
    )
    service = Service(post=[refusal, JOB])
    assert connect(service).submit(portrait, audio, consent=True).id == "job_1"
    assert clock.pauses == [7]


def test_retry_after_may_be_a_date(connect: Connect, clock: Clock) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    refusal = httpx.Response(503, headers={"Retry-After": date})
    connect(Service(get=[refusal, JOB])).get("job_1")
    assert 20 < clock.pauses[0] <= 30


def test_a_retry_after_of_hours_is_raised_at_once(connect: Connect, clock: Clock) -> None:
    refusal = httpx.Response(
        429, json={"code": "quota_exceeded", "detail": "No."}, headers={"Retry-After": "40000"}
    )
    with pytest.raises(ApiProblem, match="quota_exceeded") as caught:
        connect(Service(get=[refusal])).get("job_1")
    assert caught.value.retry_after == 40000
    assert not clock.pauses


def test_a_permanent_error_is_not_retried(connect: Connect) -> None:
    service = Service(get=[problem(404, "job_not_found", "No job.")])
    with pytest.raises(ApiProblem):
        connect(service).wait("job_1")
    assert len(service.requests) == 1


def test_a_retried_submission_is_identical(connect: Connect, portrait: Path, audio: Path) -> None:
    service = Service(post=[httpx.ReadError("lost"), JOB])
    client = connect(service)
    client.submit(portrait, audio, consent=True)
    client.submit(portrait, audio, consent=True)
    client.submit(portrait, audio, consent=True, idempotency_key="mine")
    keys = [request.headers["Idempotency-Key"] for request in service.requests]
    assert keys[0] == keys[1] != keys[2]
    assert keys[3] == "mine"
    assert b"a voice" in service.requests[1].content


def test_an_unrepeatable_request_is_sent_once(connect: Connect) -> None:
    service = Service(cancel=[httpx.ReadError("lost")])
    with pytest.raises(Unreachable):
        connect(service).cancel("job_1")
    assert len(service.requests) == 1


@pytest.mark.parametrize("last", [SUCCEEDED, FAILED, {**JOB, "status": "canceled"}])
def test_wait_reports_every_update_and_returns_the_job(
    connect: Connect, last: dict[str, object]
) -> None:
    seen: list[JobView] = []
    service = Service(get=[JOB, PROCESSING, last])
    job = connect(service).wait("job_1", seen.append)
    assert [look.status for look in seen] == ["queued", "processing", last["status"]]
    assert job == seen[-1]


def test_following_requests_only_newer_versions(connect: Connect) -> None:
    unchanged = httpx.Response(304, headers={"ETag": '"a"'})
    service = Service(get=[look(JOB, '"a"'), unchanged, look(SUCCEEDED, '"b"')])
    shown = list(connect(service).follow("job_1"))
    assert [job.status for job in shown] == ["queued", "succeeded"]
    first, second, third = service.requests
    assert "wait" not in first.url.params
    for later in (second, third):
        assert later.url.params["wait"] == str(LONG_POLL_SECONDS)
        assert later.headers["If-None-Match"] == '"a"'


def test_a_job_that_changes_constantly_is_polled_once_a_second(
    connect: Connect, clock: Clock
) -> None:
    connect(Service(get=[PROCESSING, PROCESSING, PROCESSING, SUCCEEDED])).wait("job_1")
    assert clock.pauses == [1.0, 1.0, 1.0]


def test_wait_survives_a_restart_of_the_service(connect: Connect) -> None:
    outage = [REFUSED, REFUSED, problem(503, "not_ready", "Soon."), httpx.ReadError("lost")]
    outage.append(httpx.Response(500, text="Internal Server Error"))
    service = Service(get=[JOB, *outage, SUCCEEDED])
    assert connect(service).wait("job_1").has_succeeded


def test_wait_raises_after_its_timeout(connect: Connect, clock: Clock) -> None:
    service = Service(get=[PROCESSING])
    with pytest.raises(JobUnfinished, match=r"did not end within 2.5 s"):
        connect(service).wait("job_1", timeout=2.5)
    assert sum(clock.pauses) == 2.5
    assert [request.url.params.get("wait") for request in service.requests] == [None, "1", "0", "0"]


def test_the_list_continues_over_all_pages(connect: Connect) -> None:
    pages = [
        {"jobs": [{**JOB, "id": "job_3"}, {**JOB, "id": "job_2"}], "next_cursor": "c&1"},
        {"jobs": [JOB], "next_cursor": None},
    ]
    service = Service(list=[*pages])
    jobs = connect(service).list(
        statuses=["queued", "failed"],
        created_after=datetime(2026, 11, 22, tzinfo=UTC),
        metadata={"scene": "3"},
        page_size=2,
    )
    assert [job.id for job in jobs] == ["job_3", "job_2", "job_1"]
    first, second = (request.url.params for request in service.requests)
    assert first.get_list("status") == ["queued", "failed"]
    assert first["created_after"] == "2026-11-22T00:00:00+00:00"
    assert (first["metadata[scene]"], first["limit"]) == ("3", "2")
    assert "cursor" not in first
    assert dict(second) == {**dict(first), "cursor": "c&1"}


def test_cancel_posts_and_returns_the_job(connect: Connect) -> None:
    service = Service(cancel=[{**JOB, "status": "canceled"}])
    assert connect(service).cancel("job_1").has_ended
    request = service.requests[0]
    assert (request.method, request.url.path) == ("POST", "/v1/jobs/job_1/cancel")


def test_delete_returns_nothing(connect: Connect) -> None:
    service = Service(delete=[httpx.Response(204)])
    assert connect(service).delete("job_1") is None
    request = service.requests[0]
    assert (request.method, request.url.path) == ("DELETE", "/v1/jobs/job_1")


def test_a_job_is_changed_only_in_the_version_that_was_read(connect: Connect) -> None:
    service = Service(
        get=[look(JOB, 'W/"v1"')], cancel=[JOB], delete=[problem(412, "precondition_failed", "No.")]
    )
    client = connect(service)
    tag = client.get("job_1").etag
    client.cancel("job_1", if_match=tag)
    with pytest.raises(ApiProblem, match="No"):
        client.delete("job_1", if_match=tag)
    assert [request.headers.get("If-Match") for request in service.requests] == [
        None,
        '"v1"',
        '"v1"',
    ]


def asked_of(service: Service) -> tuple[str, str, Any]:
    request = service.requests[-1]
    return request.method, request.url.path, json.loads(request.content or b"null")


def test_a_token_is_made_for_one_job_or_for_all(connect: Connect) -> None:
    token = {"token": "a.b", "job_id": "job_1", "expires_at": "2026-11-23T12:00:00Z"}
    service = Service(tokens=[token, {**token, "job_id": None}])
    client = connect(service)
    assert client.create_token("job_1", seconds=60).token == "a.b"
    assert asked_of(service) == ("POST", "/v1/tokens", {"job_id": "job_1", "seconds": 60})
    assert client.create_token().job_id is None
    assert asked_of(service) == ("POST", "/v1/tokens", {"job_id": None, "seconds": 900})


def test_webhooks_can_be_tested_and_redelivered(connect: Connect) -> None:
    webhook = {"url": "https://example.com/", "status": "delivered", "attempts": 1}
    test = {"id": "test_1", "webhook": webhook}
    service = Service(get=[test, test, {**SUCCEEDED, "webhook": webhook}])
    client = connect(service)
    assert client.send_test_webhook("https://example.com/").id == "test_1"
    assert asked_of(service) == ("POST", "/v1/webhooks/tests", {"url": "https://example.com/"})
    assert client.read_test_webhook("test_1").webhook.status == "delivered"
    assert asked_of(service) == ("GET", "/v1/webhooks/tests/test_1", None)
    assert client.redeliver_webhook("job_1").webhook.attempts == 1
    assert asked_of(service) == ("POST", "/v1/jobs/job_1/webhook", None)


def test_usage_includes_the_remaining_limits(connect: Connect) -> None:
    counts = {"unfinished": 1, "created": 9, "succeeded": 7, "failed": 0, "canceled": 1}
    usage = {
        "day_start": "2026-11-22T00:00:00Z",
        "day_end": "2026-11-23T00:00:00Z",
        "jobs": counts,
        "video_seconds": 31.5,
        "limits": {"jobs_a_day": {"limit": 10, "remaining": 1}, "concurrent_jobs": None},
    }
    service = Service(get=[usage])
    read = connect(service).usage()
    assert asked_of(service) == ("GET", "/v1/usage", None)
    assert (read.jobs.succeeded, read.video_seconds) == (7, 31.5)
    assert read.limits.jobs_a_day
    assert read.limits.jobs_a_day.remaining == 1
    assert read.limits.requests_a_minute is None


def test_the_secret_of_webhooks_is_read_and_rotated(connect: Connect) -> None:
    secrets = {"secret": "whsec_b", "previous_secret": "whsec_a", "previous_expires_at": None}
    service = Service(get=[secrets])
    client = connect(service)
    assert client.webhook_secret().secret == "whsec_b"
    assert asked_of(service) == ("GET", "/v1/webhooks/secret", None)
    assert client.rotate_webhook_secret().previous_secret == "whsec_a"
    assert asked_of(service) == ("POST", "/v1/webhooks/secret/rotate", None)


class Cut(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A truncated body."""

    def __init__(self, piece: bytes) -> None:
        self._piece = piece

    def __iter__(self) -> Iterator[bytes]:
        yield self._piece
        raise httpx.ReadError("connection lost")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._piece
        raise httpx.ReadError("connection lost")


def test_a_video_is_saved_whole(connect: Connect, tmp_path: Path) -> None:
    service = Service(video=[httpx.Response(200, content=b"frames" * 50_000)])
    path = connect(service).download_video("job_1", tmp_path / "new" / "out.mp4")
    assert path.read_bytes() == b"frames" * 50_000
    assert list(path.parent.iterdir()) == [path]


def test_a_redirect_to_the_object_store_gets_no_api_key(connect: Connect, tmp_path: Path) -> None:
    away = httpx.Response(307, headers={"Location": "http://store/bucket/video"})
    service = Service(video=[away, httpx.Response(200, content=b"frames")])
    client = connect(service, api_key="amigo_k")
    assert client.download_video("job_1", tmp_path / "out.mp4").read_bytes() == b"frames"
    here, there = service.requests
    assert here.headers["Authorization"] == "Bearer amigo_k"
    assert there.url.host == "store"
    assert "Authorization" not in there.headers


def test_a_broken_download_resumes_where_it_stopped(connect: Connect, tmp_path: Path) -> None:
    service = Service(
        video=[
            httpx.Response(200, headers={"ETag": '"v"'}, stream=Cut(b"abc")),
            REFUSED,
            httpx.Response(206, headers={"ETag": '"v"'}, stream=Cut(b"def")),
            httpx.Response(206, headers={"ETag": '"v"'}, content=b"gh"),
        ]
    )
    path = connect(service).download_video("job_1", tmp_path / "out.mp4")
    assert path.read_bytes() == b"abcdefgh"
    asked = [
        (request.headers.get("Range"), request.headers.get("If-Range"))
        for request in service.requests
    ]
    assert asked == [
        (None, None),
        ("bytes=3-", '"v"'),
        ("bytes=3-", '"v"'),
        ("bytes=6-", '"v"'),
    ]


@pytest.mark.parametrize("tag", ['"v"', 'W/"v"', None])
def test_a_changed_video_restarts_the_download(
    connect: Connect, tmp_path: Path, tag: str | None
) -> None:
    headers = {"ETag": tag} if tag else {}
    broken = httpx.Response(200, headers=headers, stream=Cut(b"old bytes"))
    service = Service(video=[broken, httpx.Response(200, content=b"new")])
    path = connect(service).download_video("job_1", tmp_path / "out.mp4")
    assert path.read_bytes() == b"new"
    assert ("Range" in service.requests[1].headers) == (tag == '"v"')


def test_an_unsatisfiable_range_restarts_the_download(connect: Connect, tmp_path: Path) -> None:
    broken = httpx.Response(200, headers={"ETag": '"v"'}, stream=Cut(b"whole"))
    beyond = problem(416, "range_not_satisfiable", "There is no more.")
    service = Service(video=[broken, beyond, httpx.Response(200, content=b"whole")])
    path = connect(service).download_video("job_1", tmp_path / "out.mp4")
    assert path.read_bytes() == b"whole"


def test_a_download_without_progress_is_given_up(connect: Connect, tmp_path: Path) -> None:
    old = tmp_path / "out.mp4"
    old.write_bytes(b"old")
    broken = httpx.Response(200, headers={"ETag": '"v"'}, stream=Cut(b"half"))
    service = Service(video=[broken, REFUSED])
    with pytest.raises(Unreachable, match="refused"):
        connect(service).download_video("job_1", old)
    assert len(service.requests) == 2 * ATTEMPTS
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]


def test_a_missing_video_leaves_no_file(connect: Connect, tmp_path: Path) -> None:
    service = Service(video=[problem(409, "video_not_ready", "Not yet.")])
    with pytest.raises(ApiProblem, match="video_not_ready"):
        connect(service).download_video("job_1", tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


def test_posters_and_landmarks_are_saved_in_the_format_of_their_names(
    connect: Connect, tmp_path: Path
) -> None:
    content = httpx.Response(200, content=b"x")
    service = Service(poster=[content], landmarks=[content])
    client = connect(service)
    client.download_poster("job_1", tmp_path / "p.jpg")
    client.download_landmarks("job_1", tmp_path / "l.npz")
    client.download_landmarks("job_1", tmp_path / "l.json")
    asked = [request.url.raw_path.decode() for request in service.requests]
    assert asked == [
        "/v1/jobs/job_1/poster",
        "/v1/jobs/job_1/landmarks?format=npz",
        "/v1/jobs/job_1/landmarks?format=json",
    ]
