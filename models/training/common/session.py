"""A training run: its time, its averaged weights, its curve and its checkpoint."""

import copy
import csv
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from models.training.common.compute import Compute

Network = TypeVar("Network", bound=nn.Module)

STATE = "state.pt"
CURVE = "curve.csv"


@dataclass
class Session(Generic[Network]):
    """A network in training, resumable from its folder.

    `average` is the exponential moving average of the network, which is validated and shipped.
    `joined` is the network for training calls, distributed or alone. `seconds` is the training time
    at the last step, including earlier runs. A run ends after its minutes or its steps, whichever
    come first.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    folder: Path
    minutes: float
    compute: Compute = field(default_factory=Compute)
    steps: float = math.inf
    decay: float = 0.998
    step: int = 0
    seconds: float = 0.0
    best: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.average: Network = copy.deepcopy(self.network).eval()
        self.average.requires_grad_(False)
        self.joined = self.compute.join(self.network)
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self._began = time.monotonic() - self.seconds

    @property
    def progress(self) -> float:
        """Progress from 0 to 1, by time or by steps."""
        return min(1.0, max(self.seconds / (60.0 * self.minutes), self.step / self.steps))

    def descend(self, loss: Tensor, clip: float = 1.0) -> None:
        """Take one optimizer step; the learning rate warms up over 100 steps and decays to a
        fiftieth.
        """
        cooling = 0.02 + 0.98 * (1.0 - self.progress) ** 1.5
        rate = min(1.0, (self.step + 1) / 100.0) * cooling
        for group, full in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = full * rate
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), clip)
        self.optimizer.step()
        self.step += 1
        self.seconds = self.compute.agree(time.monotonic() - self._began)
        self._follow()

    @torch.no_grad()
    def _follow(self) -> None:
        decay = min(self.decay, (self.step + 1) / (self.step + 10))
        averaged = self.average.state_dict()
        for name, value in self.network.state_dict().items():
            if value.is_floating_point():
                averaged[name].lerp_(value, 1.0 - decay)
            else:
                averaged[name].copy_(value)

    def record(self, values: Mapping[str, float]) -> None:
        """Append a row to the curve."""
        path = self.folder / CURVE
        new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(["step", "seconds", *values])
            numbers = [f"{value:.5f}" for value in values.values()]
            writer.writerow([self.step, f"{self.seconds:.0f}", *numbers])

    def improves(self, part: str, score: float) -> bool:
        """Return whether a part of the network has its best score so far, and record it."""
        if score <= self.best.get(part, float("-inf")):
            return False
        self.best[part] = score
        return True

    def save(self) -> None:
        """Write everything that `resume` needs."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
        }
        partial = self.folder / f"{STATE}.partial"
        torch.save(state, partial)
        partial.replace(self.folder / STATE)

    def resume(self) -> None:
        """Resume from the folder's last checkpoint.

        Raises:
            FileNotFoundError: there is no checkpoint.
        """
        state = torch.load(self.folder / STATE, map_location=self.compute.device)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self._began = time.monotonic() - self.seconds
