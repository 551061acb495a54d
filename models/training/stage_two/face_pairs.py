"""Training pairs: a portrait and another frame of its clip, mirrored and recoloured alike."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.faces.landmarks import CROP_SIZE, MIRROR
from models.corpus.clips import eye_opening, mouth_opening
from models.landmarks_to_video.face_regions import EYES, MOUTH, Region, window_origin
from models.landmarks_to_video.mouth.complexion import complexion
from models.landmarks_to_video.mouth.dentition import Dentitions, read_teeth, tooth_area
from models.landmarks_to_video.painted_window import Window
from models.landmarks_to_video.warping import FLOW_STRIDE, landmark_flow, pixel_grid
from models.training.common.compute import CPU
from models.training.stage_two.face_frames import PORTRAITS, FaceFrames

SHARES = {"lrcar": 0.5, "grid": 0.12, "expressive": 0.16, "stills": 0.22, "portraits": 1.0}
"""Probability of drawing a pair from each set; otherwise news clips would dominate."""
USUAL_SHARE = 0.5
"""That of any other set."""
OPENING_CLASSES, WIDE = (4.0, 8.0, 16.0), 0.5
"""Inner-lip distances, px, that part the classes of openings; how often a filmed mouth is drawn by
class: wide ones are rare in speech.
"""
LENT = 0.4
"""How often a mouth is given another person's teeth though its own are known."""
MARGIN = 32
"""Pixels around the portrait's window that are kept for the warp."""
JITTER = 0.4
"""Standard deviation of the noise on landmarks, px: that of the tracker."""
CALM_SOURCES, MOVED_TARGETS = 0.6, 0.5
"""Probability that the portrait has one of its clip's three calmest mouths, or lids, and the target
one of the four with the most motion.
"""
BLINKS, BLINK = 0.5, 5.0
"""Probability that the eyes come from a clip with a blink: lids that travel this many px."""
TOOTH_AREA = 800.0
"""Texels of the upper map that must look like teeth before a portrait is said to show its own."""


@dataclass(frozen=True)
class PairBatch:
    """B windows to paint, and the filmed pixels `[B, 3, h, w]`, 0-1, that are wanted there.

    borrowed: `[B]`, 1 where the mouth is given another person's teeth.
    """

    window: Window
    wanted: Tensor
    borrowed: Tensor


@dataclass(frozen=True)
class FacePairBatch:
    """B whole faces: portraits and wanted frames `[B, 3, 256, 256]`, landmarks `[B, 79, 2]` px."""

    portraits: Tensor
    wanted: Tensor
    source: Tensor
    target: Tensor


@dataclass(frozen=True)
class Draw:
    """The random choices of a batch.

    rows `[B, 2]` of portrait and target frame, mirrored `[B]`, tone curves `[B, 3, 256]`.
    """

    rows: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    curves: NDArray[np.float32]


