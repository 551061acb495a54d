import os
import signal
import socket
import time

import pytest
from redis import Redis

from deploy.standalone.child import Child
from deploy.standalone.processes import ValkeyServer
from jobs.errors import QueueUnavailable
from jobs.job import Priority
from jobs.queue import SYNTHESIZE, JobQueue, create_celery, queue_name
from jobs.settings import Settings
from tests.waiting import PATIENCE

NORMAL_QUEUE = queue_name(Priority.NORMAL)


def length(url: str) -> int:
    with Redis.from_url(url) as client:
        return int(client.llen(NORMAL_QUEUE))


def test_a_message_carries_the_id_and_nothing_else(valkey_url: str) -> None:
    celery = create_celery(Settings(valkey_url=valkey_url))
    JobQueue(celery).dispatch("job_a")
    with (
        celery.connection_for_read() as connection,
        connection.SimpleQueue(NORMAL_QUEUE) as messages,
    ):
        message = messages.get(timeout=PATIENCE)
        message.ack()
    assert message.headers["task"] == SYNTHESIZE
    assert message.payload[:2] == [["job_a"], {}]
    assert message.content_type == "application/json"


def test_a_dead_broker_is_unavailable_within_seconds() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"redis://127.0.0.1:{bound.getsockname()[1]}/0"
        queue = JobQueue(create_celery(Settings(valkey_url=url)))
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(QueueUnavailable, match="job_a"):
                queue.dispatch("job_a")
            assert time.monotonic() - began < 2.5


def test_a_hanging_broker_is_unavailable_within_seconds(server: ValkeyServer, child: Child) -> None:
    queue = JobQueue(create_celery(Settings(valkey_url=server.url)))
    queue.dispatch("job_a")
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(QueueUnavailable):
            queue.dispatch("job_b")
        assert time.monotonic() - began < 2.5
    os.kill(child.pid, signal.SIGCONT)
    queue.dispatch("job_c")
    assert length(server.url) >= 2


def test_a_full_broker_is_unavailable(server: ValkeyServer, child: Child) -> None:
    queue = JobQueue(create_celery(Settings(valkey_url=server.url)))
    with Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(QueueUnavailable):
            queue.dispatch("job_a")
        client.config_set("maxmemory", "0")
    queue.dispatch("job_b")
    assert length(server.url) == 1


def test_messages_are_delivered_after_the_broker_was_killed(
    server: ValkeyServer, child: Child
) -> None:
    queue = JobQueue(create_celery(Settings(valkey_url=server.url)))
    queue.dispatch("job_a")
    child.clean_up()
    with pytest.raises(QueueUnavailable):
        queue.dispatch("job_b")
    child.start()
    child.wait_ready()
    queue.dispatch("job_c")
    assert length(server.url) == 2


def test_messages_are_delivered_after_the_broker_lost_its_data(valkey_url: str) -> None:
    queue = JobQueue(create_celery(Settings(valkey_url=valkey_url)))
    queue.dispatch("job_a")
    with Redis.from_url(valkey_url) as client:
        client.flushall()
    queue.dispatch("job_b")
    assert length(valkey_url) == 1
