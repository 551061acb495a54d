"""Train the retouch of drawn mouths against filmed ones.

    python -m models.training.stage_two.train_retouch --data DIR --minutes 30 --out DIR

Each mouth is drawn into the very frame that is wanted, or into a copy of it with the lips warped
shut. Outside the drawing, both agree to the pixel. A pool of mouths is kept on the device and
renewed little by little, because drawing takes longer than a step. The output folder contains the
translator with the averaged weights, `curve.csv` and `sheet.png`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from media.faces.landmarks import CROP_SIZE
from models.checkpoints import save_checkpoint
from models.landmarks_to_video.face_regions import MOUTH
from models.landmarks_to_video.mouth.interior import Opening
from models.landmarks_to_video.mouth.retouch import Retouch
from models.landmarks_to_video.painted_window import drawn_pixels
from models.landmarks_to_video.painter_network import Sketch
from models.landmarks_to_video.visual_translator import CHECKPOINT, RESOLUTIONS, VisualTranslator
from models.manifest import WEIGHTS
from models.precision import mixed_precision
from models.training.common.compute import Compute, open_compute
from models.training.common.session import Session
from models.training.stage_two.face_frames import count_frames, open_face_frames
from models.training.stage_two.face_pairs import PairSampler
from models.training.stage_two.image_losses import (
    emphasis,
    gradient_l1,
    region_masks,
    weighted_l1,
)

RIM = 1.5
"""Pixels from the lips over which a mouth with borrowed teeth must look as filmed."""
DRAWN_AT_ONCE = 32
RENEWED_EVERY = 16
"""Steps after which as many mouths as are drawn at once are replaced."""
RECORDED_EVERY = 50
SHEET_ROWS = 8


@dataclass(frozen=True)
class RetouchOptions:
    """The arguments of a run.

    cache: folder of decoded frames, filled if empty.
    pool: mouths kept of each resolution.
    """

    data: Path
    out: Path
    minutes: float
    cache: Path | None = None
    weights: Path = WEIGHTS / CHECKPOINT
    rate: float = 2e-3
    batch: int = 16
    pool: int = 512
    save_minutes: float = 2.0
    seed: int = 0


@dataclass(frozen=True)
class Mouths:
    """N drawn mouths beside filmed ones, all of one resolution.

    drawn, wanted: `[N, 3, h, w]`, 0-1.
    teeth: `[N, 8, h, w]` where they were drawn.
    target: `[N, 79, 2]` and origin `[N, 2]`, px of a 256 px crop.
    borrowed: `[N]`, 1 where the teeth are another person's.
    """

    drawn: Tensor
    wanted: Tensor
    teeth: Tensor
    target: Tensor
    origin: Tensor
    borrowed: Tensor

    @property
    def scale(self) -> int:
        """Pixels for each of a 256 px crop: 1 or 2."""
        return self.drawn.shape[-1] // MOUTH.width

    @property
    def opening(self) -> Opening:
        """Where each pixel lies between the lips."""
        return Opening.of(self.target, self.origin, self.scale)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return all of them."""
        tensors = {f.name: [getattr(part, f.name) for part in parts] for f in fields(cls)}
        return cls(**{name: torch.cat(tensor) for name, tensor in tensors.items()})

    def at(self, rows: Tensor) -> Self:
        """Return some of them, in full precision."""
        chosen = {f.name: getattr(self, f.name)[rows] for f in fields(self)}
        return type(self)(
            **{n: t.float() if t.is_floating_point() else t for n, t in chosen.items()}
        )

    def put(self, start: int, new: Self) -> None:
        """Replace those from `start` on by new ones."""
        for field in fields(self):
            kept, fresh = getattr(self, field.name), getattr(new, field.name)
            kept[start : start + len(fresh)] = fresh


