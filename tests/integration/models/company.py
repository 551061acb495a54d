"""Tiny training runs as one of torchrun's processes, for test_training_together.

    python -m torch.distributed.run --nproc-per-node 2 -m tests.integration.models.company DATA OUT

Every process writes its final state to OUT/RANK.pt.
"""

import sys
from pathlib import Path

import torch
from torch import nn

from models.landmarks_to_video.visual_translator import TranslatorConfig, VisualTranslator
from models.training.common.compute import Compute, open_compute
from models.training.common.session import Session
from models.training.stage_two.face_pairs import PairSampler
from models.training.stage_two.train import run
from models.training.stage_two.trainer import Options, Trainer
from tests.unit.models.evaluation.tiny_evaluation import TINY
from tests.unit.models.training.stage_one.tiny_run import TinyRun
from tests.unit.models.training.talking_faces import talking_faces

PULLS = (0.2, 0.6)
"""The gradient that each process would follow alone."""


def main() -> None:
    """Train both stages briefly, then once more, resumed."""
    data, out = map(Path, sys.argv[1:])
    with open_compute("cpu") as compute:
        ended = {
            "gradient": mean_gradient(out, compute),
            "drawn": float(compute.randomness(0).random()),
            "landmarks": landmark_weights(out / "landmarks", compute),
            "translator": translator_weights(data, out / "translator", compute),
            "resumed": translator_weights(data, out / "translator", compute),
        }
        torch.save(ended, out / f"{compute.rank}.pt")


def mean_gradient(folder: Path, compute: Compute) -> float:
    """Return the gradient used by a step."""
    network = nn.Linear(1, 1, bias=False)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    session = Session(network, optimizer, folder, 1.0, compute)
    session.descend(session.joined(torch.full((1, 1), PULLS[compute.rank])).sum())
    assert network.weight.grad is not None
    return float(network.weight.grad)


def landmark_weights(folder: Path, compute: Compute) -> dict[str, torch.Tensor]:
    """Train stage one for three steps."""
    folder.mkdir(exist_ok=True)
    tiny = TinyRun(folder, compute=compute)
    tiny.steps(3)
    return {name: value.detach() for name, value in tiny.session.network.named_parameters()}


def translator_weights(data: Path, folder: Path, compute: Compute) -> dict[str, torch.Tensor]:
    """Resume stage two for a tenth of a second: at least one round."""
    folder.mkdir(exist_ok=True)
    options = Options(data, folder, 1.0, adversarial_from=0.0, batch=2, validation="lrcar")
    config = TranslatorConfig(mouth=TINY, eyes=TINY, motion_width=8)
    trainer = Trainer(VisualTranslator(config), options, compute)
    if (folder / "state.pt").exists():
        trainer.restore()
    options.minutes = (trainer.progress.seconds + 0.1) / 60
    run(trainer, [PairSampler(talking_faces(), compute.randomness(0), compute.device)])
    return {name: value.detach() for name, value in trainer.translator.named_parameters()}


if __name__ == "__main__":
    main()
