import json
import socket
import time
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from hashlib import md5
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from deploy.standalone.processes import SeaweedServer
from jobs.errors import ObjectNotFound, StorageUnavailable
from jobs.metrics import StorageMetrics
from jobs.s3.object_store import PROBE_TIMEOUT, ObjectStorage
from jobs.settings import Settings
from tests.loopback import loopback
from tests.servers import Answer, LocalServer, content, serving
from tests.waiting import wait_for

KEY = "jobs/job_a/inputs/portrait"


def test_bytes_come_back_as_they_were_put(storage: ObjectStorage) -> None:
    storage.put(KEY, b"\x00face\xff", "image/png")
    assert storage.get(KEY) == b"\x00face\xff"
    assert storage.size(KEY) == 6


def test_a_second_put_replaces_the_first(storage: ObjectStorage) -> None:
    storage.put(KEY, b"first", "text/plain")
    storage.put(KEY, b"second", "text/plain")
    assert storage.get(KEY) == b"second"


def test_a_file_larger_than_one_part_comes_back(storage: ObjectStorage, tmp_path: Path) -> None:
    video = bytes(range(256)) * 40_000  # 10 MB: sent in two parts
    (tmp_path / "in.mp4").write_bytes(video)
    storage.put("jobs/job_a/attempts/1/video.mp4", tmp_path / "in.mp4", "video/mp4")
    storage.download("jobs/job_a/attempts/1/video.mp4", tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == video


def test_a_range_is_streamed_with_both_ends_included(storage: ObjectStorage) -> None:
    storage.put(KEY, b"0123456789", "text/plain")
    assert b"".join(storage.stream(KEY)) == b"0123456789"
    assert b"".join(storage.stream(KEY, 2, 4)) == b"234"
    assert b"".join(storage.stream(KEY, 7)) == b"789"


def test_a_large_object_is_streamed_in_chunks(storage: ObjectStorage) -> None:
    storage.put(KEY, b"x" * 1_000_000, "text/plain")
    chunks = list(storage.stream(KEY))
    assert len(chunks) > 1
    assert sum(map(len, chunks)) == 1_000_000


def test_a_missing_object_is_not_found(storage: ObjectStorage, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFound, match="jobs/none"):
        storage.get("jobs/none")
    with pytest.raises(ObjectNotFound):
        storage.size("jobs/none")
    with pytest.raises(ObjectNotFound):
        storage.stream("jobs/none")
    with pytest.raises(ObjectNotFound):
        storage.download("jobs/none", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_deleting_a_prefix_keeps_other_objects(storage: ObjectStorage) -> None:
    for key in (
        "jobs/job_a/inputs/portrait",
        "jobs/job_a/inputs/audio",
        "jobs/job_ab/inputs/audio",
    ):
        storage.put(key, b"x", "text/plain")
    storage.delete_prefix("jobs/job_a/")
    assert [item.key for item in storage.objects("jobs/")] == ["jobs/job_ab/inputs/audio"]


def test_no_folder_is_left_of_what_was_deleted(storage: ObjectStorage) -> None:
    kept = "jobs/job_a/attempts/1/"
    for key in ("inputs/request.json", "inputs/audio", "attempts/1/video.mp4", "attempts/2/a/b"):
        storage.put(f"jobs/job_a/{key}", b"x", "text/plain")
    storage.delete_prefix("jobs/job_a/", keep=kept)
    assert list(storage.prefixes("jobs/job_a/")) == [["jobs/job_a/attempts/"]]
    assert list(storage.prefixes("jobs/job_a/attempts/")) == [[kept]]
    storage.delete_prefix("jobs/job_a/")
    assert list(storage.prefixes("jobs/")) == []


def test_folders_without_objects_are_deleted(storage: ObjectStorage) -> None:
    keys = ["jobs/job_a/inputs/audio", "jobs/job_a/attempts/1/video.mp4"]
    for key in keys:
        storage.put(key, b"x", "text/plain")
    storage._delete(keys)
    storage.delete_folders("jobs/job_a/")
    assert list(storage.prefixes("jobs/")) == []


def test_a_folder_with_objects_is_kept(storage: ObjectStorage) -> None:
    storage.put(KEY, b"x", "text/plain")
    storage.delete_folders("jobs/")
    assert storage.get(KEY) == b"x"


def test_the_journal_entry_is_deleted_first(
    storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("audio", "portrait", "request.json"):
        storage.put(f"jobs/job_a/inputs/{name}", b"x", "text/plain")
    delete = storage._delete

    def die_after_the_first(keys: list[str]) -> None:
        delete(keys)
        raise StorageUnavailable("killed")

    monkeypatch.setattr(storage, "_delete", die_after_the_first)
    with pytest.raises(StorageUnavailable):
        storage.delete_prefix("jobs/job_a/")
    left = [item.key for item in storage.objects("jobs/")]
    assert left == ["jobs/job_a/inputs/audio", "jobs/job_a/inputs/portrait"]


def test_old_incomplete_uploads_are_aborted(
    storage: ObjectStorage,
) -> None:
    client, bucket = storage._client, storage._bucket
    client.create_multipart_upload(Bucket=bucket, Key="jobs/job_a/attempts/1/video.mp4")
    begun = datetime.now(UTC)
    assert storage.abort_uploads(begun - timedelta(hours=1)) == 0
    assert storage.abort_uploads(begun + timedelta(hours=1)) == 1
    assert storage.abort_uploads(begun + timedelta(hours=1)) == 0


def test_a_listing_of_prefixes_continues_after_any_of_them(storage: ObjectStorage) -> None:
    names = {"A", "_", "a", "a-", "a0", "ab", "b"}  # some sort just before or after "a/"
    for name in names:
        for key in ("inputs/audio", "inputs/portrait"):
            storage.put(f"jobs/{name}/{key}", b"x", "text/plain")
    (found,) = storage.prefixes("jobs/")
    assert set(found) == {f"jobs/{name}/" for name in names}
    for number, prefix in enumerate(found, start=1):
        pages = list(storage.prefixes("jobs/", after=prefix))
        assert [each for page in pages for each in page] == found[number:]


def test_deleting_a_missing_prefix_is_no_error(storage: ObjectStorage) -> None:
    storage.delete_prefix("jobs/job_none/")


def test_objects_are_listed_with_size_and_time(storage: ObjectStorage) -> None:
    storage.put(KEY, b"four", "text/plain")
    (item,) = storage.objects("jobs/")
    assert (item.key, item.size) == (KEY, 4)
    assert abs(item.modified_at.timestamp() - time.time()) < 60


def test_a_presigned_url_is_read_without_credentials(storage: ObjectStorage) -> None:
    storage.put(KEY, b"face", "image/png")
    response = loopback.get(storage.presigned_url(KEY, 60, content_type="image/png"))
    assert (response.status_code, response.content) == (200, b"face")
    assert response.headers["content-type"] == "image/png"


def test_a_presigned_url_sets_name_and_content_type(storage: ObjectStorage) -> None:
    storage.put(KEY, b"face", "image/png")
    disposition = 'attachment; filename="job_a.mp4"'
    url = storage.presigned_url(KEY, 60, content_type="video/mp4", disposition=disposition)
    headers = loopback.get(url).headers
    assert headers["content-type"] == "video/mp4"
    assert headers["content-disposition"] == disposition
    assert loopback.get(url.replace("video%2Fmp4", "text%2Fhtml")).status_code == 403


def test_a_presigned_url_is_valid_for_its_key_only(storage: ObjectStorage) -> None:
    storage.put(KEY, b"face", "image/png")
    storage.put("jobs/job_b/inputs/portrait", b"other", "image/png")
    url = storage.presigned_url(KEY, 60)
    assert loopback.get(url.replace("job_a", "job_b")).status_code == 403
    assert loopback.get(url.split("?")[0]).status_code == 403


def test_a_presigned_url_expires(storage: ObjectStorage) -> None:
    storage.put(KEY, b"face", "image/png")
    url = storage.presigned_url(KEY, 3)
    assert loopback.get(url).status_code == 200
    wait_for(lambda: loopback.get(url).status_code == 403)


def test_a_missing_bucket_is_unavailable(s3_settings: Settings) -> None:
    storage = ObjectStorage.connect(s3_settings.model_copy(update={"s3_bucket": "amigo-fresh"}))
    with pytest.raises(StorageUnavailable, match="no bucket amigo-fresh"):
        storage.ping()


def test_a_probe_leaves_no_object(storage: ObjectStorage) -> None:
    storage.ping()
    assert list(storage.objects("")) == []


def test_a_bucket_that_refuses_objects_is_unavailable(s3_settings: Settings) -> None:
    def only_read(handler: BaseHTTPRequestHandler) -> None:
        content(b"", 507 if handler.command == "PUT" else 200)(handler)

    with serving(only_read) as server:
        through = s3_settings.model_copy(update={"s3_endpoint_url": server.url})
        with pytest.raises(StorageUnavailable):
            ObjectStorage.connect(through).ping()
        assert [asked.method for asked in server.asked] == ["HEAD", "PUT"]


def test_a_probe_waits_for_seconds_only(s3_settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        storage = ObjectStorage.connect(s3_settings.model_copy(update={"s3_endpoint_url": address}))
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            storage.ping()
    assert time.monotonic() - began < 2 * PROBE_TIMEOUT


def test_wrong_credentials_are_unavailable(s3_settings: Settings) -> None:
    wrong = s3_settings.model_copy(update={"s3_secret_key": SecretStr("wrong")})
    storage = ObjectStorage.connect(wrong)
    with pytest.raises(StorageUnavailable):
        storage.put(KEY, b"x", "text/plain")
    with pytest.raises(StorageUnavailable):
        storage.ping()


def test_a_dead_object_store_is_unavailable_within_seconds(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        storage = ObjectStorage.connect(
            Settings(s3_endpoint_url=f"http://127.0.0.1:{bound.getsockname()[1]}")
        )
        for call in (
            lambda: storage.put(KEY, b"x", "text/plain"),
            lambda: storage.put(KEY, tmp_path / "file", "text/plain"),
            lambda: storage.get(KEY),
            lambda: storage.download(KEY, tmp_path / "out"),
            lambda: storage.size(KEY),
            lambda: storage.stream(KEY),
            lambda: list(storage.objects("jobs/")),
            lambda: storage.delete_prefix("jobs/job_a/"),
            storage.ping,
        ):
            began = time.monotonic()
            with pytest.raises(StorageUnavailable):
                call()
            assert time.monotonic() - began < 3.0


def test_an_object_store_that_dies_while_it_streams_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        storage = ObjectStorage.connect(
            Settings(s3_endpoint_url=f"http://127.0.0.1:{server.getsockname()[1]}")
        )
        thread = Thread(target=answer_half, args=(server,))
        thread.start()
        chunks = storage.stream(KEY)
        with pytest.raises(StorageUnavailable):
            list(chunks)
        thread.join()


def answer_half(server: socket.socket) -> None:
    """Declare ten bytes, send five and disconnect."""
    connection, _ = server.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 10\r\n\r\n01234")


def test_buckets_are_addressed_by_path(storage: ObjectStorage) -> None:
    parts = urlsplit(storage.presigned_url(KEY, 60))
    assert parts.hostname == "127.0.0.1"
    assert parts.path == f"/amigo/{KEY}"


def test_a_strict_server_deletes(storage: ObjectStorage, s3_settings: Settings) -> None:
    storage.put(KEY, b"face", "image/png")
    with serving(content(b"")) as proxy:
        proxy.answer = strict(proxy, s3_settings.s3_endpoint_url)
        through = s3_settings.model_copy(update={"s3_endpoint_url": proxy.url})
        ObjectStorage.connect(through).delete_prefix("jobs/job_a/")
        deletion = proxy.asked[-1]
    assert deletion.headers["content-md5"] == b64encode(md5(deletion.body).digest()).decode()
    assert "x-amz-checksum-crc32" not in deletion.headers
    assert not list(storage.objects("jobs/job_a/"))


def test_objects_that_the_server_does_not_delete_are_reported(s3_settings: Settings) -> None:
    listing = b"<ListBucketResult><Contents><Key>jobs/job_a/x</Key><Size>1</Size></Contents>"
    kept = b"<Error><Key>jobs/job_a/x</Key><Message>Locked.</Message></Error>"
    responses = iter(
        [listing + b"</ListBucketResult>", b"<DeleteResult>" + kept + b"</DeleteResult>"]
    )
    with serving(lambda handler: content(next(responses))(handler)) as server:
        through = s3_settings.model_copy(update={"s3_endpoint_url": server.url})
        with pytest.raises(StorageUnavailable, match="1 objects were not deleted: jobs/job_a/x"):
            ObjectStorage.connect(through).delete_prefix("jobs/job_a/")


def strict(proxy: LocalServer, endpoint_url: str) -> Answer:
    """Forward requests to an S3 server, but refuse a DeleteObjects without Content-MD5."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.command == "POST" and "Content-MD5" not in handler.headers:
            content(b"<Error><Code>MissingContentMD5</Code></Error>", 400)(handler)
            return
        upstream = HTTPConnection(urlsplit(endpoint_url).netloc)
        body, headers = proxy.asked[-1].body, dict(handler.headers)
        upstream.request(handler.command, handler.path, body, headers)
        response = upstream.getresponse()
        content(response.read(), response.status)(handler)
        upstream.close()

    return answer


def test_requests_are_counted_by_operation_and_outcome(s3_settings: Settings) -> None:
    def count(operation: str, outcome: str) -> float | None:
        labels = {"operation": operation, "outcome": outcome}
        return registry.get_sample_value("amigo_s3_request_seconds_count", labels)

    registry = CollectorRegistry()
    metrics = StorageMetrics(registry)
    storage = ObjectStorage.connect(s3_settings)
    storage.measure(metrics)
    storage.put(KEY, b"bytes", "text/plain")
    with pytest.raises(ObjectNotFound):
        storage.get("jobs/none")
    gone = ObjectStorage.connect(
        s3_settings.model_copy(update={"s3_endpoint_url": "http://127.0.0.1:1"})
    )
    gone.measure(metrics)
    with pytest.raises(StorageUnavailable):
        gone.put(KEY, b"bytes", "text/plain")
    assert count("PutObject", "ok") == 1
    assert count("GetObject", "refused") == 1
    assert count("PutObject", "failed") == 1


def test_without_keys_the_credentials_are_those_of_the_containers_role(
    s3: SeaweedServer, s3_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    role = {
        "AccessKeyId": s3.access_key,
        "SecretAccessKey": s3.secret_key,
        "Token": "",
        "Expiration": "2100-01-01T00:00:00Z",
    }
    with serving(content(json.dumps(role).encode())) as agent:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{agent.url}/role")
        keyless = s3_settings.model_copy(update={"s3_access_key": ""})
        ObjectStorage.connect(keyless).ping()
        assert [asked.path for asked in agent.asked] == ["/role"]
