"""Jobs created over HTTP, in the real stores: once for each key, in batches, and listed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import httpx
import pytest
from redis import Redis

from jobs.errors import StorageUnavailable
from jobs.job import Priority
from jobs.queue import JobQueue, create_celery, queue_name
from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings
from jobs.valkey.idempotency import holder_key
from jobs.valkey.job_store import JobStore
from jobs.valkey.listing import JobFilter
from service.dependencies import Components
from service.settings import ServiceSettings
from tests.integration.service.callers import guarding
from tests.integration.service.conftest import LiveService, serving
from tests.jobs_examples import new_job, result_of
from tests.loopback import loopback
from tests.service_examples import Files, upload
from tests.waiting import PATIENCE, wait_for

FACE, SPEECH = "https://example.org/face.jpg", "https://example.org/speech.wav"
REQUEST = {"portrait_url": FACE, "audio_url": SPEECH, "consent": True}
KEY = {"Idempotency-Key": "order-4711"}


@pytest.fixture
def twins(service_settings: ServiceSettings) -> Iterator[list[LiveService]]:
    """Two services on the same stores."""
    with serving(service_settings) as one, serving(service_settings) as other:
        yield [one, other]


def post_at_once(services: list[LiveService], files: Files, count: int) -> list[httpx.Response]:
    """Return the responses to requests that many callers send at the same moment."""
    barrier = Barrier(count)

    def post(number: int) -> httpx.Response:
        port = services[number % len(services)].port
        barrier.wait()
        url = f"http://127.0.0.1:{port}/v1/jobs"
        return loopback.post(url, files=files, headers=KEY)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(post, range(count)))


def messages(settings: Settings, priority: Priority = Priority.NORMAL) -> int:
    with Redis.from_url(settings.valkey_url) as client:
        return int(client.llen(queue_name(priority)))


def jobs_known(store: JobStore) -> int:
    return sum(store.counts().values())


def test_of_concurrent_requests_with_one_key_one_creates_the_job(
    twins: list[LiveService],
    service_settings: ServiceSettings,
    store: JobStore,
    storage: ObjectStorage,
) -> None:
    responses = post_at_once(twins, upload(), 16)
    assert {response.status_code for response in responses} == {202}
    assert len({response.json()["id"] for response in responses}) == 1
    assert [response.headers.get("idempotent-replayed") for response in responses].count(None) == 1
    assert jobs_known(store) == messages(service_settings) == 1
    assert len(list(storage.objects("jobs/"))) == 3


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_request_waits_for_the_one_in_progress_with_its_key(
    service_settings: ServiceSettings, store: JobStore, is_refused: bool
) -> None:
    storage = HeldStorage.connect(service_settings)
    queue = JobQueue(create_celery(service_settings))
    held = Components.wire(service_settings, store, storage, queue)
    place = holder_key("local", KEY["Idempotency-Key"])
    with (
        Redis.from_url(service_settings.valkey_url) as client,
        serving(service_settings, held) as one,
        serving(service_settings) as other,
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(one.http.post, "/v1/jobs", files=upload(), headers=KEY)
        wait_for(storage.is_asked.is_set)
        asked = client.info("commandstats")["cmdstat_set"]["calls"]
        second = pool.submit(other.http.post, "/v1/jobs", files=upload(), headers=KEY)
        wait_for(lambda: client.info("commandstats")["cmdstat_set"]["calls"] >= asked + 3)
        assert not second.done()
        assert client.exists(place)
        storage.is_full = is_refused
        storage.may_go_on.set()
        statuses = [first.result().status_code, second.result().status_code]
    assert statuses == [503 if is_refused else 202, 202]
    assert ("idempotent-replayed" in second.result().headers) is not is_refused
    assert jobs_known(store) == 1


class HeldStorage(ObjectStorage):
    """Blocks before it stores anything, or reports that the disk is full."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self.is_asked, self.may_go_on = Event(), Event()
        self.is_full = False

    def put(self, key: str, data: bytes | Path, content_type: str) -> None:
        self.is_asked.set()
        assert self.may_go_on.wait(PATIENCE)
        if self.is_full:
            raise StorageUnavailable("disk full")
        super().put(key, data, content_type)


