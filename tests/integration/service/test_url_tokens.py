"""URLs that read without an API key: a job's video, and what a browser's token covers."""

from collections.abc import Iterator

import httpx
import pytest

from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import video_key
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from service.settings import ServiceSettings
from tests.integration.service.callers import Guarded, bearer, guarding
from tests.jobs_examples import new_job, result_of
from tests.loopback import loopback


@pytest.fixture(scope="module")
def guarded_service(addresses: Settings) -> Iterator[Guarded]:
    with guarding(ServiceSettings(**addresses.model_dump())) as guarded:
        yield guarded


@pytest.fixture
def guarded(guarded_service: Guarded, settings: Settings) -> Guarded:
    """The module's service, which asks for keys; its stores are empty."""
    return guarded_service


def finished(store: JobStore, storage: ObjectStorage, tenant: str, key_id: str) -> str:
    """Record a job with a video and return its path."""
    job = new_job(tenant=tenant, key_id=key_id)
    store.accept(job)
    store.claim(job.id)
    storage.put(video_key(job.id, 1), b"the video", "video/mp4")
    store.finish(job.id, 1, result_of(job.id, 1))
    return f"/v1/jobs/{job.id}"


def token_of(guarded: Guarded, key: str, **wanted: object) -> str:
    response = guarded.live.http.post("/v1/tokens", json=wanted, headers=bearer(key))
    assert response.status_code == 201, response.text
    token: str = response.json()["token"]
    return token


def test_the_url_of_a_video_plays_it_until_the_key_is_revoked(
    guarded: Guarded, store: JobStore, storage: ObjectStorage
) -> None:
    key, text = guarded.keys.create("acme")
    job = guarded.live.http.get(finished(store, storage, "acme", key.id), headers=bearer(text))
    url = job.json()["video_url"]
    assert url.startswith(str(guarded.live.http.base_url).rstrip("/"))
    played = loopback.get(url, headers={"Range": "bytes=4-"})
    assert (played.status_code, played.content) == (206, b"video")
    assert played.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert httpx.head(url).headers["Content-Length"] == "9"
    assert loopback.get(url.replace("/video?", "/landmarks?")).status_code == 404
    guarded.keys.revoke(key.id)
    assert loopback.get(url).json()["code"] == "key_invalid"


def test_a_token_for_one_job_reads_nothing_else(
    guarded: Guarded, store: JobStore, storage: ObjectStorage
) -> None:
    key, text = guarded.keys.create("acme")
    path, other = (finished(store, storage, "acme", key.id) for _ in range(2))
    token = token_of(guarded, text, job_id=path.rpartition("/")[2])
    http = guarded.live.http
    assert http.get(path, params={"token": token}).json()["status"] == "succeeded"
    assert "event: job" in http.get(f"{path}/events", params={"token": token}).text
    for method, where in (("GET", other), ("GET", "/v1/jobs"), ("DELETE", path)):
        assert http.request(method, where, params={"token": token}).status_code == 401, where
    assert http.get(path, params={"token": f"{token}x"}).status_code == 401


def test_a_token_reads_all_jobs_of_its_tenant_and_no_others(
    guarded: Guarded, store: JobStore, storage: ObjectStorage
) -> None:
    key, text = guarded.keys.create("acme")
    path = finished(store, storage, "acme", key.id)
    strange = finished(store, storage, "other", "none")
    token, http = token_of(guarded, text), guarded.live.http
    assert len(http.get("/v1/jobs", params={"token": token}).json()["jobs"]) == 1
    assert http.get(path, params={"token": token}).is_success
    assert http.get(strange, params={"token": token}).status_code == 404
    assert http.get("/v1/jobs/job_x", params={"token": token}).status_code == 404
    refused = http.post("/v1/tokens", json={"job_id": strange[9:]}, headers=bearer(text))
    assert refused.status_code == 404
