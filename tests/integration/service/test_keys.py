"""API keys over HTTP: sent, counted, expired, and never revealed."""

import logging
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from redis import Redis

from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings
from jobs.valkey.api_keys import KEYS, ApiKey
from jobs.valkey.job_store import JobStore
from service.routes import events
from service.settings import ServiceSettings
from tests.event_stream import told
from tests.integration.service.callers import Guarded, bearer, guarding
from tests.integration.service.conftest import serving
from tests.jobs_examples import new_job
from tests.service_examples import upload
from tests.waiting import wait_for

NOWHERE = "/v1/jobs/job_x"


@pytest.fixture(scope="module")
def guarded_service(addresses: Settings) -> Iterator[Guarded]:
    with guarding(ServiceSettings(**addresses.model_dump())) as guarded:
        yield guarded


@pytest.fixture
def guarded(guarded_service: Guarded, settings: Settings) -> Guarded:
    """The module's service, which asks for keys; its stores are empty."""
    return guarded_service


def post(guarded: Guarded, key: dict[str, str]) -> httpx.Response:
    return guarded.live.http.post("/v1/jobs", files=upload(), headers=key)


def test_a_job_belongs_to_its_keys_tenant(guarded: Guarded, store: JobStore) -> None:
    key, token = guarded.keys.create("acme")
    response = post(guarded, bearer(token))
    assert response.status_code == 202, response.text
    job = store.get(response.json()["id"])
    assert (job.tenant, job.key_id) == ("acme", key.id)
    assert response.json()["consent"]["key_id"] == key.id
    assert guarded.live.http.get(response.headers["location"], headers=bearer(token)).is_success
    colleague = guarded.key("acme")
    assert guarded.live.http.get(response.headers["location"], headers=colleague).is_success


def test_a_revoked_or_expired_key_is_rejected(guarded: Guarded) -> None:
    key, token = guarded.keys.create("acme")
    assert guarded.live.http.get(NOWHERE, headers=bearer(token)).status_code == 404
    guarded.keys.revoke(key.id)
    revoked = guarded.live.http.get(NOWHERE, headers=bearer(token))
    assert (revoked.status_code, revoked.json()["code"]) == (401, "key_invalid")
    short = guarded.key(lifetime=timedelta(seconds=0.2))
    wait_for(lambda: guarded.live.http.get(NOWHERE, headers=short).status_code == 401)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_stream_ends_soon_after_its_key_is_revoked(
    guarded: Guarded,
    store: JobStore,
    valkey_url: str,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:
    monkeypatch.setattr(events, "KEY_SECONDS", 0.2)
    monkeypatch.setattr(events, "REREAD_SECONDS", 0.1)
    store.accept(job := new_job(tenant="acme"))
    key, token = guarded.keys.create("acme")
    path = f"/v1/jobs/{job.id}/events"
    http = guarded.live.http
    with (
        http.stream("GET", path, headers=guarded.key("acme")) as colleagues,
        http.stream("GET", path, headers=bearer(token)) as mine,
    ):
        assert (colleagues.status_code, mine.status_code) == (200, 200)
        lines = told(mine.iter_lines())
        assert next(lines).job["status"] == "queued"
        if end == "revoked":
            guarded.keys.revoke(key.id)
        else:
            expire(key, valkey_url)
        assert not [*lines]
        assert not store.get(job.id).status.is_final
        store.cancel(job.id)
        assert [*told(colleagues.iter_lines())][-1].job["status"] == "canceled"
    assert http.get(path, headers=bearer(token)).status_code == 401


def expire(key: ApiKey, valkey_url: str) -> None:
    """Let a key have expired when it was created."""
    expired = key.model_copy(update={"expires_at": key.created_at})
    with Redis.from_url(valkey_url) as client:
        client.hset(KEYS, key.id, expired.model_dump_json())


def test_pages_and_probes_require_no_key(guarded: Guarded) -> None:
    probes = ("/livez", "/readyz", "/metrics")
    for path in ("/", "/docs", "/openapi.json", *probes, "/problems", "/limits"):
        assert guarded.live.http.get(path).status_code == 200


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer x", "amigo_x", ""])
def test_an_authorization_header_without_a_valid_bearer_token_is_rejected(
    guarded: Guarded, header: str
) -> None:
    response = guarded.live.http.get(NOWHERE, headers={"Authorization": header})
    assert response.status_code == 401
    assert response.json()["code"] in {"key_missing", "key_invalid"}


def test_concurrent_requests_cannot_exceed_the_rate_limit(guarded: Guarded) -> None:
    key = guarded.key(requests_a_minute=10)
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: guarded.live.http.get(NOWHERE, headers=key), range(30)))
    assert sorted(response.status_code for response in responses) == [404] * 10 + [429] * 20
    refused = next(response for response in responses if response.status_code == 429)
    assert refused.json()["code"] == "rate_limited"
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"] == '"requests";q=10;w=60'
    assert refused.headers["ratelimit"].startswith('"requests";r=0;t=')
    assert guarded.live.http.get(NOWHERE, headers=guarded.key()).status_code == 404


