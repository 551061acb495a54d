"""What is said about free space."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.standalone import disk
from deploy.standalone.system import Standalone


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The free space of every disk, in bytes."""
    space = SimpleNamespace(free=150_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: space)
    return space


def test_a_full_disk_is_described(free: SimpleNamespace) -> None:
    assert disk.shortage(Path("var")) == (
        "The disk of var has only 150 MB left. Below 200 MB, the object store refuses new files "
        "within a minute."
    )


def test_a_disk_with_the_reserved_space_is_not_full(free: SimpleNamespace) -> None:
    free.free = disk.RESERVED_MB * 1_000_000
    assert disk.shortage(Path("var")) is None


def test_a_directory_need_not_exist(tmp_path: Path) -> None:
    missing = tmp_path / "var" / "deep"
    assert disk.free_mb(missing) == pytest.approx(disk.free_mb(tmp_path), abs=1000)


def test_the_terminal_reports_a_full_disk_once_and_space_once(
    free: SimpleNamespace, tmp_path: Path
) -> None:
    lines: list[str] = []
    system = Standalone(tmp_path, print_line=lines.append)
    for free.free in (900_000_000, 150_000_000, 140_000_000, 900_000_000, 900_000_000):
        system.report_space()
    full, space = lines
    assert full.startswith(f"The disk of {tmp_path} has only 150 MB left")
    assert space.startswith(f"The disk of {tmp_path} has space again")
