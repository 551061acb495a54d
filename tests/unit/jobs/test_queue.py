import pytest

from jobs.queue import broker_url, create_celery
from jobs.settings import Settings


@pytest.mark.parametrize(
    ("valkey_url", "expected"),
    [
        ("redis://:secret@valkey:6379/0", "redis://:secret@valkey:6379/0"),
        ("rediss://valkey:6380/1", "rediss://valkey:6380/1"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock"),
        ("unix:///run/valkey.sock?db=2", "redis+socket:///run/valkey.sock?virtual_host=2"),
    ],
)
def test_the_broker_is_named_as_celery_names_it(valkey_url: str, expected: str) -> None:
    assert broker_url(valkey_url) == expected


def test_a_message_is_not_redelivered_while_its_attempt_may_still_run() -> None:
    conf = create_celery(Settings(time_limit_seconds=1000)).conf
    assert conf.task_time_limit == 1000
    assert conf.broker_transport_options["visibility_timeout"] > 1000


def test_a_worker_looks_into_the_queues_in_the_order_of_their_priorities() -> None:
    conf = create_celery(Settings()).conf
    assert [queue.name for queue in conf.task_queues] == ["amigo.high", "amigo.normal", "amigo.low"]
    assert conf.broker_transport_options["queue_order_strategy"] == "priority"


def test_only_json_is_accepted() -> None:
    conf = create_celery(Settings()).conf
    assert conf.accept_content == ["json"]


def test_celery_keeps_no_result() -> None:
    conf = create_celery(Settings()).conf
    assert conf.result_backend is None
    assert conf.task_ignore_result
