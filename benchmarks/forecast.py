"""The error of a job's ETA, measured over HTTP on the whole system."""

import wave
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Self

from amigo.client import Client
from amigo.types import JobView
from benchmarks.machine import machine
from benchmarks.pipeline import EXAMPLES
from deploy.standalone.system import Standalone

LESSONS = (2.0, 5.0, 9.0)
"""Seconds of speech of the jobs from which the system learns first."""

JUDGED = (4.0, 12.0, 1.5, 7.0, 3.0, 10.0, 2.5, 6.0, 15.0, 5.0)
"""Seconds of speech of the measured jobs, one after the other."""


@dataclass(frozen=True)
class Look:
    """A job and the time it was read; the system's clock is this machine's."""

    job: JobView
    at: datetime

    @classmethod
    def now(cls, job: JobView) -> Self:
        return cls(job, datetime.now(UTC))

    def error(self, end: datetime) -> float:
        """Return the error of the ETA relative to the actual remaining time."""
        if self.job.eta_seconds is None:
            raise RuntimeError(f"Job {self.job.id} has no ETA.")
        left = (end - self.at).total_seconds()
        return abs(self.job.eta_seconds - left) / left


def measure_forecast() -> None:
    """Run jobs of different lengths on a separate system and print the median errors."""
    with (
        TemporaryDirectory() as folder,
        Standalone(Path(folder) / "system", print_line=lambda _: None) as system,
        Client(system.url) as client,
    ):
        for seconds in LESSONS:
            client.wait(submit(client, speech(Path(folder), seconds)).id)
        errors = [judge(client, speech(Path(folder), seconds)) for seconds in JUDGED]
    at_creation, at_rendering = zip(*errors, strict=True)
    print(f"\n{machine('cpu')}; {len(JUDGED)} jobs after {len(LESSONS)} to learn from\n")
    print("| ETA | median error, of the time really left | largest |")
    print("|---|---|---|")
    print_row("ETA at creation", at_creation)
    print_row("ETA when rendering starts", at_rendering)


def print_row(name: str, errors: Sequence[float]) -> None:
    print(f"| {name} | {median(errors):.0%} | {max(errors):.0%} |")


def judge(client: Client, audio: Path) -> tuple[float, float]:
    """Return the errors of the ETA at a job's creation and when it is first seen rendering."""
    created = Look.now(submit(client, audio))
    looks = [Look.now(job) for job in client.follow(created.job.id)]
    rendering = next((look for look in looks if look.job.stage == "rendering"), None)
    last = looks[-1].job
    if rendering is None or not last.has_succeeded:
        raise RuntimeError(f"Job {last.id} was not seen rendering, or failed: {last.status}.")
    return created.error(last.updated_at), rendering.error(last.updated_at)


def submit(client: Client, audio: Path) -> JobView:
    return client.submit(EXAMPLES / "portrait.jpg", audio, consent=True)


def speech(folder: Path, seconds: float) -> Path:
    """Write the example speech, repeated to the given length, and return the file."""
    path = folder / "speech.wav"
    with wave.open(str(EXAMPLES / "speech.wav")) as example, wave.open(str(path), "wb") as audio:
        audio.setparams(example.getparams())
        sound = example.readframes(example.getnframes())
        wanted = round(seconds * example.getframerate()) * example.getsampwidth()
        audio.writeframes((sound * (wanted // len(sound) + 1))[:wanted])
    return path
