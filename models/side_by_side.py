"""Batches of frames rendered side by side.

A face's windows are small: two threads that share a batch mostly wait for each other, two threads
with a batch each do not. Video is encoded meanwhile, since the encoder needs no Python.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self, TypeVar

import torch

MOST_THREADS = 4
"""Batches at the same time: each takes memory, and more would queue for Python's own lock."""

FIRST_FRAMES = 4
"""Frames in the first batch, small because somebody may be waiting for it."""
BATCH_FRAMES, GPU_BATCH_FRAMES = 24, 64
"""Most frames in a batch: its thousands of small steps take their time however large it is, and a
GPU waits for each of them.
"""

Given = TypeVar("Given")
Made = TypeVar("Made")


def batch_frames(device: torch.device, scale: int) -> int:
    """Return how many frames at most a device renders in one batch.

    For their memory, a CPU renders fewer with `scale` times as many pixels a side, 1 or 2.
    """
    return BATCH_FRAMES // scale if device.type == "cpu" else GPU_BATCH_FRAMES


def batch_starts(frames: int, most: int, at_once: int) -> list[int]:
    """Return where a video's batches begin, the first, at 0, left out.

    Every thread begins with a small batch and goes on with one three times as long, up to `most`:
    two threads have made 32 frames, the first second and what its encoder looks ahead, when each
    has made two batches. What is left at the end, they share.
    """
    starts: list[int] = []
    start, size = 0, FIRST_FRAMES
    while frames - start > at_once * size:
        starts += range(start, start + at_once * size, size)
        start += at_once * size
        size = min(3 * size, most)
    left = frames - start
    starts += [start + left * share // at_once for share in range(at_once)]
    return sorted({*starts} - {0})


@dataclass(frozen=True)
class Workforce:
    """How many batches are rendered at the same time, and with how many threads of torch each."""

    threads: int
    threads_each: int

    @classmethod
    def on(cls, device: torch.device) -> Self:
        """Return that of a device: a GPU takes one batch at a time, a CPU shares its threads."""
        available = torch.get_num_threads()
        threads = min(available, MOST_THREADS) if device.type == "cpu" else 1
        return cls(threads, max(1, available // threads))


def in_order(
    work: Callable[[Given], Made], pieces: Iterable[Given], workforce: Workforce
) -> Generator[Made, None, None]:
    """Yield what `work` makes of each piece, in order, with at most one made ahead per thread.

    An error of a piece is raised in its turn. When the iterator is closed, work that has begun is
    waited for, and the rest is dropped.
    """
    pool = ThreadPoolExecutor(
        workforce.threads,
        thread_name_prefix="render",
        initializer=torch.set_num_threads,
        initargs=(workforce.threads_each,),
    )
    coming: deque[Future[Made]] = deque()
    try:
        for piece in pieces:
            coming.append(pool.submit(work, piece))
            if len(coming) > workforce.threads:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
