"""An upload into the real stores, also when one is down or the caller disconnects."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from jobs.job import JobStatus, Priority
from jobs.queue import JobQueue, create_celery, queue_name
from jobs.s3.object_store import ObjectStorage
from jobs.s3.paths import audio_key, portrait_key, request_key
from jobs.settings import Settings
from jobs.valkey.job_store import JobStore
from service.dependencies import Components
from service.settings import ServiceSettings
from tests.integration.service.conftest import LiveService, serving
from tests.service_examples import upload
from tests.waiting import PATIENCE, wait_for

EXAMPLES = Path(__file__).parents[3] / "examples"
NORMAL_QUEUE = queue_name(Priority.NORMAL)
NOWHERE = "127.0.0.1:1"


def a_real_upload() -> dict[str, bytes]:
    return {
        "portrait": (EXAMPLES / "portrait.jpg").read_bytes(),
        "audio": (EXAMPLES / "speech.wav").read_bytes(),
    }


def keys(storage: ObjectStorage) -> set[str]:
    return {stored.key for stored in storage.objects("jobs/")}


def jobs_known(store: JobStore) -> int:
    return sum(store.counts().values())


def messages(settings: Settings) -> int:
    with Redis.from_url(settings.valkey_url) as client:
        return int(client.llen(NORMAL_QUEUE))


def test_an_upload_is_stored_recorded_and_queued(
    live: LiveService, service_settings: ServiceSettings, store: JobStore, storage: ObjectStorage
) -> None:
    files = a_real_upload()
    response = live.http.post("/v1/jobs", files=files, data={"consent": "true", "seed": "7"})
    assert response.status_code == 202, response.text
    job = store.get(response.json()["id"])
    assert (job.status, job.options.seed) == (JobStatus.QUEUED, 7)
    assert response.json()["queue_position"] == 1
    assert keys(storage) == {portrait_key(job.id), audio_key(job.id), request_key(job.id)}
    assert storage.get(portrait_key(job.id)) == files["portrait"]
    assert storage.get(audio_key(job.id)) == files["audio"]
    assert storage.get(request_key(job.id)).decode() == job.model_dump_json()
    assert messages(service_settings) == 1
    assert live.http.get(response.headers["location"]).json() == response.json()


def test_without_the_storage_an_upload_is_refused_and_not_recorded(
    service_settings: ServiceSettings, store: JobStore
) -> None:
    broken = service_settings.model_copy(update={"s3_endpoint_url": f"http://{NOWHERE}"})
    with serving(broken) as live:
        response = live.http.post("/v1/jobs", files=upload())
        readiness = live.http.get("/readyz").json()
    assert (response.status_code, response.json()["code"]) == (503, "storage_unavailable")
    assert response.headers["retry-after"] == "5"
    assert jobs_known(store) == messages(service_settings) == 0
    assert readiness["components"] == {"store": True, "storage": False}


def test_without_its_bucket_the_service_is_not_ready(service_settings: ServiceSettings) -> None:
    broken = service_settings.model_copy(update={"s3_bucket": "elsewhere"})
    with serving(broken) as live:
        response = live.http.get("/readyz")
    assert (response.status_code, response.json()["code"]) == (503, "not_ready")
    assert response.json()["components"] == {"store": True, "storage": False}


def test_without_the_store_an_upload_is_rejected_and_leaves_no_object(
    service_settings: ServiceSettings, storage: ObjectStorage
) -> None:
    broken = service_settings.model_copy(update={"valkey_url": f"redis://{NOWHERE}/0"})
    with serving(broken) as live:
        response = live.http.post("/v1/jobs", files=upload())
        readiness = live.http.get("/readyz").json()
    assert (response.status_code, response.json()["code"]) == (503, "store_unavailable")
    assert response.headers["retry-after"] == "5"
    assert keys(storage) == set()
    assert readiness["components"] == {"store": False, "storage": True}


def test_without_the_broker_alone_an_upload_is_accepted_and_due_for_dispatch(
    service_settings: ServiceSettings, store: JobStore, storage: ObjectStorage
) -> None:
    nowhere = service_settings.model_copy(update={"valkey_url": f"redis://{NOWHERE}/0"})
    components = Components.wire(service_settings, store, storage, JobQueue(create_celery(nowhere)))
    with serving(service_settings, components) as live:
        response = live.http.post("/v1/jobs", files=upload())
    assert response.status_code == 202
    assert store.get(response.json()["id"]).status is JobStatus.QUEUED
    assert len(keys(storage)) == 3


def test_an_oversized_file_is_cut_off_and_leaves_nothing(
    service_settings: ServiceSettings, store: JobStore, storage: ObjectStorage
) -> None:
    small = service_settings.model_copy(
        update={"portrait_max_bytes": 1_000_000, "audio_max_bytes": 1_000_000}
    )

    def stream() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
        for _ in range(400):
            yield bytes(100_000)

    with serving(small) as live:
        response = live.http.post(
            "/v1/jobs",
            content=stream(),
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
    assert (response.status_code, response.json()["code"]) == (413, "audio_too_large")
    assert jobs_known(store) == 0
    assert keys(storage) == set()


def test_a_declared_length_over_the_limit_is_refused_before_the_body_is_sent(
    live: LiveService,
) -> None:
    with socket.create_connection(("127.0.0.1", live.port), timeout=PATIENCE) as caller:
        caller.sendall(
            b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 99000000\r\n\r\n"
        )
        assert caller.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_caller_that_disconnects_while_sending_leaves_nothing(
    live: LiveService, store: JobStore, storage: ObjectStorage
) -> None:
    body = live.http.build_request("POST", "/v1/jobs", files=upload())
    content = body.read()
    before = live.answered(400)
    with socket.create_connection(("127.0.0.1", live.port), timeout=PATIENCE) as caller:
        caller.sendall(_head(body.headers["content-type"], len(content)) + content[:-100])
    wait_for(lambda: live.answered(400) == before + 1)
    assert jobs_known(store) == 0
    assert keys(storage) == set()


def test_a_caller_that_disconnects_while_files_are_stored_leaves_nothing(
    service_settings: ServiceSettings, store: JobStore, storage: ObjectStorage
) -> None:
    slow = SlowStorage.connect(service_settings)
    components = Components.wire(
        service_settings, store, slow, JobQueue(create_celery(service_settings))
    )
    with serving(service_settings, components) as live:
        body = live.http.build_request("POST", "/v1/jobs", files=upload())
        content = body.read()
        with socket.create_connection(("127.0.0.1", live.port), timeout=PATIENCE) as caller:
            caller.sendall(_head(body.headers["content-type"], len(content)) + content)
            wait_for(slow.is_asked.is_set)
        wait_for(lambda: not live.has_connections())
        slow.may_go_on.set()
        wait_for(lambda: live.answered(400))
    assert jobs_known(store) == 0
    assert keys(storage) == set()


class SlowStorage(ObjectStorage):
    """Blocks before it stores anything."""

    is_asked = threading.Event()
    may_go_on = threading.Event()

    def put(self, key: str, data: bytes | Path, content_type: str) -> None:
        self.is_asked.set()
        assert self.may_go_on.wait(PATIENCE)
        super().put(key, data, content_type)


def _head(content_type: str, length: int) -> bytes:
    return (
        f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize("name", ["portrait", "audio"])
def test_an_unusable_file_is_rejected_and_leaves_nothing(
    live: LiveService, store: JobStore, storage: ObjectStorage, name: str
) -> None:
    response = live.http.post("/v1/jobs", files=upload(**{name: b"nothing of the kind"}))
    assert (response.status_code, response.json()["code"]) == (422, f"{name}_unreadable")
    assert jobs_known(store) == 0
    assert keys(storage) == set()
