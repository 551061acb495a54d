import os
import signal
import socket
import time
from collections.abc import Callable

import pytest
from redis import Redis

from deploy.standalone.child import Child
from deploy.standalone.processes import ValkeyServer
from jobs.errors import StoreReadOnly, StoreUnavailable
from jobs.job import Stage
from jobs.settings import Settings
from jobs.valkey.api_keys import Quota
from jobs.valkey.connection import ANSWER_TIMEOUT
from jobs.valkey.job_store import JobStore
from jobs.valkey.listing import JobFilter
from jobs.valkey.maintenance import Maintenance, Pass
from jobs.valkey.orphans import Orphans
from jobs.values import IdempotencyKey
from tests.jobs_examples import FAILURE, new_job, result_of


@pytest.fixture
def own_store(server: ValkeyServer, child: Child) -> JobStore:
    return JobStore.connect(Settings(valkey_url=server.url))


KEYED = new_job(idempotency=IdempotencyKey(key="order-1", fingerprint="a" * 64))

CALLS: dict[str, Callable[[JobStore], object]] = {
    "accept": lambda store: store.accept(new_job()),
    "require_quota": lambda store: store.require_quota("key_a", Quota(jobs_a_day=1)),
    "reserve": lambda store: store.reserve(KEYED),
    "release": lambda store: store.release(KEYED),
    "usage": lambda store: store.usage("key_a"),
    "get": lambda store: store.get("job_a"),
    "page": lambda store: store.page("local", JobFilter(), 20, None),
    "claim": lambda store: store.claim("job_a"),
    "advance": lambda store: store.advance("job_a", 1, Stage.RENDERING, 0.5),
    "renew": lambda store: store.renew("job_a", 1),
    "finish": lambda store: store.finish("job_a", 1, result_of("job_a", 1)),
    "fail": lambda store: store.fail("job_a", 1, FAILURE),
    "requeue": lambda store: store.requeue("job_a", 1),
    "postpone": lambda store: store.postpone("job_a", 1),
    "shorten_leases": lambda store: store.maintenance.shorten_leases(),
    "hand_back": lambda store: store.hand_back("job_a", 1),
    "requeue_expired": lambda store: store.requeue_expired("job_a", 1),
    "cancel": lambda store: store.cancel("job_a"),
    "delete": lambda store: store.delete("job_a"),
    "events": lambda store: store.events("job_a"),
    "latest_event": lambda store: store.latest_event("job_a"),
    "reading": lambda store: store.reading("job_a"),
    "readings": lambda store: store.readings(["job_a"]),
    "counts": lambda store: store.counts(),
    "longest_waits": lambda store: store.longest_waits(),
    "undispatched": lambda store: store.maintenance.undispatched(),
    "mark_dispatched": lambda store: store.mark_dispatched("job_a"),
    "expired_leases": lambda store: store.maintenance.expired_leases(),
    "cleanups_due": lambda store: store.maintenance.cleanups_due(),
    "mark_cleared": lambda store: store.maintenance.mark_cleared("job_a"),
    "ended_before": lambda store: store.maintenance.ended_before(new_job().created_at),
    "lead": lambda store: store.maintenance.lead("one", 1),
    "is_journal_read": lambda store: store.maintenance.is_journal_read(),
    "mark_journal_read": lambda store: store.maintenance.mark_journal_read(1),
    "current_pass": lambda store: store.maintenance.current_pass(),
    "note_pass": lambda store: store.maintenance.note_pass(Pass(new_job().created_at)),
    "among": lambda store: store.orphans.among(["job_a"]),
    "not_noted": lambda store: store.orphans.not_noted(["job_a"]),
    "note": lambda store: store.orphans.note("job_a", new_job().created_at, is_new=True),
    "forget": lambda store: store.orphans.forget("job_a"),
    "due": lambda store: store.orphans.due(new_job().created_at, new_job().created_at),
    "now": lambda store: store.now(),
    "ping": lambda store: store.ping(),
}


def test_every_method_is_called_here() -> None:
    names = {*vars(JobStore), *vars(Maintenance), *vars(Orphans)}
    public = {name for name in names if not name.startswith("_")}
    assert public - {"connect"} == set(CALLS)


@pytest.mark.parametrize("call", CALLS)
def test_a_dead_valkey_is_unavailable_at_once(call: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        store = JobStore.connect(Settings(valkey_url=f"redis://127.0.0.1:{bound.getsockname()[1]}"))
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            CALLS[call](store)
    assert time.monotonic() - began < 1.0


def test_a_valkey_that_hangs_is_unavailable_within_seconds(
    own_store: JobStore, child: Child
) -> None:
    job = new_job()
    own_store.accept(job)
    assert child.pid
    os.kill(child.pid, signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        own_store.claim(job.id)
    assert time.monotonic() - began < 2 * ANSWER_TIMEOUT + 1
    os.kill(child.pid, signal.SIGCONT)
    assert own_store.claim(job.id).attempt == 1


def test_a_full_valkey_is_unavailable_and_keeps_what_it_has(
    server: ValkeyServer, own_store: JobStore
) -> None:
    job, other = new_job(), new_job()
    own_store.accept(job)
    with Redis.from_url(server.url) as client:
        client.config_set("maxmemory", "1")
        for write in (lambda: own_store.accept(other), own_store.ping):
            with pytest.raises(StoreReadOnly, match=r"refuses writes: .*maxmemory"):
                write()
        assert own_store.get(job.id) == own_store.reading(job.id).job == job
        client.config_set("maxmemory", "0")
    assert own_store.accept(other)


@pytest.mark.parametrize(
    ("setting", "refusing", "normal"),
    [("min-replicas-to-write", "1", "0"), ("replicaof", "127.0.0.1 1", "no one")],
    ids=["NOREPLICAS", "READONLY"],
)
def test_a_read_only_valkey_is_reported_and_can_be_read(
    server: ValkeyServer, own_store: JobStore, setting: str, refusing: str, normal: str
) -> None:
    job = new_job()
    own_store.accept(job)
    with Redis.from_url(server.url) as client:

        def change(value: str) -> None:
            words = ("CONFIG", "SET", setting, value)
            client.execute_command(*(words if "-" in setting else (setting, *value.split())))

        change(refusing)
        for write in (lambda: own_store.cancel(job.id), own_store.ping):
            with pytest.raises(StoreReadOnly, match="refuses writes"):
                write()
        assert own_store.reading(job.id).job == job
        change(normal)
    own_store.ping()
    assert own_store.cancel(job.id).status.is_final


def test_records_survive_a_killed_valkey_and_the_store_reconnects(
    own_store: JobStore, child: Child
) -> None:
    job = new_job()
    own_store.accept(job)
    own_store.claim(job.id)
    child.clean_up()
    with pytest.raises(StoreUnavailable):
        own_store.get(job.id)
    child.start()
    child.wait_ready()
    assert own_store.advance(job.id, 1, Stage.RENDERING, 0.5).progress == 0.5
    assert len(own_store.events(job.id)) == 3
