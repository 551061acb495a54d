"""The `amigo` command."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from client.client import AmigoClient
from client.errors import AmigoError
from client.job_view import JobView
from client.progress import describe, progress_bar

DEFAULT_DIRECTORY = Path("var")
DEFAULT_URL = "http://127.0.0.1:8000"

app = typer.Typer(
    help="AMIGO: a portrait and a speech clip in, a talking-face video out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console(highlight=False)
complaints = Console(stderr=True, highlight=False)

Input = typer.Argument(exists=True, dir_okay=False, readable=True)
Portrait = Annotated[Path, Input]
Audio = Annotated[Path, Input]
Output = Annotated[Path, typer.Option("--output", "-o", dir_okay=False, help="The video.")]
Directory = Annotated[
    Path, typer.Option("--dir", file_okay=False, help="Where the system keeps its data and logs.")
]
EmotionChoice = Literal[
    "auto",
    "neutral",
    "happiness",
    "sadness",
    "anger",
    "fear",
    "disgust",
    "surprise",
    "contempt",
]
Emotion = Annotated[EmotionChoice, typer.Option(help="The emotion shown; auto: the one heard.")]
Intensity = Annotated[float, typer.Option(min=0, max=2, help="Strength of the emotion.")]
Pose = Annotated[Literal["natural", "still"], typer.Option(help="Gentle head motion, or none.")]
Blink = Annotated[bool, typer.Option(help="Whether the eyes blink.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of head motion and blinks.")]


@app.command()
def serve(
    directory: Directory = DEFAULT_DIRECTORY,
    port: Annotated[int | None, typer.Option(help="Of the service; left out: a free one.")] = None,
) -> None:
    """Run the whole system on this machine until it is interrupted."""
    from deploy.errors import DeployError
    from deploy.standalone import serve

    with complaining(DeployError):
        serve(directory, port=port, say=say)


@app.command()
def submit(
    portrait: Portrait,
    audio: Audio,
    output: Output,
    consent: Annotated[
        bool, typer.Option("--consent", help="I have the right to animate this face and voice.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(envvar="AMIGO_URL", help="The service; left out: the one running here."),
    ] = None,
    emotion: Emotion = "auto",
    intensity: Intensity = 1.0,
    pose: Pose = "natural",
    blink: Blink = True,
    seed: Seed = 0,
) -> None:
    """Have a running service make a video."""
    with complaining(AmigoError), AmigoClient(url or local_url()) as client:
        job = client.submit(
            portrait,
            audio,
            consent=consent,
            emotion=emotion,
            intensity=intensity,
            pose=pose,
            blink=blink,
            seed=seed,
        )
        with progress_bar(console) as bar:
            job = client.wait(job.id, lambda job: bar.show(describe(job), job.progress))
        require_success(job)
        client.download_video(job.id, output)
    tell_video(output, job)


@app.command()
def generate(
    portrait: Portrait,
    audio: Audio,
    output: Output,
    emotion: Emotion = "auto",
    intensity: Intensity = 1.0,
    pose: Pose = "natural",
    blink: Blink = True,
    seed: Seed = 0,
    device: Annotated[str, typer.Option(help="Where torch computes: cpu, cuda, cuda:1…")] = "cpu",
    landmarks: Annotated[Path | None, typer.Option(help="Also save [T, 79, 2] as .npz.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also save timings and the emotion over time as .json.")
    ] = None,
) -> None:
    """Make a video in this process, without a service."""
    from client.generation import generate
    from models.checkpoints import CheckpointError
    from models.emotions import Emotion
    from models.errors import MediaError
    from models.options import SynthesisOptions

    with complaining(MediaError, CheckpointError), progress_bar(console) as bar:
        options = SynthesisOptions(
            emotion=None if emotion == "auto" else Emotion(emotion),
            intensity=intensity,
            pose=pose,
            blink=blink,
            seed=seed,
        )
        generation = generate(portrait, audio, output, options, device, bar)
    if landmarks:
        generation.save_landmarks(landmarks)
    if report:
        generation.save_report(report)
    heard = generation.synthesis.heard
    say(f"{output}: {generation.duration:.1f} s, heard {heard.emotion}")
    console.print(timings_table(generation.timings))


@app.command()
def demo(
    output: Output = Path("out/demo.mp4"),
    directory: Directory = DEFAULT_DIRECTORY / "demo",
) -> None:
    """Start the whole system, make the example video over HTTP, and stop the system."""
    from client.demonstration import demonstrate
    from deploy.errors import DeployError

    with complaining(DeployError, AmigoError):
        shown = demonstrate(output, directory, console, say)
        require_success(shown.job)
    tell_video(output, shown.job)
    console.print(
        timings_table(
            {
                "start the system": shown.seconds_to_start,
                **shown.job.timings,
                "post to video": shown.seconds_to_video,
            }
        )
    )


@app.command()
def doctor() -> None:
    """Say what this machine lacks and the command that provides it."""
    from client.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        say(f"{'✗' if finding.is_missing else '✓'} {finding.name:<22} {finding.state}")
        if finding.provide:
            say(f"    {'needed' if finding.required else 'optional'}: {finding.provide}")
    if any(finding.is_missing and finding.required for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run the command; the entry point of the package."""
    app()


@contextmanager
def complaining(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors that a person can do something about into one line and exit code 1."""
    caught: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        yield
    except caught as error:
        complain(str(error))
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        complain("Interrupted.")
        raise typer.Exit(130) from None


def say(sentence: str) -> None:
    """Print a line as it is: no markup, no wrapping of paths and commands."""
    console.print(sentence, markup=False, soft_wrap=True)


def complain(sentence: str) -> None:
    """Say what went wrong, on stderr."""
    complaints.print(f"[red]Error:[/red] {escape(sentence)}", soft_wrap=True)


def require_success(job: JobView) -> None:
    """End with an error line unless the job has a video.

    Raises:
        typer.Exit: with code 1.
    """
    if job.has_succeeded:
        return
    reason = f"{job.failure.message} ({job.failure.code})" if job.failure else "There is no video."
    complain(f"Job {job.id} {job.status}: {reason}")
    raise typer.Exit(1)


def tell_video(path: Path, job: JobView) -> None:
    """Say where the video is and what was heard in the speech."""
    heard = f", heard {job.emotion.emotion}" if job.emotion else ""
    say(f"{path}: {job.duration or 0:.1f} s{heard}")
    for notice in job.notices:
        say(f"Notice: {notice}")


def timings_table(timings: Mapping[str, float]) -> Table:
    """Return the seconds by step, as a table."""
    table = Table("step", "seconds", box=None)
    table.columns[1].justify = "right"
    for step, seconds in timings.items():
        table.add_row(step.replace("_", " "), f"{seconds:.2f}")
    return table


def local_url(directory: Path = DEFAULT_DIRECTORY) -> str:
    """Return where the system in this directory answers, or the usual address."""
    try:
        return str(json.loads((directory / "standalone.json").read_text())["url"])
    except FileNotFoundError:
        return DEFAULT_URL