def test_rejected_requests_do_not_keep_their_key(
    twins: list[LiveService],
    store: JobStore,
    storage: ObjectStorage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.intake.submissions.KEY_WAIT", 120.0)  # they wait for each other
    responses = post_at_once(twins, upload(portrait=b"no picture"), 8)
    assert {response.json()["code"] for response in responses} == {"portrait_unreadable"}
    assert twins[0].http.post("/v1/jobs", files=upload(), headers=KEY).status_code == 202
    assert jobs_known(store) == 1
    assert len(list(storage.objects("jobs/"))) == 3


def test_a_key_used_for_another_request_is_refused(live: LiveService, store: JobStore) -> None:
    live.http.post("/v1/jobs", files=upload(), headers=KEY)
    response = live.http.post("/v1/jobs", files=upload(seed="1"), headers=KEY)
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_conflict")
    assert jobs_known(store) == 1


def test_a_request_whose_key_stays_in_progress_is_rejected(
    live: LiveService, service_settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.intake.submissions.KEY_WAIT", 0.0)
    live.http.post("/v1/jobs", files=upload(), headers=KEY)
    place = holder_key("local", KEY["Idempotency-Key"])
    with Redis.from_url(service_settings.valkey_url, decode_responses=True) as client:
        holder = str(client.get(place))
        client.set(place, holder.replace('"is_confirmed":true', '"is_confirmed":false'))
    response = live.http.post("/v1/jobs", files=upload(), headers=KEY)
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_in_progress")
    assert response.headers["retry-after"] == "5"


def test_prefer_wait_responds_when_the_job_ends(live: LiveService, store: JobStore) -> None:
    with ThreadPoolExecutor(1) as pool:
        headers = {"Prefer": "wait=15"}
        posting = pool.submit(live.http.post, "/v1/jobs", files=upload(), headers=headers)
        wait_for(lambda: jobs_known(store))
        (job,) = store.page("local", wanted=JobFilter(), limit=2, start=None).jobs
        wait_for(lambda: live.is_followed(job.id))
        store.claim(job.id)
        store.finish(job.id, 1, result_of(job.id, 1))
        response = posting.result()
    assert (response.status_code, response.json()["status"]) == (200, "succeeded")
    assert response.headers["preference-applied"] == "wait=15"
    assert response.elapsed.total_seconds() < 15


def test_a_batch_waits_in_the_queues_of_its_priorities(
    live: LiveService, service_settings: ServiceSettings, store: JobStore
) -> None:
    batch = [{**REQUEST, "priority": each} for each in ("low", "high", "urgent", "low")]
    response = live.http.post("/v1/jobs/batch", json={"jobs": batch}, headers=KEY)
    results = response.json()["results"]
    assert [result["status"] for result in results] == [202, 202, 422, 202]
    jobs = [result["job"]["id"] for result in results if "job" in result]
    positions = [store.reading(job_id).estimate.position for job_id in jobs]
    assert positions == [2, 1, 3]
    assert messages(service_settings, Priority.LOW) == 2
    assert messages(service_settings, Priority.HIGH) == 1
    again = live.http.post("/v1/jobs/batch", json={"jobs": batch}, headers=KEY).json()["results"]
    ids = [[each["job"]["id"] for each in both if "job" in each] for both in (results, again)]
    assert ids[0] == ids[1]
    assert jobs_known(store) == 3


def test_jobs_are_listed_newest_first_in_pages(live: LiveService, store: JobStore) -> None:
    ids = []
    for _ in range(3):
        job = new_job()
        store.accept(job)
        ids.append(job.id)
    first = live.http.get("/v1/jobs", params={"limit": 2}).json()
    second = live.http.get("/v1/jobs", params={"cursor": first["next_cursor"]}).json()
    assert [job["id"] for job in first["jobs"] + second["jobs"]] == ids[::-1]
    assert first["jobs"][0] == live.http.get(f"/v1/jobs/{ids[2]}").json()
    assert second["next_cursor"] is None


def test_a_list_contains_the_jobs_that_match_all_filters(
    live: LiveService, store: JobStore
) -> None:
    jobs = [new_job(metadata={"order.id": str(number)}) for number in range(3)]
    for job in jobs:
        store.accept(job)
    store.cancel(jobs[1].id)

    def listed(**params: object) -> list[int]:
        response = live.http.get("/v1/jobs", params=params)  # type: ignore[arg-type]
        assert response.status_code == 200, response.text
        return [[job.id for job in jobs].index(each["id"]) for each in response.json()["jobs"]]

    assert listed() == [2, 1, 0]
    assert listed(status="queued") == [2, 0]
    assert listed(status=["canceled", "failed"]) == [1]
    assert listed(**{"metadata.order.id": "2"}) == [2]
    assert listed(**{"metadata[order.id]": "1"}, status="queued") == []
    assert listed(created_after=jobs[0].created_at.isoformat()) == [2, 1]
    assert listed(created_before=jobs[2].created_at.isoformat(), status="queued") == [0]


def test_keys_lists_and_assets_belong_to_their_tenant(service_settings: ServiceSettings) -> None:
    with guarding(service_settings) as guarded:
        one, other = guarded.key("one"), guarded.key("other")
        http = guarded.live.http
        jobs = [
            http.post("/v1/jobs", json=REQUEST, headers={**key, **KEY}).json()["id"]
            for key in (one, other, one)
        ]
        lists = [http.get("/v1/jobs", headers=key).json()["jobs"] for key in (one, other)]
        wanted = {"kind": "portrait", "size": 100, "content_type": "image/jpeg"}
        asset = http.post("/v1/assets", json=wanted, headers=one).json()["id"]
        request = {"portrait_asset": asset, "audio_url": SPEECH, "consent": True}
        responses = [http.post("/v1/jobs", json=request, headers=key) for key in (one, other)]
    assert jobs[0] == jobs[2] != jobs[1]
    assert [[job["id"] for job in jobs] for jobs in lists] == [jobs[:1], jobs[1:2]]
    codes = [response.json()["code"] for response in responses]
    assert codes == ["asset_not_uploaded", "asset_not_found"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("staus", "queued"),
        ("status", "done"),
        ("limit", "0"),
        ("limit", "101"),
        ("cursor", "elsewhere"),
        ("created_after", "yesterday"),
        ("created_after", "2026-01-01T12:00:00"),
    ],
)
def test_an_invalid_filter_is_rejected(live: LiveService, name: str, value: str) -> None:
    response = live.http.get("/v1/jobs", params={name: value})
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    assert name in response.json()["detail"]