class MouthPool:
    """Mouths of one resolution, drawn by the painter as it is."""

    def __init__(
        self, sampler: PairSampler, translator: VisualTranslator, size: int, compute: Compute
    ) -> None:
        self.sampler, self.painter, self.compute = sampler, translator.mouth, compute
        self.mouths = Mouths.joined([self._draw() for _ in range(-(-size // DRAWN_AT_ONCE))])
        self._oldest = 0

    def renew(self) -> None:
        """Replace the oldest."""
        self.mouths.put(self._oldest, self._draw())
        self._oldest = (self._oldest + DRAWN_AT_ONCE) % len(self.mouths.target)

    def choose(self, count: int) -> Mouths:
        """Return `count` of them, chosen at random."""
        rows = self.sampler.rng.integers(0, len(self.mouths.target), count)
        return self.mouths.at(torch.from_numpy(rows).to(self.mouths.target.device))

    @torch.no_grad()
    def _draw(self) -> Mouths:
        pairs = self.sampler.window_pairs(DRAWN_AT_ONCE, MOUTH, aligned=True)
        window = pairs.window
        with mixed_precision(self.compute.device):
            sketch = self.painter.sketch(window, to_learn=True)
        drawn, _ = drawn_pixels(sketch.paint, window, slice(None))
        return Mouths(
            drawn=drawn.half(),
            wanted=pairs.wanted.half(),
            teeth=_teeth(sketch).half(),
            target=window.target,
            origin=window.origin,
            borrowed=pairs.borrowed,
        )


def _teeth(sketch: Sketch) -> Tensor:
    if sketch.inside is None:
        raise ValueError("The mouths were drawn without teeth.")
    return sketch.inside.teeth


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--weights", type=Path, default=RetouchOptions.weights)
    parser.add_argument("--rate", type=float, default=RetouchOptions.rate)
    parser.add_argument("--save-minutes", type=float, default=RetouchOptions.save_minutes)
    for name in ("batch", "pool", "seed"):
        parser.add_argument(f"--{name}", type=int, default=getattr(RetouchOptions, name))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    values = vars(parser.parse_args())
    with open_compute(values.pop("device"), values.pop("threads")) as compute:
        train(RetouchOptions(**values), compute)


def train(options: RetouchOptions, compute: Compute) -> Retouch:
    """Train for the given minutes; return the averaged network."""
    translator = VisualTranslator.load(compute.device, options.weights).requires_grad_(False)
    pools = _pools(options, compute, translator)
    network = translator.mouth.retouch.requires_grad_(True)
    optimizer = torch.optim.Adam(network.parameters(), options.rate)
    session = Session(network, optimizer, options.out, options.minutes, compute)
    saved = session.seconds
    while session.progress < 1.0:
        pool = pools[session.step % len(pools)]
        if session.step % RENEWED_EVERY < len(pools):
            pool.renew()
        terms = retouch_losses(session.joined, pool.choose(options.batch), compute)
        session.descend(torch.stack(list(terms.values())).sum())
        if session.step % RECORDED_EVERY == 0:
            session.record({name: value.item() for name, value in terms.items()})
        if session.seconds - saved > 60 * options.save_minutes:
            saved = session.seconds
            _save(session, translator, pools[-1])
    _save(session, translator, pools[-1])
    return session.average


def _pools(
    options: RetouchOptions, compute: Compute, translator: VisualTranslator
) -> list[MouthPool]:
    cache, rng = options.cache or options.out / "faces", compute.randomness(options.seed)
    pools = []
    for side in RESOLUTIONS:
        scale = side // CROP_SIZE
        if count_frames(options.data, scale):
            faces = open_face_frames(options.data, cache / str(side), scale)
            sampler = PairSampler(faces, rng, compute.device, translator.dentitions)
            pools.append(MouthPool(sampler, translator, options.pool, compute))
    return pools


def retouch_losses(network: torch.nn.Module, mouths: Mouths, compute: Compute) -> dict[str, Tensor]:
    """Return how far retouched mouths are from filmed ones, in pixels and in edges."""
    opening = mouths.opening
    with mixed_precision(compute.device):
        change = network(mouths.drawn, opening, mouths.teeth)
    retouched, wanted = mouths.drawn + change, _wanted(mouths, opening)
    weight = emphasis(*region_masks(mouths.target, MOUTH, mouths.origin, mouths.scale))
    return {
        "pixels": weighted_l1(retouched, wanted, weight),
        "edges": gradient_l1(retouched, wanted, weight),
    }


def _wanted(mouths: Mouths, opening: Opening) -> Tensor:
    """Return the filmed mouths, with what lies deep between borrowed teeth left as it is drawn.

    The portrait does not show that, and a network that has to guess paints a blur.
    """
    depth = torch.minimum(opening.below_upper, opening.above_lower)
    deep = ((depth - RIM) / RIM).clamp(0, 1) * opening.inside
    return torch.lerp(mouths.wanted, mouths.drawn, deep * mouths.borrowed[:, None, None, None])


def _save(session: Session[Retouch], translator: VisualTranslator, pool: MouthPool) -> None:
    learned = {f"mouth.retouch.{n}": t for n, t in session.average.state_dict().items()}
    state = translator.state_dict() | learned
    save_checkpoint(session.folder / CHECKPOINT, state, translator.config)
    draw_sheet(session.average, pool.mouths).save(session.folder / "sheet.png")
    print(f"{session.seconds:.0f} s, {session.step} steps", flush=True)


@torch.no_grad()
def draw_sheet(network: torch.nn.Module, mouths: Mouths) -> Image.Image:
    """Return the widest mouths as drawn, retouched and filmed."""
    heights = mouths.at(torch.arange(len(mouths.target))).opening.height.amax((1, 2, 3))
    widest = mouths.at(heights.argsort(descending=True)[: 2 * SHEET_ROWS])
    change = network(widest.drawn, widest.opening, widest.teeth)
    columns = torch.cat([widest.drawn, widest.drawn + change, widest.wanted], dim=3)
    enlarged = F.interpolate(columns, scale_factor=2.0).clamp(0, 1).cpu()
    halves = [torch.cat(list(half), dim=1) for half in enlarged.chunk(2)]
    sheet = torch.cat(halves, dim=2).permute(1, 2, 0).numpy()
    return Image.fromarray((255 * sheet).round().astype(np.uint8))


if __name__ == "__main__":
    main()
