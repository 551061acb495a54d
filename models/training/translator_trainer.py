"""The visual translator's trainer: losses, optimisers, averaged weights and how they are kept."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.face_regions import EYES, MOUTH, region_geometry
from models.painter import Painting
from models.training.discriminator import PatchDiscriminator, feature_distance, hinge
from models.training.face_pairs import PairBatch, PairSampler
from models.training.image_losses import (
    PerceptualLoss,
    emphasis,
    motion_losses,
    pixel_losses,
    region_masks,
)
from models.visual_translator import VisualTranslator

PART_SHARES = {"mouth": 6, "eyes": 1, "motion": 1}
"""Steps of each part in one round."""
REGIONS = {"mouth": MOUTH, "eyes": EYES}
LEARNING_RATE = 1e-3
FINAL_LEARNING_RATE = 1e-5
DISCRIMINATOR_LEARNING_RATE = 3e-4
EMA_DECAY = 0.999
PERCEPTUAL_WEIGHT, PERCEPTUAL_EVERY = 0.15, 2
ADVERSARIAL_FROM = 0.4
"""Share of the run after which the mouth is also judged by a discriminator."""
ADVERSARIAL_WEIGHT, FEATURE_WEIGHT = 0.02, 0.2


@dataclass
class Options:
    """What one run is asked to do; `minutes` counts training time over all resumed runs."""

    data: Path
    out: Path
    minutes: float
    cache: Path | None = None
    vgg: Path | None = None
    parts: tuple[str, ...] = tuple(PART_SHARES)
    batch: int = 8
    seed: int = 0
    resume: bool = False
    save_minutes: float = 3.0
    sheet_minutes: float = 5.0


@dataclass
class Progress:
    """How far training has come."""

    steps: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Trainer:
    """The translator, its averaged copy, one optimiser a part, and the losses."""

    def __init__(self, translator: VisualTranslator, options: Options) -> None:
        self.options = options
        self.translator = translator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = VisualTranslator(translator.config).requires_grad_(False).eval()
        self.average.load_state_dict(translator.state_dict())
        self.optimizers = {
            part: torch.optim.AdamW(
                getattr(translator, part).parameters(), LEARNING_RATE, weight_decay=0.01
            )
            for part in options.parts
        }
        self.discriminator = PatchDiscriminator().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.discriminator_optimizer = torch.optim.Adam(
            self.discriminator.parameters(), DISCRIMINATOR_LEARNING_RATE, betas=(0.5, 0.99)
        )
        self.perceptual = PerceptualLoss.load(options.vgg) if options.vgg else None
        self.progress = Progress(dict.fromkeys(options.parts, 0))

    def step(self, part: str, sampler: PairSampler) -> dict[str, float]:
        """Take one optimiser step on one part; returns its loss terms."""
        optimizer = self.optimizers[part]
        for group in optimizer.param_groups:
            group["lr"] = self._learning_rate()
        if part == "motion":
            terms = motion_losses(self.translator.motion, sampler.whole_pairs(self.options.batch))
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
        with torch.autocast("cpu", dtype=torch.bfloat16):
            painting: Painting = getattr(self.translator, part)(pairs.window)
        core, around = region_masks(pairs.window.target, REGIONS[part], pairs.window.origin)
        terms = pixel_losses(painting, pairs.wanted, core, around)
        if self.perceptual and self.progress.steps[part] % PERCEPTUAL_EVERY == 0:
            weight = emphasis(core, around)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                distance = self.perceptual(painting.pixels, pairs.wanted, weight)
            terms["perceptual"] = PERCEPTUAL_WEIGHT * distance
        if part == "mouth" and self._done() > ADVERSARIAL_FROM:
            terms |= self._contest(painting.pixels, pairs, 0.05 + around)
        return terms

    def _contest(self, pixels: Tensor, pairs: PairBatch, weight: Tensor) -> dict[str, Tensor]:
        """Teach the discriminator one step, then return what it makes of the painting."""
        geometry = region_geometry(pairs.window.target, MOUTH, pairs.window.origin)
        maps = geometry[:, : PatchDiscriminator.LANDMARK_CHANNELS]
        area = F.avg_pool2d(weight, 4)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            real, _ = self.discriminator(pairs.wanted, maps)
            fake, _ = self.discriminator(pixels.detach(), maps)
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        hinge(real, fake, area).backward()  # type: ignore[no-untyped-call]
        self.discriminator_optimizer.step()
        self.discriminator.requires_grad_(False)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            _, expected = self.discriminator(pairs.wanted, maps)
            scores, features = self.discriminator(pixels, maps)
        self.discriminator.requires_grad_(True)
        return {
            "adversarial": -ADVERSARIAL_WEIGHT * (scores * area).sum() / area.sum(),
            "features": FEATURE_WEIGHT * feature_distance(features, expected),
        }

    def _learning_rate(self) -> float:
        share = float(1 + np.cos(np.pi * self._done())) / 2
        return FINAL_LEARNING_RATE + (LEARNING_RATE - FINAL_LEARNING_RATE) * share

    def _done(self) -> float:
        return min(self.progress.seconds / (60 * self.options.minutes), 1.0)

    def save(self) -> None:
        """Write everything that is needed to go on."""
        state = {
            "translator": self.translator.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "discriminator_optimizer": self.discriminator_optimizer.state_dict(),
            "optimizers": {part: o.state_dict() for part, o in self.optimizers.items()},
            "steps": self.progress.steps,
            "seconds": self.progress.seconds,
        }
        path = self.options.out / "state.pt"
        torch.save(state, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def restore(self) -> None:
        """Go on where `save` left off."""
        state = torch.load(self.options.out / "state.pt", weights_only=True)
        self.translator.load_state_dict(state["translator"])
        self.average.load_state_dict(state["average"])
        self.discriminator.load_state_dict(state["discriminator"])
        self.discriminator_optimizer.load_state_dict(state["discriminator_optimizer"])
        for part, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][part])
        self.progress = Progress(state["steps"], state["seconds"])


@torch.no_grad()
def follow(average: nn.Module, module: nn.Module, step: int) -> None:
    """Move the averaged weights towards the trained ones."""
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    for mean, current in zip(average.parameters(), module.parameters(), strict=True):
        mean.lerp_(current, 1 - decay)
