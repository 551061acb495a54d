"""The files of dead processes are merged: nothing is lost, and they do not pile up."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from workers.synthesis.health import is_process
from workers.synthesis.process_metrics import ProcessMetrics

CHILD = """
import sys
from prometheus_client import Counter, Histogram
jobs = Counter("jobs", "Jobs.", ["outcome"])
seconds = Histogram("seconds", "Seconds.", buckets=(1, 10))
for _ in sys.stdin:
    jobs.labels("succeeded").inc()
    seconds.observe(5)
    print("counted", flush=True)
"""


class Child:
    """A process that counts a job whenever it is told to."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def count(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "counted\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def counting(directory: Path) -> Iterator[Child]:
    child = Child(directory)
    try:
        child.count()
        yield child
    finally:
        child.kill()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def metrics(directory: Path) -> ProcessMetrics:
    return ProcessMetrics(directory, is_process)


def read(metrics: ProcessMetrics) -> dict[str, float]:
    return {
        sample.name + sample.labels.get("le", ""): sample.value
        for metric in metrics.collect()
        for sample in metric.samples
    }


def counts_of(jobs: int) -> dict[str, float]:
    buckets = {"seconds_bucket1.0": 0, "seconds_bucket10.0": jobs, "seconds_bucket+Inf": jobs}
    return {"jobs_total": jobs, **buckets, "seconds_sum": 5 * jobs, "seconds_count": jobs}


def files(directory: Path) -> int:
    return len(list(directory.iterdir()))


def test_children_that_die_leave_their_counts_in_one_file_of_each_type(
    directory: Path, metrics: ProcessMetrics
) -> None:
    for died in range(1, 4):
        with counting(directory):
            assert read(metrics) == counts_of(died)
            metrics.merge_dead()
            assert files(directory) == (2 if died == 1 else 4)
            assert read(metrics) == counts_of(died)
    metrics.merge_dead()
    assert {file.name for file in directory.iterdir()} == {"counter_dead.db", "histogram_dead.db"}
    assert read(metrics) == counts_of(3)


def test_a_running_child_continues_to_count(directory: Path, metrics: ProcessMetrics) -> None:
    with counting(directory):
        pass
    with counting(directory) as child:
        metrics.merge_dead()
        child.count()
        assert read(metrics) == counts_of(3)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def cut_short(file: Path) -> None:
    file.with_name("counter_dead.new").write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize("harm", [empty, cut_short])
def test_an_incomplete_metrics_file_is_ignored(
    directory: Path, metrics: ProcessMetrics, harm: Callable[[Path], None]
) -> None:
    with counting(directory) as child:
        harm(directory / f"counter_{child.process.pid}.db")
    metrics.merge_dead()
    assert files(directory) == 2
    assert read(metrics)["seconds_count"] == 1


def test_files_that_cannot_be_merged_are_logged_and_kept(
    directory: Path, metrics: ProcessMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    with counting(directory):
        pass
    (directory / "counter_dead.new").mkdir()
    metrics.merge_dead()
    assert "could not be merged" in caplog.text
    assert read(metrics)["jobs_total"] == 1
