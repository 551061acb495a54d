import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workers.synthesis.run_directory import RunDirectory, RunDirectoryTaken


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[RunDirectory]:
    directory = RunDirectory(tmp_path / "run")
    with directory.taken():
        yield directory


def test_leftovers_of_an_earlier_worker_are_removed(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    (tmp_path / "metrics").mkdir()
    (tmp_path / "scratch").mkdir()
    directory.beat("child")
    directory.ask_to_stop()
    directory.report_broken()
    (directory.metrics / "counter_1.db").touch()
    (directory.scratch / "video.mp4").touch()
    with directory.taken():
        assert {path.name for path in tmp_path.rglob("*")} == {"lock", "metrics", "scratch"}


def test_two_workers_cannot_hold_one_directory(directory: RunDirectory) -> None:
    with pytest.raises(RunDirectoryTaken, match="AMIGO_RUN_DIRECTORY"):  # noqa: SIM117
        with RunDirectory(directory.path).taken():
            pass


def test_a_directory_of_another_user_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(RunDirectoryTaken, match="another user"):  # noqa: SIM117
        with RunDirectory(tmp_path).taken():
            pass


def test_only_its_owner_may_look_inside(directory: RunDirectory) -> None:
    assert directory.path.stat().st_mode & 0o777 == 0o700


def test_a_process_without_heartbeats_has_an_infinite_heartbeat_age(
    directory: RunDirectory,
) -> None:
    assert directory.heartbeat_age("child") == float("inf")


def test_the_heartbeat_age_starts_at_the_last_heartbeat(directory: RunDirectory) -> None:
    directory.beat("parent")
    assert directory.heartbeat_age("parent") < 5
    past = time.time() - 100
    os.utime(directory.path / "parent", (past, past))
    assert 100 <= directory.heartbeat_age("parent") < 105


def test_a_worker_that_was_not_asked_to_stop_does_not_stop(directory: RunDirectory) -> None:
    assert directory.stopping_for() == 0
    directory.ask_to_stop()
    past = time.time() - 7
    os.utime(directory.path / "stop", (past, past))
    assert 7 <= directory.stopping_for() < 12


def test_scratch_space_is_cleared(directory: RunDirectory) -> None:
    (directory.scratch / "video.mp4").touch()
    directory.clear_scratch()
    assert list(directory.scratch.iterdir()) == []


def test_a_pipeline_that_could_not_be_loaded_is_reported(directory: RunDirectory) -> None:
    directory.report_broken()
    assert directory.is_broken
