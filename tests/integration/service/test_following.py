"""Jobs followed over HTTP through a real server, while the real store changes them."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from redis import Redis

from jobs.job import Job, Stage
from jobs.queue import JobQueue, create_celery
from jobs.s3.object_store import ObjectStorage
from jobs.valkey.job_store import JobStore
from jobs.valkey.keys import CHANGES, events_key
from service.dependencies import Components
from service.reading import watching
from service.reading.watching import JobWatcher
from service.routes import events
from service.settings import ServiceSettings
from tests.event_stream import Told, told
from tests.integration.service.conftest import LiveService, serving
from tests.jobs_examples import FAILURE, new_job, result_of
from tests.waiting import PATIENCE, wait_for

NEVER = 3600.0
"""Seconds; longer than any test."""


@contextmanager
def followed(
    live: LiveService, job_id: str, last_event_id: str | None = None
) -> Iterator[Iterator[Told]]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    with live.http.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield told(response.iter_lines())


def queued(store: JobStore) -> Job:
    job = new_job()
    store.accept(job)
    return job


def finish(store: JobStore, job: Job) -> None:
    store.finish(job.id, 1, result_of(job.id, 1))


@pytest.fixture
def only_announcements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Followers only read again when they are woken."""
    monkeypatch.setattr(watching, "REREAD_SECONDS", NEVER)
    monkeypatch.setattr(events, "REREAD_SECONDS", NEVER)


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Followers read again all the time."""
    monkeypatch.setattr(watching, "REREAD_SECONDS", 0.05)
    monkeypatch.setattr(events, "REREAD_SECONDS", 0.05)


@pytest.mark.usefixtures("only_announcements")
def test_a_waiting_request_returns_at_the_change(live: LiveService, store: JobStore) -> None:
    job = queued(store)
    tag = live.http.get(f"/v1/jobs/{job.id}").headers["etag"]
    with waiting(live, job.id, tag) as response:
        store.claim(job.id)
        assert response().json()["status"] == "processing"
    with waiting(live, job.id, response().headers["etag"]) as response:
        store.advance(job.id, 1, Stage.RENDERING, 0.5)
        assert response().json()["progress"] == 0.5


def document_of(live: LiveService, job_id: str) -> Any:
    return live.http.get(f"/v1/jobs/{job_id}").json()


@contextmanager
def waiting(
    live: LiveService, job_id: str, known: str | None = None
) -> Iterator[Callable[[], httpx.Response]]:
    """Send a request with a long wait, and enter the context once it is waiting."""
    path = f"/v1/jobs/{job_id}?wait=60"
    headers = {"If-None-Match": known} if known else {}
    with ThreadPoolExecutor() as pool:
        response = pool.submit(live.http.get, path, headers=headers)
        wait_for(lambda: live.is_followed(job_id))
        yield response.result


@pytest.mark.usefixtures("only_announcements")
def test_a_long_poll_of_an_ended_job_returns_at_once(live: LiveService, store: JobStore) -> None:
    job = store.cancel(queued(store).id)
    path = f"/v1/jobs/{job.id}?wait=60"
    response = live.http.get(path)
    assert response.json()["status"] == "canceled"
    known = live.http.get(path, headers={"If-None-Match": response.headers["etag"]})
    assert known.status_code == 304


def test_a_long_poll_without_a_change_returns_the_current_state(
    live: LiveService, store: JobStore
) -> None:
    job = queued(store)
    path = f"/v1/jobs/{job.id}?wait=1"
    response = live.http.get(path)
    assert response.json()["status"] == "queued"
    known = live.http.get(path, headers={"If-None-Match": response.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")


def test_a_long_poll_of_a_job_that_is_deleted_returns_404(
    live: LiveService, store: JobStore
) -> None:
    job = queued(store)
    with waiting(live, job.id) as response:
        store.delete(job.id)
        assert response().json()["code"] == "job_not_found"


@pytest.mark.usefixtures("only_announcements")
def test_every_change_is_sent_once_and_the_last_one_closes_the_stream(
    live: LiveService, store: JobStore
) -> None:
    job = queued(store)
    with followed(live, job.id) as news:
        assert next(news).job["status"] == "queued"
        store.claim(job.id)
        assert next(news).job["stage"] == "fetching"
        store.advance(job.id, 1, Stage.RENDERING, 0.5)
        assert next(news).job["progress"] == 0.5
        finish(store, job)
        last = next(news)
        assert last.job == document_of(live, job.id)
        assert last.id == store.events(job.id)[-1].id
        assert list(news) == []


@pytest.mark.usefixtures("only_announcements")
def test_a_reconnecting_follower_gets_every_change_exactly_once(
    live: LiveService, store: JobStore
) -> None:
    job = queued(store)
    store.claim(job.id)
    heard: list[Told] = []
    for step in range(4):
        with followed(live, job.id, heard[-1].id if heard else None) as news:
            heard.append(next(news))
            store.advance(job.id, 1, Stage.RENDERING, 0.1 + step / 10)
            heard.append(next(news))
        store.advance(job.id, 1, Stage.RENDERING, 0.15 + step / 10)
    finish(store, job)
    with followed(live, job.id, heard[-1].id) as news:
        heard.extend(news)
    # The first event is from before anybody subscribed.
    assert [event.id for event in heard] == [event.id for event in store.events(job.id)[1:]]


@pytest.mark.usefixtures("only_announcements")
def test_progress_never_decreases_when_another_attempt_starts_over(
    live: LiveService, store: JobStore
) -> None:
    job = queued(store)
    with followed(live, job.id) as news:
        store.claim(job.id)
        store.advance(job.id, 1, Stage.RENDERING, 0.8)
        store.requeue(job.id, 1)
        store.claim(job.id)
        store.advance(job.id, 2, Stage.RENDERING, 0.2)
        store.fail(job.id, 2, FAILURE)
        progress = [event.job["progress"] for event in news]
    assert max(progress) == 0.8
    assert progress == sorted(progress)


def test_a_follower_that_knows_the_end_gets_204(live: LiveService, store: JobStore) -> None:
    job = store.cancel(queued(store).id)
    with followed(live, job.id) as news:
        (end,) = news
    path = f"/v1/jobs/{job.id}/events"
    again = live.http.get(path, headers={"Last-Event-ID": str(end.id)})
    assert (again.status_code, again.content) == (204, b"")


def test_the_final_state_is_sent_even_after_the_events_expired(
    live: LiveService, store: JobStore, valkey_url: str
) -> None:
    job = store.cancel(queued(store).id)
    seen = store.events(job.id)[0].id
    with Redis.from_url(valkey_url) as client:
        client.delete(events_key(job.id))
    for known in (None, seen):
        with followed(live, job.id, known) as news:
            (end,) = news
        assert end.job["status"] == "canceled"
    again = live.http.get(f"/v1/jobs/{job.id}/events", headers={"Last-Event-ID": str(end.id)})
    assert again.status_code == 204


@pytest.mark.parametrize("nonsense", ["x", "1-", "$", "+", "-", "1" * 30])
def test_an_unknown_event_id_is_ignored(live: LiveService, store: JobStore, nonsense: str) -> None:
    job = queued(store)
    with followed(live, job.id, nonsense) as news:
        assert next(news).id == store.events(job.id)[0].id


def test_the_stream_of_a_deleted_job_ends(live: LiveService, store: JobStore) -> None:
    job = queued(store)
    with followed(live, job.id) as news:
        next(news)
        store.delete(job.id)
        assert list(news) == []
    assert live.http.get(f"/v1/jobs/{job.id}/events").json()["code"] == "job_not_found"


@pytest.mark.usefixtures("often")
def test_a_new_queue_position_is_sent_without_an_id(live: LiveService, store: JobStore) -> None:
    first, second = queued(store), queued(store)
    with followed(live, second.id) as news:
        told_first = next(news)
        assert (told_first.job["queue_position"], told_first.id) == (
            2,
            store.events(second.id)[0].id,
        )
        store.claim(first.id)
        told_then = next(news)
        assert (told_then.job["queue_position"], told_then.id) == (1, None)


@pytest.mark.usefixtures("often")
def test_an_idle_stream_sends_comments(
    live: LiveService, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.1)
    job = queued(store)
    with live.http.stream("GET", f"/v1/jobs/{job.id}/events") as response:
        comments = (line for line in response.iter_lines() if line.startswith(":"))
        assert next(comments) == next(comments) == ": ping"


@pytest.mark.usefixtures("often")
def test_a_stream_ends_regularly_so_that_followers_authenticate_again(
    live: LiveService, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LONGEST_SECONDS", 0.1)
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.1)
    with followed(live, queued(store).id) as news:
        assert len(list(news)) == 1


@pytest.mark.usefixtures("only_announcements")
def test_changes_are_received_again_after_a_lost_subscription(
    live: LiveService, store: JobStore, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "RECONNECT_SECONDS", 0.05)
    job = queued(store)
    with Redis.from_url(valkey_url) as client, followed(live, job.id) as news:
        next(news)
        wait_for(lambda: subscriptions(client) == 1)
        client.execute_command("CLIENT", "KILL", "TYPE", "PUBSUB")
        store.claim(job.id)
        assert next(news).job["status"] == "processing"
        wait_for(lambda: subscriptions(client) == 1)
        finish(store, job)
        assert next(news).job["status"] == "succeeded"


def subscriptions(client: Redis) -> int:
    ((_, count),) = client.pubsub_numsub(CHANGES)
    return int(count)


@pytest.mark.usefixtures("often")
def test_changes_are_seen_without_announcements(
    service_settings: ServiceSettings, store: JobStore, storage: ObjectStorage
) -> None:
    queue = JobQueue(create_celery(service_settings))
    deaf = JobWatcher("redis://127.0.0.1:1/0")
    components = Components.wire(service_settings, store, storage, queue, deaf)
    job = queued(store)
    with serving(service_settings, components) as live, followed(live, job.id) as news:
        next(news)
        store.claim(job.id)
        assert next(news).job["status"] == "processing"


@pytest.mark.usefixtures("only_announcements")
def test_streams_end_when_the_service_stops(
    service_settings: ServiceSettings, store: JobStore
) -> None:
    job = queued(store)
    with serving(service_settings) as live, waiting(live, job.id) as response:
        with followed(live, job.id) as news:
            next(news)
            live.server.should_exit = True
            assert list(news) == []
        assert response().json()["status"] == "queued"


FOLLOWERS = 500


@pytest.mark.usefixtures("only_announcements")
def test_500_followers_share_a_subscription_and_a_few_connections(
    live: LiveService, store: JobStore, valkey_url: str
) -> None:
    jobs = [queued(store) for _ in range(20)]

    async def follow_all() -> list[bytes]:
        open_connections = [
            await asyncio.open_connection("127.0.0.1", live.port) for _ in range(FOLLOWERS)
        ]
        for number, (_, writer) in enumerate(open_connections):
            path = f"/v1/jobs/{jobs[number % len(jobs)].id}/events"
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
            )
        for reader, _ in open_connections:
            assert b"200 OK" in await reader.readline(), await reader.read()
            await reader.readuntil(b"event: job")
        with Redis.from_url(valkey_url) as client:
            assert subscriptions(client) == 1
            assert client.info("clients")["connected_clients"] < 60
        for job in jobs:
            await asyncio.to_thread(store.cancel, job.id)
        endings = [await reader.read() for reader, _ in open_connections]
        for _, writer in open_connections:
            writer.close()
            await writer.wait_closed()
        return endings

    endings = asyncio.run(asyncio.wait_for(follow_all(), PATIENCE))
    assert all(b'"status":"canceled"' in ending for ending in endings)
