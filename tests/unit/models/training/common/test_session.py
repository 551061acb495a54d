import csv
from pathlib import Path

import pytest
import torch
from torch import nn

from models.training.common.session import CURVE, Session


def session(folder: Path, minutes: float = 10.0) -> Session[nn.Linear]:
    torch.manual_seed(0)
    network = nn.Linear(3, 1)
    return Session(network, torch.optim.AdamW(network.parameters(), 0.05), folder, minutes)


def descend(run: Session[nn.Linear], steps: int) -> float:
    inputs = torch.eye(3)
    loss = torch.zeros(())
    for _ in range(steps):
        loss = (run.network(inputs) - 1.0).square().mean()
        run.descend(loss)
    return float(loss.detach())


def test_loss_falls(tmp_path: Path) -> None:
    run = session(tmp_path)
    assert descend(run, 100) < 0.2 * descend(session(tmp_path), 1)


def test_the_average_follows_behind_the_network(tmp_path: Path) -> None:
    run = session(tmp_path)
    start = run.network.weight.detach().clone()
    descend(run, 30)
    moved = (run.network.weight - start).norm()
    followed = (run.average.weight - start).norm()
    assert 0.1 * moved < followed < moved


def test_a_resumed_run_continues_where_it_stopped(tmp_path: Path) -> None:
    whole = session(tmp_path / "whole")
    descend(whole, 30)
    first = session(tmp_path / "parts")
    descend(first, 20)
    first.save()
    second = session(tmp_path / "parts")
    second.resume()
    descend(second, 10)
    assert second.step == whole.step
    torch.testing.assert_close(second.network.weight, whole.network.weight, atol=1e-4, rtol=0.0)
    torch.testing.assert_close(second.average.weight, whole.average.weight, atol=1e-4, rtol=0.0)


def test_time_spent_before_counts(tmp_path: Path) -> None:
    run = session(tmp_path)
    run.seconds = 300.0
    run.save()
    resumed = session(tmp_path)
    resumed.resume()
    assert resumed.progress == pytest.approx(0.5, abs=0.01)


def test_nothing_to_resume_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        session(tmp_path).resume()


def test_the_curve_has_one_header_and_a_row_a_record(tmp_path: Path) -> None:
    run = session(tmp_path)
    run.record({"loss": 1.0})
    run.record({"loss": 0.5})
    with (tmp_path / CURVE).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [1.0, 0.5]


def test_a_run_ends_after_its_steps_or_its_minutes(tmp_path: Path) -> None:
    run = session(tmp_path)
    run.steps = 4
    descend(run, 2)
    assert run.progress == 0.5
    descend(run, 2)
    assert run.progress == 1.0
