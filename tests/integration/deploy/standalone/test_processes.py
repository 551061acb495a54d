"""The real Valkey and the real SeaweedFS as children."""

import os
import signal
import socket
import stat
import time
from pathlib import Path

import httpx
import pytest
import redis

from deploy.standalone import disk, processes
from deploy.standalone.child import Child
from deploy.standalone.errors import StartFailed
from deploy.standalone.processes import (
    LOOPBACK,
    SeaweedPorts,
    SeaweedServer,
    ValkeyServer,
    free_port,
)
from jobs.s3.object_store import ObjectStorage
from jobs.settings import Settings
from tests.integration.deploy.standalone.watching import arguments_of, living
from tests.waiting import PATIENCE, wait_for


def storage_of(server: SeaweedServer) -> ObjectStorage:
    names = {name.removeprefix("AMIGO_").lower(): v for name, v in server.environment.items()}
    return ObjectStorage.connect(Settings.model_validate(names))


def test_valkey_asks_for_its_password(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path, password="a-secret")
    with Child(server.program()):
        with redis.Redis.from_url(server.url) as known:
            assert known.ping()
        with (
            redis.Redis(LOOPBACK, server.port) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()


def test_the_password_is_neither_readable_nor_in_the_arguments(tmp_path: Path) -> None:
    program = ValkeyServer(tmp_path, password="a-secret").program()
    assert not any("a-secret" in argument for argument in program.command)
    assert stat.S_IMODE((tmp_path / "valkey.conf").stat().st_mode) == 0o600


def test_valkey_keeps_acknowledged_writes_when_killed(tmp_path: Path) -> None:
    first = ValkeyServer(tmp_path)
    with Child(first.program()) as child, redis.Redis.from_url(first.url) as client:
        client.set("key", "value")
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
    second = ValkeyServer(tmp_path)
    with Child(second.program()), redis.Redis.from_url(second.url) as client:
        assert client.get("key") == b"value"


def test_seaweed_keeps_objects_when_killed_and_moved_to_other_ports(tmp_path: Path) -> None:
    first = SeaweedServer(tmp_path)
    with Child(first.program()) as child:
        storage_of(first).put("kept", b"bytes", "text/plain")
        assert child.pid
        os.kill(child.pid, signal.SIGKILL)
    second = SeaweedServer(tmp_path, SeaweedPorts.free())
    with Child(second.program()):
        assert storage_of(second).get("kept") == b"bytes"


@pytest.mark.thorough
def test_a_restarted_seaweed_takes_objects_at_once(tmp_path: Path) -> None:
    server = SeaweedServer(tmp_path)
    storage = storage_of(server)
    for restart in range(12):  # without its option, one in about six took 15 s
        with Child(server.program()):
            began = time.monotonic()
            storage.put(f"kept-{restart}", b"bytes", "text/plain")
            assert time.monotonic() - began < 8.0
            kept = {each.key for each in storage.objects("kept-")}
            assert kept == {f"kept-{number}" for number in range(restart + 1)}


def free_volumes(server: SeaweedServer) -> int:
    """Return how many volumes SeaweedFS could still create."""
    status = httpx.get(f"http://{LOOPBACK}:{server.ports.master}/dir/status", trust_env=False)
    return int(status.json()["Topology"]["Free"])


@pytest.mark.parametrize(("beyond_reserve", "is_writable"), [(-10_000, False), (1_000, True)])
def test_seaweed_writes_while_the_reserve_is_free_whatever_the_size_of_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beyond_reserve: int, is_writable: bool
) -> None:
    """The reserve is drawn close to what is free: a disk need not be filled."""
    monkeypatch.setattr(disk, "RESERVED_MB", disk.free_mb(tmp_path) - beyond_reserve)
    server = SeaweedServer(tmp_path)
    program = server.program()
    with Child(program):
        assert bool(free_volumes(server)) is is_writable
        assert ("< required" in program.log.read_text()) is not is_writable
        assert bool(disk.shortage(tmp_path)) is not is_writable


def test_seaweed_reclaims_the_space_of_deleted_objects(tmp_path: Path) -> None:
    server = SeaweedServer(tmp_path)
    with Child(server.program()):
        storage = storage_of(server)
        storage.put("kept/object", b"kept", "text/plain")
        storage.put("lost/object", os.urandom(3_000_000), "text/plain")
        storage.delete_prefix("lost/")
        (volume,) = tmp_path.glob("data/amigo_*.dat")
        vacuum = f"http://{LOOPBACK}:{server.ports.master}/vol/vacuum?garbageThreshold=0.1"

        def is_small() -> bool:
            httpx.get(vacuum, trust_env=False, timeout=PATIENCE)
            return volume.stat().st_size < 1_000_000

        wait_for(is_small)
        assert storage.get("kept/object") == b"kept"


def test_seaweed_ends_when_one_of_its_parts_does(tmp_path: Path) -> None:
    with Child(SeaweedServer(tmp_path).program()) as child:
        assert child.pid
        parts = (each for each in living(child.pid) if each != child.pid)
        volume = next(each for each in parts if "\0volume\0" in arguments_of(each))
        os.kill(volume, signal.SIGKILL)
        wait_for(lambda: not child.is_running)


def test_seaweed_leaves_no_process_and_no_socket(tmp_path: Path) -> None:
    server = SeaweedServer(tmp_path)
    with Child(server.program()) as child:
        group = child.pid
        assert any(socket.exists() for socket in server.ports.sockets)
    assert group
    wait_for(lambda: not living(group))
    assert not any(socket.exists() for socket in server.ports.sockets)


def test_a_taken_port_is_reported_with_the_programs_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        port = free_port()
        taken.bind((LOOPBACK, port))
        taken.listen()
        program = ValkeyServer(tmp_path, port).program()
        with pytest.raises(
            StartFailed, match=r"(?s)Valkey exited with.*valkey.log.*bind"
        ) as failure:
            Child(program).__enter__()
    assert str(program.log) in str(failure.value)


def test_no_two_servers_draw_the_same_port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first does not listen yet when the second draws."""
    few = processes.PORT_RANGE[:400]
    monkeypatch.setattr(processes, "PORT_RANGE", few)
    first = [ValkeyServer(tmp_path).port for _ in range(40)]
    assert len(set(first)) == len(first)
