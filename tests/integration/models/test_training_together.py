"""Both trainers in two processes under torchrun."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.integration.models.company import PULLS
from tests.unit.models.evaluation.tiny_evaluation import write_data

Ended = tuple[dict[str, Any], dict[str, Any]]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("together")
    write_data(root / "data", root / "cache")
    (root / "out").mkdir()
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    company = ["-m", "tests.integration.models.company", str(root / "data"), str(root / "out")]
    subprocess.run([sys.executable, *torchrun, *company], check=True)
    return root / "out"


@pytest.fixture(scope="module")
def ended(out: Path) -> Ended:
    """The final state of each process."""
    return torch.load(out / "0.pt"), torch.load(out / "1.pt")


def test_a_step_follows_the_mean_of_all_gradients(ended: Ended) -> None:
    assert [one["gradient"] for one in ended] == pytest.approx([sum(PULLS) / 2] * 2)


def test_every_process_draws_other_data(ended: Ended) -> None:
    assert ended[0]["drawn"] != ended[1]["drawn"]


@pytest.mark.parametrize("run", ["landmarks", "translator", "resumed"])
def test_all_processes_hold_the_same_weights(ended: Ended, run: str) -> None:
    for name, value in ended[0][run].items():
        torch.testing.assert_close(ended[1][run][name], value, atol=1e-5, rtol=1e-4, msg=name)


def test_a_resumed_run_continues_training(ended: Ended) -> None:
    first, resumed = ended[0]["translator"], ended[0]["resumed"]
    assert any((first[name] != value).any() for name, value in resumed.items())


def test_only_the_first_process_writes(out: Path) -> None:
    rows = (out / "translator" / "validation.md").read_text().count("network")
    assert rows == 2, "one verdict a run, though two processes ran"