class PairSampler:
    """Draws pairs of frames, with more opening mouths and closing eyes than at random."""

    def __init__(
        self,
        faces: FaceFrames,
        rng: np.random.Generator,
        device: torch.device = CPU,
        dentitions: Dentitions | None = None,
    ) -> None:
        """Draw from `faces`; mouths without teeth of their own are given those of `dentitions`."""
        self.faces = faces
        self.dentitions = (dentitions or Dentitions(1)).to(device)
        self.rng = rng
        self.device = device
        # A GPU holds all frames of the sets we know; a CPU maps them from the cache.
        self.images = torch.from_numpy(faces.images)
        if device.type == "cuda":
            self.images = self.images.to(device)
        self.openings = mouth_opening(faces.landmarks)
        self.lids = eye_opening(faces.landmarks)
        starts = np.flatnonzero(np.diff(faces.clips, prepend=-1))
        bounds = [*starts.tolist(), len(faces)]
        self.spans = list(pairwise(bounds))
        self.starts = starts
        films = [i for i, name in enumerate(faces.names) if name not in PORTRAITS]
        self.filmed = filmed = np.isin(faces.sets, films)
        classes = np.digitize(self.openings, OPENING_CLASSES)
        found = [np.flatnonzero(filmed & (classes == c)) for c in range(1, 4)]
        self.wide = [rows for rows in found if len(rows)]
        sets = faces.sets[starts]
        clips = {n: np.flatnonzero(sets == i) for i, n in enumerate(faces.names)}
        self.clips_of = {name: found for name, found in clips.items() if len(found)}
        travel = np.array([np.ptp(self.lids[start:stop]) for start, stop in self.spans])
        blinking = {n: c[travel[c] > BLINK] for n, c in self.clips_of.items() if n not in PORTRAITS}
        self.blinking = [clips for clips in blinking.values() if len(clips)]

    def window_pairs(self, count: int, region: Region, *, aligned: bool = False) -> PairBatch:
        """Draw `count` pairs and cut the region out of them.

        If `aligned`, the frame that is wanted from a film is its own portrait, too.
        """
        draw = self._draw(count, region)
        if aligned:
            filmed = self.filmed[draw.rows[:, 1]]
            draw.rows[filmed, 0] = draw.rows[filmed, 1]
        source, target = self._landmarks(draw, 0), self._landmarks(draw, 1)
        origin = window_origin(target, region)
        height, width = region.height + 2 * MARGIN, region.width + 2 * MARGIN
        last = torch.tensor([CROP_SIZE - width, CROP_SIZE - height], device=self.device)
        shift = (window_origin(source, region) - MARGIN).clamp_min(0).minimum(last)
        portraits = self._cut(draw, 0, shift, height, width)
        wanted = self._cut(draw, 1, origin, region.height, region.width)
        teeth, borrowed = self._teeth(wanted, source, target, origin, region)
        source, target = self._jitter(source), self._jitter(target)
        flow = window_flow(source, target, origin, region)
        scale = self.faces.scale
        window = Window(portraits, shift, flow, source, target, origin, teeth, scale)
        return PairBatch(window, wanted, borrowed)

    def _teeth(
        self, wanted: Tensor, source: Tensor, target: Tensor, origin: Tensor, region: Region
    ) -> tuple[Tensor | None, Tensor]:
        """Return the teeth that each mouth is given, and `[B]`: 1 where they are not its own.

        Its own are those of the wanted picture: a closed portrait's teeth are a matter of chance,
        and to guess them teaches a blur.
        """
        if region is not MOUTH:
            return None, torch.zeros(len(wanted), device=self.device)
        own, colour = read_teeth(wanted, target, origin, self.faces.scale, rest=source)
        skin = complexion(wanted, target, origin, self.faces.scale)
        lent = self.dentitions.borrowed(source)
        chance = torch.from_numpy(self.rng.random(len(wanted)) < LENT).to(self.device)
        borrowed = (chance | (tooth_area(own, colour, skin) < TOOTH_AREA)).float()
        own = torch.cat([own[:, :, :3] * self._exposure(len(own)), own[:, :, 3:]], dim=2)
        return torch.lerp(own, lent, borrowed[:, None, None, None, None]), borrowed

    def _exposure(self, count: int) -> Tensor:
        """Draw `[B, 1, 1, 1, 1]` brightnesses: how light teeth are is to be told from the skin."""
        factors = self.rng.uniform(0.85, 1.15, (count, 1, 1, 1, 1)).astype(np.float32)
        return torch.from_numpy(factors).to(self.device)

    def whole_pairs(self, count: int) -> FacePairBatch:
        """Draw `count` pairs of whole faces."""
        draw = self._draw(count)
        corner = torch.zeros(count, 2, dtype=torch.long, device=self.device)
        pictures = [self._cut(draw, side, corner, CROP_SIZE, CROP_SIZE) for side in (0, 1)]
        landmarks = [self._jitter(self._landmarks(draw, side)) for side in (0, 1)]
        return FacePairBatch(*pictures, *landmarks)

    def _draw(self, count: int, region: Region | None = None) -> Draw:
        draw_pair = self._eyes_pair if region is EYES else self._mouth_pair
        names = [n for n in self.clips_of if region is MOUTH or n not in PORTRAITS]
        rows = np.array([draw_pair(names) for _ in range(count)])
        return Draw(rows, self.rng.random(count) < 0.5, self._colour_curves(count))

    def _mouth_pair(self, names: list[str]) -> tuple[int, int]:
        """Return the rows of a portrait and of the frame wanted from it."""
        name, clip = self._clip(names)
        start, stop = self.spans[clip]
        if name in PORTRAITS:
            return start + int(self.rng.choice([1, 1, *range(2, stop - start)])), start
        if self.wide and self.rng.random() < WIDE:
            start, stop, target = self._wide_opening()
            calmest = start + np.argsort(self.openings[start:stop])[:3]
            return int(self.rng.choice(calmest)), target
        return self._from_rest(start + np.argsort(self.openings[start:stop]))

    def _wide_opening(self) -> tuple[int, int, int]:
        """Draw a frame from each class of openings alike; returns its clip's bounds and its row."""
        row = int(self.rng.choice(self.wide[int(self.rng.integers(len(self.wide)))]))
        return *self.spans[int(np.searchsorted(self.starts, row, side="right")) - 1], row

    def _eyes_pair(self, names: list[str]) -> tuple[int, int]:
        """Return a portrait with open eyes, often, and a frame with closed ones, often."""
        blink = self.blinking and self.rng.random() < BLINKS
        clip = self._blinking_clip() if blink else self._clip(names)[1]
        start, stop = self.spans[clip]
        return self._from_rest(start + np.argsort(-self.lids[start:stop]))

    def _blinking_clip(self) -> int:
        """Draw from each set equally: most news is read with lids painted on."""
        clips = self.blinking[int(self.rng.integers(len(self.blinking)))]
        return int(self.rng.choice(clips))

    def _clip(self, names: list[str]) -> tuple[str, int]:
        shares = np.array([SHARES.get(n, USUAL_SHARE) for n in names])
        name = str(self.rng.choice(names, p=shares / shares.sum()))
        return name, int(self.rng.choice(self.clips_of[name]))

    def _from_rest(self, order: NDArray[np.int64]) -> tuple[int, int]:
        """Draw from rows in order, a calm portrait and a moved target more often than chance."""
        source = order[:3] if self.rng.random() < CALM_SOURCES else order
        target = order[-4:] if self.rng.random() < MOVED_TARGETS else order
        return int(self.rng.choice(source)), int(self.rng.choice(target))

    def _landmarks(self, draw: Draw, side: int) -> Tensor:
        points = self.faces.landmarks[draw.rows[:, side]]
        flipped = points[:, MIRROR] * np.array([-1, 1]) + np.array([CROP_SIZE - 1, 0])
        chosen = np.where(draw.mirrored[:, None, None], flipped, points)
        return torch.from_numpy(chosen.astype(np.float32)).to(self.device)

    def _jitter(self, landmarks: Tensor) -> Tensor:
        noise = self.rng.normal(0, JITTER, tuple(landmarks.shape)).astype(np.float32)
        return landmarks + torch.from_numpy(noise).to(self.device)

    def _cut(self, draw: Draw, side: int, origin: Tensor, height: int, width: int) -> Tensor:
        """Return `[B, 3, scale * height, scale * width]` in 0-1, each channel through its curve."""
        scale, device = self.faces.scale, self.device
        rows = torch.from_numpy(draw.rows[:, side]).to(self.images.device)
        mirrored = torch.from_numpy(draw.mirrored).to(device)[:, None]
        x = scale * origin[:, :1] + torch.arange(scale * width, device=device)
        y = scale * origin[:, 1:] + torch.arange(scale * height, device=device)
        x = torch.where(mirrored, scale * CROP_SIZE - 1 - x, x)
        x, y = x.to(rows.device), y.to(rows.device)
        windows = self.images[rows[:, None, None], y[:, :, None], x[:, None, :]].to(device)
        levels = windows.permute(0, 3, 1, 2).flatten(2).long()
        curves = torch.from_numpy(draw.curves).to(device)
        return curves.gather(2, levels).reshape(-1, 3, scale * height, scale * width)

    def _colour_curves(self, count: int) -> NDArray[np.float32]:
        """Draw `[B, 3, 256]` tone curves, for more skin tones and lighting than in the footage."""
        gamma = self.rng.uniform(0.8, 1.25, (count, 1, 1))
        light = self.rng.uniform(0.7, 1.2, (count, 1, 1))
        balance = self.rng.uniform(0.85, 1.15, (count, 3, 1))
        curves = (np.arange(256) / 255) ** gamma * light * balance
        return np.clip(curves, 0, 1).astype(np.float32)


def window_flow(source: Tensor, target: Tensor, origin: Tensor, region: Region) -> Tensor:
    """Return the thin-plate flow `[B, 2, h / 4, w / 4]` px over each pair's window alone."""
    height, width = region.height // FLOW_STRIDE, region.width // FLOW_STRIDE
    grid = pixel_grid(height, width, FLOW_STRIDE).to(origin.device)
    nodes = grid.reshape(1, -1, 2) + origin[:, None]
    flow = landmark_flow(source, target, nodes)
    return flow.transpose(1, 2).reshape(-1, 2, height, width)
