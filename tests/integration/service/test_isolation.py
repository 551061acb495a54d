"""What belongs to one tenant does not exist for another, on every present and future route."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from jobs.job import Job
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import video_key
from jobs.settings import Settings
from jobs.valkey.api_keys import Scope
from jobs.valkey.job_store import JobStore
from service.app import GUARDED
from service.settings import ServiceSettings
from tests.integration.service.callers import Guarded, guarding
from tests.jobs_examples import new_job, result_of
from tests.loopback import loopback
from tests.service_examples import portrait, speech, upload

READING = {"GET", "HEAD"}

OPERATIONS = sorted(
    (method, route.path)
    for router in GUARDED
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods or ()
)
JOB_OPERATIONS = [each for each in OPERATIONS if "{job_id}" in each[1]]

UNREADABLE: dict[str, Any] = {"content": b"{", "headers": {"Content-Type": "application/json"}}
"""A body that must be neither reported on nor read before the API key is checked."""


@pytest.fixture(scope="module")
def guarded_service(addresses: Settings) -> Iterator[Guarded]:
    with guarding(ServiceSettings(**addresses.model_dump())) as guarded:
        yield guarded


@pytest.fixture
def guarded(guarded_service: Guarded, settings: Settings) -> Guarded:
    """The module's service, which asks for keys; its stores are empty."""
    return guarded_service


def path_of(path: str, job_id: str) -> str:
    ids = {"job_id": job_id, "asset_id": "asset_x", "test_id": "test_x"}
    return path.format(**ids, attempt=1, file="media.m3u8")


def scope_of(method: str, path: str) -> Scope:
    """Return the scope that an operation needs: that of its method, with two exceptions.

    A browser's token reads, and a webhook secret forges notifications.
    """
    if path == "/v1/tokens":
        return Scope.JOBS_READ
    if path.startswith("/v1/webhooks/"):
        return Scope.JOBS_WRITE
    return Scope.JOBS_READ if method in READING else Scope.JOBS_WRITE


def queued(store: JobStore, tenant: str) -> Job:
    job = new_job(tenant=tenant)
    store.accept(job)
    return job


def succeeded(store: JobStore, storage: ObjectStorage, tenant: str) -> Job:
    job = queued(store, tenant)
    store.claim(job.id)
    storage.put(video_key(job.id, 1), b"mp4", "video/mp4")
    return store.finish(job.id, 1, result_of(job.id, 1))


def test_every_route_of_version_one_is_guarded() -> None:
    assert ("GET", "/v1/jobs/{job_id}") in JOB_OPERATIONS
    assert all(path.startswith("/v1/") for _, path in OPERATIONS)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_route_responds_without_a_valid_key(guarded: Guarded, method: str, path: str) -> None:
    url = path_of(path, "job_x")
    missing = guarded.live.http.request(method, url, **UNREADABLE)
    assert missing.status_code == 401
    assert missing.headers["www-authenticate"] == 'Bearer realm="amigo"'
    header = {"Authorization": f"Bearer amigo_{'0' * 16}_{'a' * 43}"}
    unknown = guarded.live.http.request(method, url, headers=header)
    assert unknown.status_code == 401
    assert "invalid_token" in unknown.headers["www-authenticate"]
    if method != "HEAD":
        assert (missing.json()["code"], unknown.json()["code"]) == ("key_missing", "key_invalid")


@pytest.mark.parametrize(("method", "path"), JOB_OPERATIONS)
def test_another_tenants_job_is_not_found(
    guarded: Guarded, store: JobStore, storage: ObjectStorage, method: str, path: str
) -> None:
    jobs = [queued(store, "acme"), succeeded(store, storage, "acme"), queued(store, "local")]
    stranger = guarded.key("globex")
    for job_id in (*(job.id for job in jobs), "job_that_never_was"):
        response = guarded.live.http.request(method, path_of(path, job_id), headers=stranger)
        assert response.status_code == 404
        if method != "HEAD":
            assert response.json()["code"] == "job_not_found"
            assert job_id not in response.text
    assert [store.get(job.id) for job in jobs] == jobs