def test_every_response_reports_the_remaining_limits(guarded: Guarded) -> None:
    key = guarded.key(requests_a_minute=5)
    told = [guarded.live.http.get(NOWHERE, headers=key).headers["ratelimit"] for _ in range(3)]
    assert [each.split(";")[1] for each in told] == ["r=4", "r=3", "r=2"]
    unlimited = guarded.live.http.get(NOWHERE, headers=guarded.key())
    assert "ratelimit" not in unlimited.headers


def test_a_key_at_its_limit_creates_no_further_job_and_leaves_nothing(
    guarded: Guarded, store: JobStore, storage: ObjectStorage
) -> None:
    key = guarded.key(concurrent_jobs=1)
    first = post(guarded, key).json()
    kept = {stored.key for stored in storage.objects("jobs/")}
    refused = post(guarded, key)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_jobs")
    assert int(refused.headers["retry-after"]) > 0
    assert {stored.key for stored in storage.objects("jobs/")} == kept
    guarded.live.http.post(first["links"]["cancel"], headers=key)
    assert post(guarded, key).status_code == 202


def test_concurrent_uploads_cannot_exceed_the_job_limit(
    guarded: Guarded, store: JobStore, storage: ObjectStorage
) -> None:
    key = guarded.key(concurrent_jobs=2)
    with ThreadPoolExecutor(6) as pool:
        statuses = [each.status_code for each in pool.map(lambda _: post(guarded, key), range(6))]
    assert sorted(statuses) == [202, 202, 429, 429, 429, 429]
    assert sum(store.counts().values()) == 2
    assert len({stored.key.split("/")[1] for stored in storage.objects("jobs/")}) == 2


def test_the_daily_quota_is_used_up(guarded: Guarded) -> None:
    key = guarded.key(jobs_a_day=1)
    accepted = post(guarded, key)
    assert accepted.status_code == 202
    refused = post(guarded, key)
    assert (refused.status_code, refused.json()["code"]) == (429, "quota_exceeded")
    assert 0 < int(refused.headers["retry-after"]) <= 24 * 3600
    for response in (accepted, refused):
        assert response.headers["ratelimit-policy"] == '"jobs";q=1;w=86400'
        assert response.headers["ratelimit"].startswith('"jobs";r=0;t=')


