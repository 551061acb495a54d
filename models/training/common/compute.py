"""The device of a run, alone or together with the processes started by torchrun.

Under torchrun, every process draws its own batches, and DistributedDataParallel averages their
gradients, so that all have the same weights. The first process leads: it keeps the time, validates
and writes files.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import numpy as np
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

Result = TypeVar("Result")

CPU = torch.device("cpu")

LEADER_ALONE = timedelta(hours=6)
"""Maximum time the others wait while the leader decodes every frame or validates."""


@dataclass(frozen=True)
class Compute:
    """A process's device and its `rank` among `processes` that train together."""

    device: torch.device = CPU
    rank: int = 0
    processes: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process keeps the time and writes files."""
        return self.rank == 0

    def join(self, network: nn.Module) -> nn.Module:
        """Return the network for training calls, which average the gradients of all processes."""
        if self.processes == 1:
            return network
        # Running statistics stay local to each process: only the leader's are kept.
        # The painter of the mouth is trained without its retouch.
        return DistributedDataParallel(
            network, broadcast_buffers=False, find_unused_parameters=True
        )

    def agree(self, value: float) -> float:
        """Return the leader's value, so that all processes stop and decay at the same step."""
        if self.processes == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(shared, src=0)
        return float(shared)

    def in_turn(self, action: Callable[[], Result]) -> Result:
        """Run code that fills a cache: the leader first, so that the others find it filled."""
        if self.processes == 1:
            return action()
        if self.leads:
            done = action()
            distributed.barrier()
            return done
        distributed.barrier()
        return action()

    def randomness(self, *seed: int) -> np.random.Generator:
        """Return a random generator unique to this process, and seed torch with it."""
        numbers = np.random.default_rng([*seed, self.rank])
        torch.manual_seed(int(numbers.integers(2**31)))
        return numbers


@contextmanager
def open_compute(device: str, threads: int = 1) -> Iterator[Compute]:
    """Provide the requested device, "cpu" or "cuda"; under torchrun, one per process."""
    torch.set_num_threads(threads)
    torch.backends.cudnn.benchmark = True
    if not distributed.is_torchelastic_launched():
        yield Compute(torch.device(device))
        return
    chosen = torch.device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=LEADER_ALONE)
    try:
        yield Compute(chosen, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
