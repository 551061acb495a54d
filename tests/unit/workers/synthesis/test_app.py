from pathlib import Path

import pytest
from celery.signals import heartbeat_sent, worker_shutting_down

from jobs.queue import SYNTHESIZE
from workers.synthesis.app import create_worker
from workers.synthesis.run_directory import RunDirectory
from workers.synthesis.settings import WorkerSettings


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    for signal in (heartbeat_sent, worker_shutting_down):
        monkeypatch.setattr(signal, "receivers", [])
    return RunDirectory(tmp_path)


def test_the_worker_knows_its_task(directory: RunDirectory) -> None:
    worker = create_worker(WorkerSettings(run_directory=directory.path))
    worker.loader.import_default_modules()
    assert SYNTHESIZE in worker.tasks


def test_a_stopping_parent_asks_its_child_to_stop(directory: RunDirectory) -> None:
    create_worker(WorkerSettings(run_directory=directory.path))
    assert directory.stopping_for() == 0
    worker_shutting_down.send(sender="worker", sig="SIGTERM", how="Warm", exitcode=0)
    assert directory.stopping_for() > 0


def test_celerys_heartbeat_is_the_parents(directory: RunDirectory) -> None:
    create_worker(WorkerSettings(run_directory=directory.path))
    heartbeat_sent.send(sender=None)
    assert directory.heartbeat_age("parent") < 10
