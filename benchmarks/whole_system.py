"""The whole system, over HTTP: when a video can be watched, and what a second worker adds."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Literal, TypeAlias

import httpx

from amigo.client import Client
from amigo.types import JobView
from benchmarks.forecast import speech
from benchmarks.machine import machine
from benchmarks.pipeline import EXAMPLES
from deploy.standalone.system import Standalone

Resolution: TypeAlias = Literal[256, 512]

RESOLUTIONS: tuple[Resolution, ...] = (256, 512)

SECONDS = 8.0
"""Length of the speech of every job."""

WATCHED = 3
"""Jobs whose first second is awaited, after one that warms the worker up."""

QUEUED = 6
"""Jobs that are finished by one worker, and by two."""

LOOK_SECONDS = 0.05


def measure_whole_system() -> None:
    """Print when the first second is playable, and the time of some jobs with 1 and 2 workers."""
    with TemporaryDirectory() as folder:
        audio = speech(Path(folder), SECONDS)
        print(f"\n{machine('cpu')}; jobs of {SECONDS:.0f} s\n")
        with _system(workers=1) as (url, client):
            client.wait(_submit(client, audio, 512).id)
            for resolution in RESOLUTIONS:
                waits = [_first_second(url, client, audio, resolution) for _ in range(WATCHED)]
                print(
                    f"{resolution} px: first second playable {median(waits):.2f} s after the "
                    f"claim ({min(waits):.2f} to {max(waits):.2f})"
                )
        print("\n| threads a worker | 1 worker | 2 workers | gain |\n|---|---|---|---|")
        for threads in (1, os.cpu_count() or 1):
            alone, both = (_drain(audio, workers, threads) for workers in (1, 2))
            print(f"| {threads} | {alone:.1f} s | {both:.1f} s | {alone / both:.2f}x |")


@contextmanager
def _system(workers: int) -> Iterator[tuple[str, Client]]:
    with (
        TemporaryDirectory() as folder,
        Standalone(Path(folder) / "system", workers=workers, print_line=lambda _: None) as system,
        Client(system.url) as client,
    ):
        yield system.url, client


def _first_second(url: str, client: Client, audio: Path, resolution: Resolution) -> float:
    """Return the seconds from a job's claim until a player finds the first segment."""
    job = _submit(client, audio, resolution)
    with httpx.Client() as player:
        while not player.get(f"{url}/v1/jobs/{job.id}/stream").is_redirect:
            time.sleep(LOOK_SECONDS)
        watched = datetime.now(UTC)
    done = client.wait(job.id)
    if done.started_at is None or not done.has_succeeded:
        raise RuntimeError(f"Job {job.id} was not made: {done.status}.")
    return (watched - done.started_at).total_seconds()


def _drain(audio: Path, workers: int, threads: int) -> float:
    """Return the seconds in which this many workers, warmed up, finish the queued jobs."""
    os.environ["AMIGO_TORCH_THREADS"] = str(threads)
    with _system(workers) as (_, client):
        for job in [_submit(client, audio, 256) for _ in range(2 * workers)]:
            client.wait(job.id)
        began = time.monotonic()
        for job in [_submit(client, audio, 256) for _ in range(QUEUED)]:
            client.wait(job.id)
        return time.monotonic() - began


def _submit(client: Client, audio: Path, resolution: Resolution) -> JobView:
    portrait = EXAMPLES / "portrait.jpg"
    return client.submit(portrait, audio, consent=True, resolution=resolution)
