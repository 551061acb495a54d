"""The demo: start the system, submit the examples, save the video, stop the system."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from amigo.cli.output import describe, progress_bar
from amigo.client import Client
from amigo.types import JobView
from deploy.standalone.system import Standalone

ROOT = Path(__file__).parents[2]
PORTRAIT = ROOT / "examples" / "portrait.jpg"
SPEECH = ROOT / "examples" / "speech.wav"


@dataclass(frozen=True)
class Demonstration:
    """A video generated over HTTP, with the times of start, submission and last update."""

    job: JobView
    seconds_to_start: float
    seconds_to_video: float


def demonstrate(
    output: Path, directory: Path, console: Console, print_line: Callable[[str], None]
) -> Demonstration:
    """Start the whole system, generate the example video over HTTP and stop the system.

    A failed job is returned as well, without a video.

    Raises:
        DeployError: the system cannot run here.
        AmigoError: the service rejected the job or became unreachable.
    """
    began = time.monotonic()
    print_line("Starting the system")
    with Standalone(directory, print_line=print_line) as system, Client(system.url) as client:
        started = time.monotonic()
        print_line(f"Submitting {PORTRAIT.name} and {SPEECH.name} to {system.url}")
        job = client.submit(PORTRAIT, SPEECH, consent=True)
        with progress_bar(console) as bar:
            job = client.wait(job.id, lambda job: bar.show(describe(job), job.progress))
        if job.has_succeeded:
            client.download_video(job.id, output)
        ended = time.monotonic()
    return Demonstration(job, started - began, ended - started)
