"""A store, a storage, a queue and a pipeline in memory, which can be made unavailable."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from jobs.errors import (
    JobNotFound,
    ObjectNotFound,
    QueueUnavailable,
    StaleAttempt,
    StorageUnavailable,
    StoreUnavailable,
)
from jobs.job import Job, Priority, Stage
from jobs.queue import JobQueue
from jobs.s3.object_store import ObjectStorage
from jobs.valkey.api_keys import Quota
from jobs.valkey.job_store import JobStore
from jobs.values import Failure, Result, utc_now
from models.face.landmark_track import LandmarkTrack
from models.options import SynthesisOptions


class Outages:
    """How many of the next calls of each method fail."""

    def __init__(self) -> None:
        self._left: Counter[str] = Counter()

    def of(self, method: str, calls: int) -> None:
        self._left[method] = calls

    def strikes(self, method: str) -> bool:
        if self._left[method] <= 0:
            return False
        self._left[method] -= 1
        return True


class FakeStore(JobStore):
    """Jobs in a dictionary, with the same transitions; `history` contains every change of a job."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.history: list[Job] = []
        self.dispatched: list[str] = []
        self.outages = Outages()

    def accept(self, job: Job, quota: Quota | None = None) -> bool:
        self.jobs[job.id] = job
        return True

    def get(self, job_id: str) -> Job:
        self._answer("get")
        try:
            return self.jobs[job_id]
        except KeyError:
            raise JobNotFound(f"There is no job with the id {job_id}.") from None

    def claim(self, job_id: str) -> Job:
        self._answer("claim")
        return self._keep(self.get(job_id).claim(utc_now()))

    def advance(self, job_id: str, attempt: int, stage: Stage, progress: float) -> Job:
        self._answer("advance")
        return self._keep(self._held(job_id).advance(attempt, stage, progress, utc_now()))

    def renew(self, job_id: str, attempt: int) -> None:
        self._answer("renew")
        self._held(job_id).require_attempt(attempt)

    def finish(
        self, job_id: str, attempt: int, result: Result, notices: tuple[str, ...] = ()
    ) -> Job:
        self._answer("finish")
        return self._keep(self._held(job_id).succeed(attempt, result, notices, utc_now()))

    def fail(self, job_id: str, attempt: int, failure: Failure) -> Job:
        self._answer("fail")
        return self._keep(self._held(job_id).fail(attempt, failure, utc_now()))

    def hand_back(self, job_id: str, attempt: int) -> Job:
        self._answer("hand_back")
        return self._keep(self._held(job_id).hand_back(attempt, utc_now()))

    def requeue(self, job_id: str, attempt: int, reason: Failure | None = None) -> Job:
        self._answer("requeue")
        return self._keep(self._held(job_id).requeue(attempt, utc_now(), reason))

    def postpone(self, job_id: str, attempt: int) -> Job:
        self._answer("postpone")
        return self._keep(self._held(job_id).postpone(attempt, utc_now()))

    def cancel(self, job_id: str) -> Job:
        return self._keep(self.get(job_id).cancel(utc_now()))

    def delete(self, job_id: str) -> None:
        del self.jobs[job_id]

    def mark_dispatched(self, job_id: str) -> None:
        self.dispatched.append(job_id)

    def _held(self, job_id: str) -> Job:
        try:
            return self.jobs[job_id]
        except KeyError:
            raise StaleAttempt(
                f"Job {job_id} was deleted while a worker was processing it."
            ) from None

    def _keep(self, job: Job) -> Job:
        self.jobs[job.id] = job
        self.history.append(job)
        return job

    def _answer(self, method: str) -> None:
        if self.outages.strikes(method):
            raise StoreUnavailable("Valkey is unavailable.")


class FakeStorage(ObjectStorage):
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.outages = Outages()

    def put(self, key: str, data: bytes | Path, content_type: str) -> None:
        self._answer("put")
        self.contents[key] = data.read_bytes() if isinstance(data, Path) else data

    def get(self, key: str) -> bytes:
        self._answer("get")
        try:
            return self.contents[key]
        except KeyError:
            raise ObjectNotFound(f"There is no object {key}.") from None

    def delete_prefix(self, prefix: str, keep: str | None = None) -> None:
        self._answer("delete_prefix")
        found = [key for key in self.contents if key.startswith(prefix)]
        for key in [key for key in found if keep is None or not key.startswith(keep)]:
            del self.contents[key]

    def _answer(self, method: str) -> None:
        if self.outages.strikes(method):
            raise StorageUnavailable("The object store did not respond.")


class FakeQueue(JobQueue):
    """Messages in a list."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.outages = Outages()

    def dispatch(self, job_id: str, priority: Priority = Priority.NORMAL) -> None:
        if self.outages.strikes("dispatch"):
            raise QueueUnavailable("The broker takes no message.")
        self.messages.append(job_id)


@dataclass(frozen=True)
class FakeHeard:
    emotion: str = "happiness"
    probabilities: dict[str, float] = field(default_factory=lambda: {"happiness": 1.0})


@dataclass(frozen=True)
class FakeSynthesis:
    """Black frames, five per batch; `before_batch` is called with each batch's number."""

    num_frames: int
    before_batch: Callable[[int], None]
    notices: tuple[str, ...] = ("face_far_from_camera",)
    heard: FakeHeard = FakeHeard()
    timings: dict[str, float] = field(default_factory=lambda: {"render": 1.5})
    size: tuple[int, int] = (64, 64)

    @property
    def track(self) -> LandmarkTrack:
        return LandmarkTrack(
            np.zeros((self.num_frames, 79, 2), np.float32),
            np.zeros((self.num_frames, 8), np.float32),
            self.size,
        )

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        for number, start in enumerate(range(0, self.num_frames, 5)):
            self.before_batch(number)
            yield np.zeros((min(5, self.num_frames - start), 64, 64, 3), np.uint8)


class FakePipeline:
    """Records the options it was called with; `begin` may raise instead."""

    def __init__(self) -> None:
        self.options: list[SynthesisOptions] = []
        self.begin: Callable[[], object] = lambda: None
        self.before_batch: Callable[[int], None] = lambda _: None

    def __call__(
        self, image: NDArray[np.uint8], waveform: NDArray[np.float32], options: SynthesisOptions
    ) -> FakeSynthesis:
        self.options.append(options)
        self.begin()
        return FakeSynthesis(round(len(waveform) / 640), self.before_batch)

    def warm_up(self) -> None:
        pass


class FakeNvml:
    """NVIDIA's management library on a machine with one GPU, of whose 80 GB 20 are in use."""

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return f"GPU-{index}"

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return handle

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:
        return SimpleNamespace(used=20e9, total=80e9)

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:
        return SimpleNamespace(gpu=63)
