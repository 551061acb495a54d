"""Refit how emotions look in the shipped generator; speech and emotion detection stay unchanged.

    python -m models.training.stage_one.fit_looks --data DIR --cache CACHE

After a change of `models/training/stage_one/expressions.py`, this takes minutes instead of an hour
of training: only the layers from an emotion's embedding to its displacement, and their basis, are
fitted again.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from models.checkpoints import load_checkpoint, save_checkpoint
from models.manifest import WEIGHTS
from models.speech_to_landmarks.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.training.stage_one.bases import components
from models.training.stage_one.emotional_speech import (
    EmotionSampler,
    load_recordings,
    split_speakers,
)
from models.training.stage_one.expressions import Expressions
from models.training.stage_one.train import CHECKPOINT
from models.training.stage_one.trainee import Looks, Terms, hearing_losses

STEPS, BATCH = 600, 64
RATE = 2e-3


def main() -> None:
    """Fit the looks and write the weights in place."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    state, sizes = load_checkpoint(WEIGHTS / CHECKPOINT)
    network = LandmarkNetwork(LandmarkNetworkConfig.from_sizes(sizes))
    network.load_state_dict(state)
    acted, _ = split_speakers(load_recordings(options.cache / "emotional_clean.pt"))
    plain = load_recordings(options.cache / "plain_speech.pt")
    looks = Looks(Expressions(options.data / "landmarks" / "ict68.npz"), rng)
    fit(network, EmotionSampler(acted, plain, rng), looks, STEPS)
    save_checkpoint(WEIGHTS / CHECKPOINT, network.state_dict(), network.config)


def fit(network: LandmarkNetwork, emotions: EmotionSampler, looks: Looks, steps: int) -> None:
    """Fit the basis and the layers to the looks, with only those losses of training that concern
    them.
    """
    shown = torch.cat([looks.ways.flatten(0, 1), looks.prototypes]).flatten(1)
    network.emotion_basis.copy_(components(shown, len(network.emotion_basis)))
    network.eval().requires_grad_(False)
    network.express.requires_grad_(True)
    optimizer = torch.optim.Adam(network.express.parameters(), RATE)
    cooling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        terms = showing_losses(network, emotions, looks)
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        cooling.step()


def showing_losses(network: LandmarkNetwork, emotions: EmotionSampler, looks: Looks) -> Terms:
    """Return the distances between displayed and target displacements, of detected and named
    emotions.
    """
    batch = emotions.draw(BATCH)
    heard = network.heads(network.hear(batch.prosody, batch.states)[:, batch.states.shape[1] // 4])
    terms = hearing_losses(network, heard, batch, looks)
    return {name: term for name, term in terms.items() if name.startswith("show")}


if __name__ == "__main__":
    main()