def test_usage_reports_what_is_used_and_what_remains(guarded: Guarded) -> None:
    key = guarded.key(jobs_a_day=5, concurrent_jobs=3, requests_a_minute=20)
    accepted = post(guarded, key)
    assert accepted.headers["ratelimit-policy"] == '"requests";q=20;w=60, "jobs";q=5;w=86400'
    assert re.fullmatch(r'"requests";r=19;t=\d+, "jobs";r=4;t=\d+', accepted.headers["ratelimit"])
    post(guarded, key)
    guarded.live.http.post(accepted.json()["links"]["cancel"], headers=key)
    response = guarded.live.http.get("/v1/usage", headers=key)
    assert '"jobs";r=3' in response.headers["ratelimit"]
    usage = response.json()
    assert usage["jobs"] == {
        "unfinished": 1,
        "created": 2,
        "succeeded": 0,
        "failed": 0,
        "canceled": 1,
    }
    assert usage["limits"] == {
        "jobs_a_day": {"limit": 5, "remaining": 3},
        "concurrent_jobs": {"limit": 3, "remaining": 2},
        "requests_a_minute": {"limit": 20, "remaining": 16},
    }


def test_keys_of_a_tenant_have_usage_of_their_own(guarded: Guarded) -> None:
    post(guarded, guarded.key())
    usage = guarded.live.http.get("/v1/usage", headers=guarded.key()).json()
    assert usage["jobs"]["created"] == 0
    assert set(usage["limits"].values()) == {None}


def test_without_the_store_a_request_with_a_key_is_503(service_settings: ServiceSettings) -> None:
    broken = service_settings.model_copy(update={"valkey_url": "redis://127.0.0.1:1/0"})
    with guarding(broken) as guarded:
        response = guarded.live.http.get(NOWHERE, headers=bearer(f"amigo_{'0' * 16}_{'a' * 43}"))
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")


def test_no_response_and_no_log_contains_a_token(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key, token = guarded.keys.create("acme")
    accepted = post(guarded, bearer(token))
    guarded.keys.revoke(key.id)
    refused = [
        guarded.live.http.get(f"{NOWHERE}?key={shown}", headers=bearer(shown))
        for shown in (token, f"{token[:-4]}xxxx", f"{token}!")
    ]
    responses = [accepted, *refused]
    logged = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    told = "\n".join(f"{response.text} {response.headers}" for response in responses)
    secret = token.removeprefix(f"amigo_{key.id}_")[:-4]
    ours = [record for record in caplog.records if record.name.startswith("service")]
    told_keys = [getattr(record, "fields", {}).get("key_id") for record in ours]
    assert told_keys == [key.id, None, None, None]
    assert secret not in "\n".join(str(record.__dict__) for record in ours)
    assert secret not in told
    assert guarded.keys.all()[0].digest not in logged + told


def test_a_page_of_a_listed_origin_may_call_and_read(service_settings: ServiceSettings) -> None:
    origin = "https://app.example"
    settings = service_settings.model_copy(update={"cors_origins": (origin,)})
    with guarding(settings) as guarded:
        http = guarded.live.http
        asked = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, idempotency-key, prefer",
        }
        assert http.options("/v1/jobs", headers=asked).headers["access-control-allow-origin"]
        strange = http.options("/v1/jobs", headers={**asked, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in strange.headers
        refused = http.get(NOWHERE, headers={"Origin": origin})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == origin
        exposed = refused.headers["access-control-expose-headers"].lower()
        for name in ("etag", "location", "retry-after", "ratelimit", "idempotent-replayed"):
            assert name in exposed


def test_no_origin_is_allowed_unless_listed(guarded: Guarded) -> None:
    response = guarded.live.http.get("/livez", headers={"Origin": "https://app.example"})
    assert "access-control-allow-origin" not in response.headers


def test_an_open_system_requires_no_key_and_sees_only_its_own_jobs(
    service_settings: ServiceSettings, store: JobStore, settings: Settings
) -> None:
    store.accept(own := new_job())
    store.accept(foreign := new_job(tenant="acme"))
    with serving(service_settings) as live:
        assert live.http.get(f"/v1/jobs/{own.id}").is_success
        assert live.http.get(f"/v1/jobs/{foreign.id}").status_code == 404
