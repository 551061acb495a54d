"""A run of stage one on synthetic clips with tiny networks."""

from pathlib import Path

import numpy as np
import torch

from models.speech_to_landmarks.landmark_network import LandmarkNetwork
from models.training.common.compute import Compute
from models.training.common.session import Session
from models.training.stage_one.bases import set_bases
from models.training.stage_one.emotional_speech import EmotionSampler
from models.training.stage_one.lip_windows import LipSampler
from models.training.stage_one.train import TrainingOptions, step
from models.training.stage_one.trainee import Looks, Trainee
from models.training.stage_one.validation import HeldOut
from tests.unit.models.tiny_generator import TINY
from tests.unit.models.training.tiny_speech import emotional_clips, made_up_expressions, speech_clip


class TinyRun:
    """A run on synthetic clips with tiny networks."""

    def __init__(
        self,
        folder: Path,
        coordination: bool = True,
        compute: Compute | None = None,
        lips: bool = True,
    ) -> None:
        compute = compute or Compute()
        rng = compute.randomness(0)
        clips = [speech_clip(f"g{i}", 75) for i in range(8)]
        self.lips = LipSampler(clips, [speech_clip("s", 100)], rng)
        recordings = emotional_clips()
        self.held_out = HeldOut([speech_clip("held", 40, "grid", "val")], recordings)
        self.emotions = EmotionSampler(recordings, [], rng)
        self.looks = Looks(made_up_expressions(folder), np.random.default_rng(0))
        self.options = TrainingOptions(folder, folder, folder, 1.0, batch=12, emotion_batch=7)
        trainee = Trainee(LandmarkNetwork(TINY), coordination, lips)
        set_bases(trainee.network, clips, self.looks)
        optimizer = torch.optim.AdamW(trainee.parameters(), 1e-2)
        self.session = Session(trainee, optimizer, folder, 10.0, compute, decay=0.9)

    def steps(self, count: int) -> list[float]:
        """Return the sum of the loss's terms at each of `count` steps."""
        return [
            sum(step(self.session, self.lips, self.emotions, self.looks, self.options).values())
            for _ in range(count)
        ]
