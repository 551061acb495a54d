"""Pretrained networks that score videos. None is shipped; pass them as TorchScript files.

Identity uses dlib's network, and emotion in the picture that of `fer`, if they are installed. All
others take RGB frames in 0-1 as float32 `[B, 3, 256, 256]` and do their own cropping, resizing and
normalization, so that the file alone determines what is measured.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.audio import SAMPLES_PER_FRAME
from models.evaluation.dlib_identity import find_dlib_network, load_dlib_identity
from models.evaluation.fer_network import find_fer_network, load_fer_network
from models.metrics.definitions import frechet_distance, sync_confidence

Frames = NDArray[np.uint8]
Array = NDArray[np.float32]
Network = Callable[..., Tensor]

BATCH = 16
SYNC_FRAMES = 5
"""Number of video frames, 0.2 s, in one input of SyncNet."""


@dataclass(frozen=True)
class ScoringNetworks:
    """The available networks; None if not given.

    Attributes:
        identity: frames to embeddings `[B, D]`, for CSIM.
        inception: frames to features `[B, D]`, for FID.
        syncnet: `[B, 5, 3, 256, 256]` and samples `[B, 3200]` to two embeddings `[B, D]`.
        expression: faces `[B, 3, 64, 64]` to probabilities `[B, 7]`, for emotion in the picture.
    """

    identity: Network | None = None
    inception: Network | None = None
    syncnet: Network | None = None
    expression: Network | None = None

    @classmethod
    def load(
        cls,
        device: torch.device,
        *,
        identity: Path | None = None,
        inception: Path | None = None,
        syncnet: Path | None = None,
    ) -> Self:
        """Load the given files: TorchScript, or dlib's own format for identity."""
        return cls(
            identity=_load_identity(identity or find_dlib_network(), device),
            inception=_load(inception, device),
            syncnet=_load(syncnet, device),
            expression=load_fer_network(fer) if (fer := find_fer_network()) else None,
        )

    def features(self, frames: Frames) -> Array | None:
        """Return the features for FID."""
        return None if self.inception is None else embed(self.inception, frames)

    @torch.inference_mode()
    def sync(self, frames: Frames, waveform: Array) -> tuple[float, float] | tuple[None, None]:
        """Return LSE-C and LSE-D of frames `[T, 256, 256, 3]` with their sound `[640 T]`."""
        if self.syncnet is None:
            return None, None
        starts = np.arange(len(frames) - SYNC_FRAMES + 1)
        faces, sounds = [], []
        for batch in np.array_split(starts, -(-len(starts) // BATCH)):
            seen = np.stack([frames[start : start + SYNC_FRAMES] for start in batch])
            first = batch * SAMPLES_PER_FRAME
            heard = np.stack([waveform[i : i + SYNC_FRAMES * SAMPLES_PER_FRAME] for i in first])
            face, sound = self.syncnet(_tensor(seen), torch.from_numpy(heard))
            faces.append(face.cpu().numpy())
            sounds.append(sound.cpu().numpy())
        return sync_confidence(np.concatenate(faces), np.concatenate(sounds))


def fid(real: list[Array | None], generated: list[Array | None]) -> float | None:
    """Return the Fréchet distance of all clips' features, None without features."""
    known = [[f for f in features if f is not None] for features in (real, generated)]
    if not all(known):
        return None
    return frechet_distance(*(np.concatenate(features) for features in known))


def _load_identity(path: Path | None, device: torch.device) -> Network | None:
    if path is not None and path.suffix == ".dat":
        return load_dlib_identity(path)
    return _load(path, device)


def _load(path: Path | None, device: torch.device) -> Network | None:
    if path is None:
        return None
    with warnings.catch_warnings():
        # Such networks are published as TorchScript, although newer versions of torch deprecate it.
        warnings.simplefilter("ignore", DeprecationWarning)
        network = torch.jit.load(path, map_location=device).eval()  # type: ignore[no-untyped-call]
    return lambda *inputs: network(*(x.to(device) for x in inputs))


@torch.inference_mode()
def embed(network: Network, frames: Frames) -> Array:
    """Return a network's output `[T, D]` for frames `[T, 256, 256, 3]`."""
    batches = np.array_split(frames, -(-len(frames) // BATCH))
    return np.concatenate([network(_tensor(batch)).cpu().numpy() for batch in batches])


def _tensor(frames: Frames) -> Tensor:
    """Convert frames `[..., 256, 256, 3]` to float `[..., 3, 256, 256]` in 0-1."""
    return torch.from_numpy(np.ascontiguousarray(frames)).movedim(-1, -3).float() / 255
