"""What a directory keeps between runs, and who can lock it."""

import json
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from deploy.standalone.errors import AlreadyRunning, DeployError
from deploy.standalone.installation import Installation
from deploy.standalone.parent_death import Guard
from deploy.standalone.processes import GRPC_OFFSET, LOOPBACK, free_port


def test_secrets_and_ports_stay_the_same(tmp_path: Path) -> None:
    assert Installation(tmp_path).prepare() == Installation(tmp_path).prepare()


def test_ports_that_are_no_longer_used_do_not_matter(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    before = installation.prepare()
    path = tmp_path / "installation.json"
    kept = json.loads(path.read_text())
    kept["ports"]["admin"] = free_port()
    path.write_text(json.dumps(kept))
    assert installation.prepare() == before


def test_each_installation_has_its_own_secrets(tmp_path: Path) -> None:
    first, second = (Installation(tmp_path / name) for name in ("a", "b"))
    assert first.prepare().s3_secret_key != second.prepare().s3_secret_key
    assert first.prepare().valkey_password != second.prepare().valkey_password


@contextmanager
def in_use(port: int) -> Iterator[None]:
    with socket.socket() as taken:
        with suppress(OSError):  # somebody else may have taken it by now
            taken.bind((LOOPBACK, port))
            taken.listen()
        yield


@pytest.mark.parametrize("offset", [0, GRPC_OFFSET])
def test_only_a_port_in_use_is_replaced(tmp_path: Path, offset: int) -> None:
    installation, lines = Installation(tmp_path), list[str]()
    before = installation.prepare()
    with in_use(before.ports.volume + offset):
        after = installation.prepare(print_line=lines.append)
    assert after.ports.volume not in before.ports.model_dump().values()
    volume = {"volume": before.ports.volume}
    ports = after.ports.model_copy(update=volume)
    assert after.model_copy(update={"ports": ports}) == before
    assert lines == []


def test_another_port_of_the_service_is_printed(tmp_path: Path) -> None:
    installation, lines = Installation(tmp_path), list[str]()
    before = installation.prepare(print_line=lines.append).ports.service
    with in_use(before):
        after = installation.prepare(print_line=lines.append).ports.service
    assert lines == [f"Port {before} is in use; the service now has {after}."]


def test_a_requested_port_replaces_one_in_use(tmp_path: Path) -> None:
    installation, lines = Installation(tmp_path), list[str]()
    wanted = free_port()
    with in_use(installation.prepare().ports.service):
        assert installation.prepare(wanted, lines.append).ports.service == wanted
    assert lines == []


def test_the_port_asked_for_is_used(tmp_path: Path) -> None:
    port = free_port()
    assert Installation(tmp_path).prepare(port).ports.service == port


def test_the_first_run_takes_its_port_unless_it_is_in_use(tmp_path: Path) -> None:
    lines: list[str] = []
    first = free_port()
    kept = Installation(tmp_path / "a")
    assert kept.prepare(first_service_port=first).ports.service == first
    assert kept.prepare(first_service_port=free_port()).ports.service == first
    with in_use(first):
        other = Installation(tmp_path / "b").prepare(
            print_line=lines.append, first_service_port=first
        )
    assert other.ports.service != first
    assert lines == [f"Port {first} is in use; the service now has {other.ports.service}."]


def test_a_taken_port_is_refused_when_it_is_asked_for(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DeployError, match=f"Port {port} is in use"):
            Installation(tmp_path).prepare(port)


def test_the_directory_and_the_secrets_are_private(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "system")
    with installation.locked():
        installation.prepare()
    assert stat.S_IMODE(installation.directory.stat().st_mode) == 0o700
    kept = installation.directory / "installation.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_held_directory_is_refused_with_what_to_do(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.locked():
        with pytest.raises(AlreadyRunning, match="starting or stopping"), installation.locked():
            pass
        installation.write_status({"url": "http://127.0.0.1:1", "pid": os.getpid()})
        told = f"http://127.0.0.1:1.*kill {os.getpid()}"
        with pytest.raises(AlreadyRunning, match=told), installation.locked():
            pass
    with installation.locked():
        pass


@pytest.fixture
def dead_pid() -> int:
    dead = subprocess.Popen(["true"])
    dead.wait()
    return dead.pid


def test_the_message_does_not_name_a_dead_supervisor(tmp_path: Path, dead_pid: int) -> None:
    installation = Installation(tmp_path)
    with installation.locked():
        installation.write_status({"url": "http://127.0.0.1:1", "pid": dead_pid})
        with pytest.raises(AlreadyRunning, match="Try again shortly"), installation.locked():
            pass


@pytest.fixture
def running(tmp_path: Path) -> Installation:
    """A directory whose supervisor is alive."""
    installation = Installation(tmp_path)
    installation.write_status({"url": "http://127.0.0.1:1", "pid": os.getpid()})
    return installation


@pytest.mark.parametrize("count", [1, 64])
def test_a_request_reaches_the_running_system(running: Installation, count: int) -> None:
    running.request_workers(count)
    assert running.requested_workers() == count


@pytest.mark.parametrize("count", [-1, 0, 65, 100_000])
def test_a_request_out_of_range_is_refused_before_it_is_written(
    running: Installation, count: int
) -> None:
    running.request_workers(3)
    with pytest.raises(DeployError, match=f"{count} workers are not possible.* 1 to 64"):
        running.request_workers(count)
    assert running.requested_workers() == 3


@pytest.mark.parametrize("text", ["0", "100000", "", "many"])
def test_a_written_request_that_is_not_valid_is_ignored(running: Installation, text: str) -> None:
    (running.directory / "workers").write_text(text)
    assert running.requested_workers() is None


def test_a_dead_supervisor_receives_no_request(tmp_path: Path, dead_pid: int) -> None:
    installation = Installation(tmp_path)
    installation.write_status({"url": "http://127.0.0.1:1", "pid": dead_pid})
    with pytest.raises(DeployError, match="No system is running"):
        installation.request_workers(2)
    assert installation.requested_workers() is None


def test_the_guard_holds_the_directory_until_it_is_done(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    with installation.locked() as descriptor:
        guard = Guard(keep_open=(descriptor,))
    with pytest.raises(AlreadyRunning), installation.locked():
        pass
    guard.close()
    with installation.locked():
        pass