@pytest.mark.parametrize(("method", "path"), [each for each in JOB_OPERATIONS if each[0] != "HEAD"])
def test_its_own_tenants_job_is_found(
    guarded: Guarded, store: JobStore, storage: ObjectStorage, method: str, path: str
) -> None:
    job = succeeded(store, storage, "acme")
    with guarded.live.http.stream(
        method, path_of(path, job.id), headers=guarded.key("acme")
    ) as response:
        response.read()
    if response.status_code == 404:
        assert response.json()["code"] != "job_not_found"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_a_key_can_do_only_what_its_scopes_allow(
    guarded: Guarded, store: JobStore, method: str, path: str
) -> None:
    job = queued(store, "acme")
    needed = scope_of(method, path)
    (other,) = {Scope.JOBS_READ, Scope.JOBS_WRITE} - {needed}
    response = guarded.live.http.request(
        method, path_of(path, job.id), headers=guarded.key("acme", frozenset({other}))
    )
    assert response.status_code == 403
    assert f'scope="{needed}"' in response.headers["www-authenticate"]
    assert store.get(job.id) == job


def test_a_list_shows_the_tenants_own_jobs_alone(guarded: Guarded, store: JobStore) -> None:
    job = queued(store, "acme")
    queued(store, "globex")
    queued(store, "local")
    response = guarded.live.http.get("/v1/jobs", headers=guarded.key("acme"))
    assert [each["id"] for each in response.json()["jobs"]] == [job.id]


def test_another_tenants_asset_is_not_found(
    guarded: Guarded, store: JobStore, storage: ObjectStorage
) -> None:
    owner, stranger = guarded.key("acme"), guarded.key("globex")
    named = {"portrait_asset": announce(guarded, owner, storage, "portrait", portrait())}
    named |= {"audio_asset": announce(guarded, owner, storage, "audio", speech())}
    asked = {"consent": True, **named}
    refused = guarded.live.http.post("/v1/jobs", json=asked, headers=stranger)
    assert (refused.status_code, refused.json()["code"]) == (404, "asset_not_found")
    assert sum(store.counts().values()) == 0
    assert guarded.live.http.post("/v1/jobs", json=asked, headers=owner).status_code == 202


def announce(
    guarded: Guarded, key: dict[str, str], storage: ObjectStorage, kind: str, data: bytes
) -> str:
    """Register an asset, upload it, and return its id."""
    wanted = {"kind": kind, "size": len(data), "content_type": "application/octet-stream"}
    asset = guarded.live.http.post("/v1/assets", json=wanted, headers=key).json()
    put = asset["upload"]
    assert loopback.put(put["url"], content=data, headers=put["headers"]).is_success
    return str(asset["id"])


def test_tenants_do_not_share_idempotency_keys(guarded: Guarded, store: JobStore) -> None:
    made = [
        guarded.live.http.post(
            "/v1/jobs",
            files=upload(),
            headers={**guarded.key(tenant), "Idempotency-Key": "the-same"},
        )
        for tenant in ("acme", "globex", "acme")
    ]
    assert [response.status_code for response in made] == [202, 202, 202]
    first, other, again = (store.get(response.json()["id"]) for response in made)
    assert (first.tenant, other.tenant) == ("acme", "globex")
    assert again == first


def test_a_batch_fills_the_remaining_quota(guarded: Guarded, store: JobStore) -> None:
    asked = {
        "consent": True,
        "portrait_url": "https://example.com/a.jpg",
        "audio_url": "https://example.com/a.wav",
    }
    response = guarded.live.http.post(
        "/v1/jobs/batch", json={"jobs": [asked] * 3}, headers=guarded.key(concurrent_jobs=2)
    )
    assert [each["status"] for each in response.json()["results"]] == [202, 202, 429]
    assert response.json()["results"][2]["problem"]["code"] == "too_many_jobs"
    assert sum(store.counts().values()) == 2
