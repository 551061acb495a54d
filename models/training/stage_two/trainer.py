"""The trainer of the visual translator: losses, optimizers, averaged weights and checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.checkpoints import save_checkpoint
from models.landmarks_to_video.face_regions import EYES, MOUTH, opening_mask
from models.landmarks_to_video.mouth.interior import LOWERED
from models.landmarks_to_video.painted_window import Painting
from models.landmarks_to_video.visual_translator import CHECKPOINT, VisualTranslator
from models.precision import mixed_precision
from models.training.common.compute import Compute
from models.training.stage_two.discriminator import Critic
from models.training.stage_two.face_pairs import PairBatch, PairSampler
from models.training.stage_two.image_losses import (
    PerceptualLoss,
    emphasis,
    motion_losses,
    pixel_losses,
    region_masks,
)

PART_SHARES = {"mouth": 6, "eyes": 4, "motion": 1}
"""Steps of each part in one round."""
REGIONS = {"mouth": MOUTH, "eyes": EYES}
FINAL_LEARNING_RATE = 1e-5
EMA_DECAY = 0.999
ADVERSARIAL_RAMP = 0.05


@dataclass
class Options:
    """The arguments of a run.

    minutes: training time over all resumed runs.
    perceptual: weight of the perceptual loss.
    adversarial: mean gradient of the discriminator on a pixel, beside that of a plain L1 loss.
    adversarial_from: share of the run after which the discriminator is used for the mouth.
    """

    data: Path
    out: Path
    minutes: float
    cache: Path | None = None
    resolutions: tuple[int, ...] = (256, 512)
    vgg: Path | None = None
    weights: Path | None = None
    learning_rate: float = 1e-3
    perceptual: float = 0.15
    adversarial: float = 2.0
    adversarial_from: float = 0.4
    parts: tuple[str, ...] = tuple(PART_SHARES)
    batch: int = 8
    seed: int = 0
    resume: bool = False
    validation: str | None = None
    save_minutes: float = 3.0
    sheet_minutes: float = 15.0


@dataclass
class Progress:
    """Progress of the training."""

    steps: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Trainer:
    """The translator, its averaged copy, one optimizer per part, and the losses.

    `joined` are the parts for training calls, distributed or alone; `critics` judge mouths of each
    scale, whose patches differ.
    """

    def __init__(
        self, translator: VisualTranslator, options: Options, compute: Compute | None = None
    ) -> None:
        self.options = options
        self.compute = compute or Compute()
        device = self.compute.device
        self.translator = translator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = VisualTranslator(translator.config).requires_grad_(False).eval().to(device)
        self.average.load_state_dict(translator.state_dict())
        self.joined = {part: self.compute.join(getattr(translator, part)) for part in options.parts}
        self.optimizers = {
            part: torch.optim.AdamW(
                getattr(translator, part).parameters(), options.learning_rate, weight_decay=0.01
            )
            for part in options.parts
        }
        self.critics = {scale: Critic(self.compute) for scale in (1, 2)}
        self.perceptual = PerceptualLoss.load(options.vgg).to(device) if options.vgg else None
        self.progress = Progress(dict.fromkeys(options.parts, 0))

    def step(self, part: str, samplers: Sequence[PairSampler]) -> dict[str, float]:
        """Take one optimiser step on one part, with each sampler in turn; returns its loss terms.

        Motion sees the face at a quarter of 256 px and learns from the first alone.
        """
        turn = 0 if part == "motion" else self.progress.steps[part] % len(samplers)
        sampler = samplers[turn]
        optimizer = self.optimizers[part]
        for group in optimizer.param_groups:
            group["lr"] = self._learning_rate()
        if part == "motion":
            terms = motion_losses(self.joined[part], sampler.whole_pairs(self.options.batch))
        else:
            terms = self._painter_losses(
                part, sampler.window_pairs(self.options.batch, REGIONS[part])
            )
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        module = getattr(self.translator, part)
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        self.progress.steps[part] += 1
        follow(getattr(self.average, part), module, self.progress.steps[part])
        return {name: float(value.detach()) for name, value in terms.items()}

    def _painter_losses(self, part: str, pairs: PairBatch) -> dict[str, Tensor]:
        with mixed_precision(self.compute.device):
            painting: Painting = self.joined[part](pairs.window)
        window = pairs.window
        core, around = region_masks(window.target, REGIONS[part], window.origin, window.scale)
        if window.teeth is not None:
            pairs = replace(pairs, wanted=_as_drawn(painting, pairs))
        terms = pixel_losses(painting, pairs.wanted, core, around)
        if self.perceptual:
            weight = emphasis(core, around)
            with mixed_precision(self.compute.device):
                distance = self.perceptual(painting.pixels, pairs.wanted, weight)
            terms["perceptual"] = self.options.perceptual * distance
        share = self.options.adversarial * self._adversarial_ramp()
        if part == "mouth" and share > 0:
            terms |= self.critics[window.scale].judge(painting.pixels, pairs, 0.05 + around, share)
        return terms

    def _adversarial_ramp(self) -> float:
        """Return 0 at first, then rise to 1 while the discriminator warms up."""
        return min(max((self._done() - self.options.adversarial_from) / ADVERSARIAL_RAMP, 0.0), 1.0)

    def _learning_rate(self) -> float:
        share = float(1 + np.cos(np.pi * self._done())) / 2
        return FINAL_LEARNING_RATE + (self.options.learning_rate - FINAL_LEARNING_RATE) * share

    def _done(self) -> float:
        return min(self.progress.seconds / (60 * self.options.minutes), 1.0)

    def save(self) -> None:
        """Write the averaged weights, and everything needed to resume."""
        out = self.options.out
        save_checkpoint(out / CHECKPOINT, self.average.state_dict(), self.average.config)
        state = {
            "translator": self.translator.state_dict(),
            "average": self.average.state_dict(),
            "critics": {scale: critic.state() for scale, critic in self.critics.items()},
            "optimizers": {part: o.state_dict() for part, o in self.optimizers.items()},
            "steps": self.progress.steps,
            "seconds": self.progress.seconds,
        }
        path = out / "state.pt"
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def restore(self) -> None:
        """Resume from what `save` wrote."""
        state = torch.load(
            self.options.out / "state.pt", map_location=self.compute.device, weights_only=True
        )
        self.translator.load_state_dict(state["translator"])
        self.average.load_state_dict(state["average"])
        for scale, critic in self.critics.items():
            critic.restore(state["critics"][scale])
        for part, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][part])
        self.progress = Progress(state["steps"], state["seconds"])


def _as_drawn(painting: Painting, pairs: PairBatch) -> Tensor:
    """Return the wanted pixels `[B, 3, h, w]` with what is drawn between the lips as it is.

    Teeth and tongue of the drawing are not the film's: to learn from their difference turns the
    inside of every mouth into a blur.
    """
    window = pairs.window
    opening = opening_mask(
        window.target, MOUTH, window.origin, grow=LOWERED, polygon=0, scale=window.scale
    )
    return torch.lerp(pairs.wanted, painting.pixels.detach(), opening)


@torch.no_grad()
def follow(average: nn.Module, module: nn.Module, step: int) -> None:
    """Move the averaged weights towards the trained ones."""
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    for mean, current in zip(average.parameters(), module.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)
