"""What a job costs the control plane, and how much of it one machine carries."""

import asyncio
import time
from dataclasses import dataclass

import httpx
import numpy as np
from numpy.typing import NDArray

from benchmarks.load.system import PORTRAIT, SPEECH, System, patient_client, submit, system
from jobs.job import Job, Stage
from jobs.options import Options
from jobs.values import HeardEmotion, Result

QUEUED = 2000
"""Jobs that are queued to measure the memory of one."""

ENDED = 200
"""How many of them end."""

REPORTS = 30
"""Reports of progress of each: of ten seconds of work."""

RESULT = Result(
    video_key="video.mp4",
    num_frames=170,
    duration=6.8,
    emotion=HeardEmotion(emotion="neutral", probabilities={"neutral": 1.0}),
    timings={},
)

CONCURRENT = 4
IDLE_SECONDS = 10.0


@dataclass(frozen=True)
class Cost:
    """The mean cost of one job, from its POST to its video.

    Attributes:
        valkey_commands, valkey_cpu: commands, and CPU seconds of Valkey, without those of an idle
            system.
        s3_requests: requests by operation.
        stored: bytes of the input files and of the results.
        worker_cpu: CPU seconds of the worker.
    """

    valkey_commands: float
    valkey_cpu: float
    s3_requests: dict[str, float]
    stored: tuple[int, float]
    worker_cpu: float


async def measure_cost(job_seconds: float, count: int) -> Cost:
    """Run jobs one after the other."""
    with system(job_seconds, workers=1) as target:
        start = _spent(target)
        await asyncio.sleep(IDLE_SECONDS)
        idle = (_spent(target) - start) / IDLE_SECONDS
        requests, worker = target.s3_requests(), target.cpu_seconds("worker")
        start, began = _spent(target), time.monotonic()
        await _submit_all(target, count)
        while target.open_jobs():
            await asyncio.sleep(0.1)
        commands, cpu = _spent(target) - start - idle * (time.monotonic() - began)
        made = {
            name: (after - requests.get(name, 0.0)) / count
            for name, after in target.s3_requests().items()
        }
        inputs = sum(path.stat().st_size for path in (PORTRAIT, SPEECH))
        results = sum(item.size for item in target.storage.objects("jobs/")) / count
        worker_cpu = (target.cpu_seconds("worker") - worker) / count
    return Cost(commands / count, cpu / count, made, (inputs, results), worker_cpu)


def _spent(target: System) -> NDArray[np.float64]:
    """Return the commands and the CPU seconds of Valkey so far."""
    return np.array([target.commands(), target.cpu_seconds("Valkey")], np.float64)


def measure_memory() -> tuple[float, float]:
    """Return the bytes of Valkey's memory that a queued job takes, and one that has just ended."""
    with system(0.0, workers=0) as target:
        before = target.memory()
        jobs = [Job.create(Options(consent=True), audio_seconds=6.8) for _ in range(QUEUED)]
        for job in jobs:
            target.store.accept(job)
            target.queue.dispatch(job.id, job.priority)
            target.store.mark_dispatched(job.id)
        queued = target.memory() - before
        for job in jobs[:ENDED]:
            attempt = target.store.claim(job.id).attempt
            for report in range(REPORTS):
                target.store.advance(job.id, attempt, Stage.RENDERING, report / REPORTS)
            target.store.finish(job.id, attempt, RESULT)
        grown = target.memory() - before - queued
    return queued / QUEUED, queued / QUEUED + grown / ENDED


async def measure_acceptance(seconds: float) -> tuple[float, float]:
    """Return the jobs accepted a second, several at a time, and the service's CPU seconds a job."""
    with system(0.0, workers=0) as target:
        cpu, deadline = target.cpu_seconds("service"), time.monotonic() + seconds

        async def keep_submitting(client: httpx.AsyncClient) -> int:
            count = 0
            while time.monotonic() < deadline:
                await submit(client, target.url)
                count += 1
            return count

        async with patient_client() as client:
            counts = await asyncio.gather(*(keep_submitting(client) for _ in range(CONCURRENT)))
        return sum(counts) / seconds, (target.cpu_seconds("service") - cpu) / sum(counts)


async def measure_throughput(workers: int, count: int, job_seconds: float) -> float:
    """Return the jobs a second that this many workers finish, all queued at the start."""
    with system(job_seconds, workers=0) as target:
        await _submit_all(target, count)
        target.standalone.scale(workers)
        while target.num_workers() < workers:
            await asyncio.sleep(0.1)
        left, began = target.open_jobs(), time.monotonic()
        while target.open_jobs() > workers:  # the last ones would leave workers idle
            await asyncio.sleep(0.05)
        return (left - target.open_jobs()) / (time.monotonic() - began)


async def _submit_all(target: System, count: int) -> None:
    async with patient_client() as client:
        for _ in range(count):
            await submit(client, target.url)
