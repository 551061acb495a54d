"""Jobs and videos over HTTP, from the real stores."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from jobs.errors import StorageUnavailable
from jobs.job import Job
from jobs.queue import JobQueue, create_celery
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import video_key
from jobs.valkey.job_store import JobStore
from jobs.valkey.webhook_outbox import Delivery, DeliveryStatus, WebhookOutbox
from service.dependencies import Components
from service.settings import ServiceSettings
from tests.integration.service.conftest import LiveService, serving
from tests.jobs_examples import new_job, result_of
from tests.loopback import loopback
from tests.service_examples import upload

VIDEO = bytes(range(256)) * 4096
"""A megabyte, more than one chunk of the storage."""


def finished_job(store: JobStore, storage: ObjectStorage) -> Job:
    job = new_job()
    store.accept(job)
    store.claim(job.id)
    storage.put(video_key(job.id, 1), VIDEO, "video/mp4")
    return store.finish(job.id, 1, result_of(job.id, 1))


def test_a_video_is_streamed_whole_and_in_ranges(
    live: LiveService, store: JobStore, storage: ObjectStorage
) -> None:
    path = f"/v1/jobs/{finished_job(store, storage).id}/video"
    whole = live.http.get(path)
    assert (whole.status_code, whole.content) == (200, VIDEO)
    assert whole.headers["content-length"] == str(len(VIDEO))
    part = live.http.get(path, headers={"Range": "bytes=1000-600000"})
    assert (part.status_code, part.content) == (206, VIDEO[1000:600_001])
    assert part.headers["content-range"] == f"bytes 1000-600000/{len(VIDEO)}"
    end = live.http.get(path, headers={"Range": "bytes=-5"})
    assert (end.status_code, end.content) == (206, VIDEO[-5:])
    behind = live.http.get(path, headers={"Range": f"bytes={len(VIDEO)}-"})
    assert (behind.status_code, behind.json()["code"]) == (416, "range_not_satisfiable")
    head = live.http.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(VIDEO))
    known = live.http.get(path, headers={"If-None-Match": whole.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_a_caller_that_reads_half_a_video_does_not_affect_others(
    live: LiveService, store: JobStore, storage: ObjectStorage
) -> None:
    path = f"/v1/jobs/{finished_job(store, storage).id}/video"
    with live.http.stream("GET", path) as response:
        next(response.iter_raw(1000))
    assert live.http.get(path).content == VIDEO


def test_an_interrupted_video_does_not_look_complete(
    service_settings: ServiceSettings, store: JobStore, storage: ObjectStorage
) -> None:
    path = f"/v1/jobs/{finished_job(store, storage).id}/video"
    queue = JobQueue(create_celery(service_settings))
    breaking = BreakingStorage.connect(service_settings)
    with (
        serving(
            service_settings, Components.wire(service_settings, store, breaking, queue)
        ) as live,
        pytest.raises(httpx.RemoteProtocolError, match="without sending complete"),
    ):
        live.http.get(path)


class BreakingStorage(ObjectStorage):
    """Fails after sending a chunk."""

    def stream(self, key: str, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        yield next(super().stream(key, start, end))
        raise StorageUnavailable("connection reset")


def test_a_video_whose_object_is_gone_is_not_found(
    live: LiveService, store: JobStore, storage: ObjectStorage
) -> None:
    job = finished_job(store, storage)
    storage.delete_prefix(f"jobs/{job.id}/")
    response = live.http.get(f"/v1/jobs/{job.id}/video")
    assert (response.status_code, response.json()["code"]) == (404, "result_not_found")


def test_a_public_object_store_serves_the_video(
    service_settings: ServiceSettings, store: JobStore, storage: ObjectStorage
) -> None:
    public = service_settings.model_copy(
        update={"s3_public_endpoint_url": service_settings.s3_endpoint_url}
    )
    job = finished_job(store, storage)
    with serving(public) as live:
        response = live.http.get(f"/v1/jobs/{job.id}/video?download=1", follow_redirects=True)
        (redirect,) = response.history
        assert redirect.status_code == 307
        assert response.url.copy_with(raw_path=b"/") == httpx.URL(f"{public.s3_endpoint_url}/")
        own = live.http.get(f"/v1/jobs/{job.id}/video?redirect=false")
    assert response.content == own.content == VIDEO
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["content-disposition"] == f'attachment; filename="{job.id}.mp4"'
    part = loopback.get(response.url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, VIDEO[10:20])


def test_a_job_is_posted_canceled_and_deleted(
    live: LiveService, store: JobStore, storage: ObjectStorage
) -> None:
    links = live.http.post("/v1/jobs", files=upload()).json()["links"]
    tag = live.http.get(links["self"]).headers["etag"]
    assert live.http.get(links["self"], headers={"If-None-Match": tag}).status_code == 304
    assert live.http.get(f"{links['self']}/video").json()["code"] == "video_not_ready"
    assert live.http.post(links["cancel"]).json()["status"] == "canceled"
    assert live.http.post(links["cancel"]).json()["code"] == "job_ended"
    assert live.http.get(f"{links['self']}/video").json()["code"] == "job_canceled"
    assert live.http.delete(links["self"]).status_code == 204
    assert live.http.get(links["self"]).json()["code"] == "job_not_found"
    assert list(storage.objects("jobs/")) == []


def test_a_job_reports_the_delivery_of_its_webhook(
    live: LiveService, store: JobStore, service_settings: ServiceSettings
) -> None:
    job = new_job(webhook_url="https://example.com/told")
    store.accept(job)
    path = f"/v1/jobs/{job.id}"
    assert live.http.get(path).json()["webhook"]["status"] == "pending"
    store.cancel(job.id)
    failed = Delivery(status=DeliveryStatus.RETRYING, attempts=2, reason="It answered 500.")
    WebhookOutbox.connect(service_settings).record(job.id, failed, timedelta(minutes=1))
    assert live.http.get(path).json()["webhook"] == {
        "url": "https://example.com/told",
        "events": ["job.succeeded", "job.failed", "job.canceled"],
        "status": "retrying",
        "attempts": 2,
        "reason": "It answered 500.",
    }


def test_an_id_never_leads_to_another_key(live: LiveService, store: JobStore) -> None:
    job = new_job()
    store.accept(job)
    response = live.http.get(f"/v1/jobs/{job.id}:events")
    assert (response.status_code, response.json()["code"]) == (404, "job_not_found")


def test_the_service_is_ready_and_reports_its_jobs(live: LiveService, store: JobStore) -> None:
    store.accept(new_job())
    assert live.http.get("/readyz").json() == {"store": True, "storage": True}
    assert 'amigo_jobs{status="queued"} 1.0' in live.http.get("/metrics").text
