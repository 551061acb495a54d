import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.evaluation import scoring_networks as judges_module
from models.evaluation.scoring_networks import ScoringNetworks, embed, fid
from tests.unit.models.faces import face_picture

CPU = torch.device("cpu")


class MeanColour(nn.Module):
    def forward(self, frames: Tensor) -> Tensor:
        return frames.mean(dim=(2, 3))


class LoudnessAndBrightness(nn.Module):
    """Embeds what is seen and what is heard, each as one number and a constant."""

    def forward(self, frames: Tensor, sound: Tensor) -> tuple[Tensor, Tensor]:
        seen, heard = frames.mean(dim=(1, 2, 3, 4)), sound.mean(dim=1)
        return torch.stack([seen, torch.ones_like(seen)], 1), torch.stack(
            [heard, torch.ones_like(heard)], 1
        )


def saved(network: nn.Module, path: Path, *inputs: Tensor) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(network, inputs).save(path)  # type: ignore[no-untyped-call]
    return path


@pytest.fixture
def colour(tmp_path: Path) -> Path:
    return saved(MeanColour(), tmp_path / "colour.pt", torch.rand(2, 3, 256, 256))


def test_without_networks_nothing_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges_module, "find_dlib_network", lambda: None)
    scorers = ScoringNetworks.load(CPU)
    frames = face_picture()[None]
    assert scorers.identity is None
    assert scorers.sync(frames, np.zeros(640, np.float32)) == (None, None)
    assert fid([scorers.features(frames)], [scorers.features(frames)]) is None


def test_a_given_identity_network_is_used(colour: Path) -> None:
    scorers = ScoringNetworks.load(CPU, identity=colour)
    frames = np.full((1, 256, 256, 3), (255, 0, 51), np.uint8)
    assert scorers.identity is not None
    np.testing.assert_allclose(embed(scorers.identity, frames), [[1.0, 0.0, 0.2]], atol=1e-6)


def test_fid_is_over_the_frames_of_all_clips(colour: Path) -> None:
    scorers = ScoringNetworks.load(CPU, inception=colour)
    noise = np.random.default_rng(0).integers(0, 200, (12, 1, 1, 3))
    frames = np.broadcast_to(noise, (12, 256, 256, 3)).astype(np.uint8)
    real = [scorers.features(frames[:6]), scorers.features(frames[6:])]
    brighter = [scorers.features(frames + np.uint8(51))]
    assert fid(real, [scorers.features(frames)]) == pytest.approx(0, abs=1e-6)
    assert fid(real, brighter) == pytest.approx(3 * 0.2**2, rel=1e-3)


def test_sync_finds_pictures_that_flicker_with_their_sound(tmp_path: Path) -> None:
    inputs = torch.rand(2, 5, 3, 256, 256), torch.rand(2, 3200)
    path = saved(LoudnessAndBrightness(), tmp_path / "sync.pt", *inputs)
    levels = np.random.default_rng(0).integers(0, 255, 40)
    frames = np.broadcast_to(levels[:, None, None, None], (40, 256, 256, 3)).astype(np.uint8)
    sound = np.repeat(levels / 255, 640).astype(np.float32)
    scorers = ScoringNetworks.load(CPU, syncnet=path)
    confidence, distance = scorers.sync(frames, sound)
    assert distance == pytest.approx(0, abs=1e-4)
    assert confidence is not None
    assert confidence > 0.05
