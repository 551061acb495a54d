"""Wall and CPU seconds of steps, measured from outside the code that takes them."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from threading import Lock
from typing import Any, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Time:
    """Seconds of a step: on the wall's clock, and of the processor."""

    wall: float = 0.0
    cpu: float = 0.0

    def __add__(self, other: Self) -> "Time":
        return Time(self.wall + other.wall, self.cpu + other.cpu)

    def __sub__(self, other: Self) -> "Time":
        return Time(self.wall - other.wall, self.cpu - other.cpu)


@dataclass
class Stopwatch:
    """Adds up the times of steps, whichever thread takes them.

    CPU seconds of a step are those of its own thread.
    """

    times: dict[str, Time] = field(default_factory=dict)
    first_frames: float = 0.0
    began: float = field(default_factory=time.perf_counter)
    _lock: Lock = field(default_factory=Lock)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time of the context to a step."""
        wall, cpu = time.perf_counter(), time.thread_time()
        yield
        taken = Time(time.perf_counter() - wall, time.thread_time() - cpu)
        with self._lock:
            self.times[name] = self.times.get(name, Time()) + taken

    @contextmanager
    def on(self, name: str, owner: Any, function: str) -> Iterator[None]:
        """Within the context, take each call of a module's or an object's function as a step."""
        given = getattr(owner, function)
        had = function in vars(owner)

        @wraps(given)
        def watched(*args: Any, **named: Any) -> Any:
            with self.step(name):
                return given(*args, **named)

        setattr(owner, function, watched)
        try:
            yield
        finally:
            if had:
                setattr(owner, function, given)
            else:
                delattr(owner, function)

    @contextmanager
    def whole(self) -> Iterator[Callable[[], Time]]:
        """Measure the whole process; what is yielded returns its time after the context."""
        wall, cpu = time.perf_counter(), time.process_time()
        taken = Time()
        self.began = wall
        yield lambda: taken
        taken = Time(time.perf_counter() - wall, time.process_time() - cpu)

    def noting_first(self, batches: Iterable[T]) -> Iterator[T]:
        """Pass batches on, and note how long the first one took from the beginning."""
        for number, batch in enumerate(batches):
            if number == 0:
                self.first_frames = time.perf_counter() - self.began
            yield batch
