"""Train the network that detects coverings.

    python -m models.training.covering.train --data data --out runs/covering

Faces come from `portraits` and `stills`; one in eight people is held out.
"""

import argparse
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor

from media.faces.landmarks import CROP_SIZE
from models.checkpoints import save_checkpoint
from models.face.covering import CHECKPOINT, PARTS, SIDE, CoveringConfig, CoveringNetwork
from models.training.covering.things import UNSURE, draw_rims, draw_thing

HELD_OUT = 8
BATCH = 64
DRAWN_SIDE = 128
"""Pixels of the face crops on which things are drawn."""
SHARE_COVERED, SHARE_RIMMED = 0.6, 0.1


@dataclass(frozen=True, eq=False)
class Sitter:
    """A face crop of 128 x 128 px with its landmarks `[79, 2]`."""

    name: str
    picture: Image.Image
    face: NDArray[np.float32]

    @property
    def is_held_out(self) -> bool:
        """Whether the person is only used for validation."""
        return zlib.crc32(self.name.split("_")[0].encode()) % HELD_OUT == 0


def read_sitters(data: Path, without: frozenset[str] = frozenset()) -> list[Sitter]:
    """Read the portraits and stills, except for those named."""
    sitters = []
    for folder in ("portraits", "stills"):
        archive = np.load(data / "landmarks" / f"{folder}.npz")
        for name in sorted(set(archive) - without):
            with Image.open(data / folder / f"{name}.jpg") as file:
                picture = file.convert("RGB").resize((DRAWN_SIDE, DRAWN_SIDE), reducing_gap=2.0)
            face = archive[name].astype(np.float32) / 64 * (DRAWN_SIDE / CROP_SIZE)
            sitters.append(Sitter(name, picture, face))
    return sitters


def draw_example(
    sitters: list[Sitter], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Return a crop `[64, 64, 3]` and the labels of mouth and eyes."""
    sitter, other = (sitters[i] for i in rng.integers(len(sitters), size=2))
    picture, labels = sitter.picture, (0.0, 0.0)
    if rng.random() < SHARE_RIMMED:
        picture = draw_rims(picture, sitter.face, rng)
    if rng.random() < SHARE_COVERED:
        picture, labels = draw_thing(picture, sitter.face, other.picture, rng)
    return np.asarray(_disturbed(picture, rng)), labels


def draw_batch(sitters: list[Sitter], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return crops `[B, 3, 64, 64]` in 0-1 and labels `[B, 2]`."""
    crops, labels = zip(*[draw_example(sitters, rng) for _ in range(BATCH)], strict=True)
    pixels = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
    return pixels, torch.tensor(labels)


def loss_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the binary cross-entropy over the labels that are sure."""
    sure = labels != UNSURE
    return F.binary_cross_entropy_with_logits(logits[sure], labels[sure])


def train(sitters: list[Sitter], steps: int, seed: int) -> CoveringNetwork:
    """Train a network from scratch."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    seen = [sitter for sitter in sitters if not sitter.is_held_out]
    network = CoveringNetwork(CoveringConfig())
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for step in range(steps):
        crops, labels = draw_batch(seen, rng)
        loss = loss_of(network(crops), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step} loss {loss.item():.4f}", flush=True)
    return network.eval()


@torch.inference_mode()
def validate(network: CoveringNetwork, sitters: list[Sitter], batches: int = 12) -> str:
    """Return how often held-out faces are judged rightly, at a probability of 0.5 and 0.9."""
    held_out, rng = [s for s in sitters if s.is_held_out], np.random.default_rng(99)
    drawn = [draw_batch(held_out, rng) for _ in range(batches)]
    logits = torch.cat([network(crops) for crops, _ in drawn]).sigmoid()
    labels = torch.cat([labels for _, labels in drawn])
    return "\n".join(
        _judgement(name, bound, logits[:, part], labels[:, part])
        for part, name in enumerate(PARTS)
        for bound in (0.5, 0.9)
    )


def _judgement(name: str, bound: float, probabilities: Tensor, labels: Tensor) -> str:
    covered, free = (probabilities[labels == label] > bound for label in (1.0, 0.0))
    return (
        f"{name} at {bound}: {covered.float().mean():.3f} of {len(covered)} covered found, "
        f"{free.float().mean():.4f} of {len(free)} others"
    )


def _disturbed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the crop at the network's size: moved, turned, mirrored, in another light."""
    angle, scale = np.radians(rng.uniform(-10, 10)), rng.uniform(0.88, 1.14)
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.full(2, DRAWN_SIDE / 2)
    shift = centre - matrix @ centre + rng.uniform(-0.05, 0.05, 2) * DRAWN_SIDE
    places = (*matrix[0], shift[0], *matrix[1], shift[1])
    picture = picture.transform(
        picture.size, Image.Transform.AFFINE, places, Image.Resampling.BILINEAR
    )
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.25:
        picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2)))
    picture = ImageEnhance.Brightness(picture).enhance(rng.uniform(0.6, 1.4))
    picture = ImageEnhance.Contrast(picture).enhance(rng.uniform(0.6, 1.4))
    picture = ImageEnhance.Color(picture).enhance(
        0.0 if rng.random() < 0.2 else rng.uniform(0.5, 1.5)
    )
    small = np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    cast = rng.uniform(0.88, 1.12, 3) if rng.random() < 0.5 else np.ones(3)
    noise = rng.normal(0, rng.uniform(0, 4), small.shape)
    return Image.fromarray((small * cast + noise).clip(0, 255).astype(np.uint8))


def main() -> None:
    """Train, validate and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without", type=Path, help="names of pictures to leave out, one per line")
    given = parser.parse_args()
    without = frozenset(given.without.read_text().split()) if given.without else frozenset()
    sitters = read_sitters(given.data, without)
    network = train(sitters, given.steps, given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(given.out / CHECKPOINT, network.state_dict(), network.config)
    print(validate(network, sitters))


if __name__ == "__main__":
    main()
