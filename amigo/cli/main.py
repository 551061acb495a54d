"""The `amigo` command."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from amigo.choices import Composition
from amigo.cli import jobs, keys
from amigo.cli.destinations import check_destinations
from amigo.cli.options import (
    DEFAULT_DIRECTORY,
    Face,
    Look,
    ResolutionChoice,
    Url,
    service_url,
    with_look,
)
from amigo.cli.output import (
    console,
    exit_on_errors,
    print_error,
    print_line,
    print_notices,
    print_video,
    progress_bar,
    require_success,
    timings_table,
)

app = typer.Typer(
    help="AMIGO turns a portrait and a speech clip into a talking-face video.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(jobs.app)
app.add_typer(keys.app, name="keys")

Input = typer.Argument(exists=True, dir_okay=False, readable=True)
Portrait = Annotated[Path, Input]
Audio = Annotated[Path, Input]
Output = Annotated[Path, typer.Option("--output", "-o", dir_okay=False, help="Path of the video.")]
Device = Annotated[str, typer.Option(help="Device for torch: cpu, cuda, cuda:1…")]
Directory = Annotated[
    Path, typer.Option("--dir", file_okay=False, help="Directory for data and logs.")
]


@app.command()
def serve(
    directory: Directory = DEFAULT_DIRECTORY,
    port: Annotated[
        int | None,
        typer.Option(
            help="Port of the service; by default, that of the last run, or 8000 if it is free."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Number of workers.")] = 1,
) -> None:
    """Run the whole system on this machine until interrupted."""
    from deploy.standalone.errors import DeployError
    from deploy.standalone.system import serve

    with exit_on_errors(DeployError):
        serve(directory, port=port, workers=workers, print_line=print_line)


@app.command()
def workers(
    count: Annotated[int, typer.Argument(help="Number of workers.")],
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Change the number of workers of the system running on this machine.

    A removed worker returns its job to the queue.
    """
    from deploy.standalone.errors import DeployError
    from deploy.standalone.installation import Installation

    with exit_on_errors(DeployError):
        Installation(directory).request_workers(count)


@app.command()
@with_look
def generate(
    *,
    portrait: Portrait,
    audio: Audio,
    output: Output,
    look: Look,
    device: Device = "cpu",
    landmarks: Annotated[
        Path | None, typer.Option(help="Also save the landmarks [T, 79, 2] as .npz.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Also save timings and the emotions over time as .json.")
    ] = None,
) -> None:
    """Generate a video in this process, without a service."""
    with exit_on_errors():
        check_destinations([output, landmarks, report], inputs=[portrait, audio])
    from media.errors import DecoderUnavailable, DetectorUnavailable, MediaError
    from media.imports import kept_until_exit
    from models.manifest import CheckpointError

    wrong = (MediaError, DecoderUnavailable, DetectorUnavailable, CheckpointError)
    with exit_on_errors(*wrong), progress_bar(console) as bar:
        bar.show("starting", 0.0)
        from amigo.cli.inputs import reading

        with reading(portrait, audio) as inputs:
            with kept_until_exit():
                from amigo.cli.generation import generate  # takes seconds: it imports torch

            generation = generate(inputs, output, look, device, bar)
        if landmarks:
            generation.save_landmarks(landmarks)
        if report:
            generation.save_report(report)
    heard = generation.synthesis.heard
    print_line(f"{output}: {generation.duration:.1f} s, detected emotion: {heard.emotion}")
    print_notices(generation.notices)
    console.print(timings_table(generation.timings))


@app.command()
def animate(
    portrait: Portrait,
    landmarks: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    output: Output,
    audio: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Audio of the video; without it, the video is silent."
        ),
    ] = None,
    compose: Annotated[
        Composition | None,
        typer.Option(
            help="Crop to the face, or render the whole portrait; by default, as in the landmarks."
        ),
    ] = None,
    face: Face = "largest",
    resolution: ResolutionChoice = 512,
    device: Device = "cpu",
) -> None:
    """Render a portrait from landmarks, such as those saved by `generate --landmarks`."""
    with exit_on_errors():
        check_destinations([output], inputs=[portrait, landmarks, audio])
    from media.errors import DecoderUnavailable, DetectorUnavailable, MediaError
    from media.imports import kept_until_exit
    from models.face.given_landmarks import LandmarksUnusable
    from models.manifest import CheckpointError

    unavailable = (DecoderUnavailable, DetectorUnavailable, CheckpointError)
    wrong = (LandmarksUnusable, MediaError, *unavailable)
    with exit_on_errors(*wrong), progress_bar(console) as bar:
        bar.show("starting", 0.0)
        from amigo.cli.inputs import reading

        with reading(portrait, audio) as inputs:
            with kept_until_exit():
                from amigo.cli.animation import Choices, animate  # takes seconds: it imports torch

            choices = Choices(compose, face, resolution, device)
            duration = animate(inputs, landmarks, output, choices, bar)
    print_line(f"{output}: {duration:.1f} s")


@app.command()
def demo(
    output: Output = Path("out/demo.mp4"),
    directory: Directory = DEFAULT_DIRECTORY / "demo",
) -> None:
    """Start the whole system, generate the example video over HTTP, and stop the system."""
    from amigo.cli.demonstration import demonstrate
    from amigo.errors import AmigoError
    from deploy.standalone.errors import DeployError

    with exit_on_errors(DeployError, AmigoError):
        shown = demonstrate(output, directory, console, print_line)
        require_success(shown.job)
    print_video(output, shown.job)
    console.print(
        timings_table(
            {
                "start the system": shown.seconds_to_start,
                **shown.job.timings,
                "submit to video": shown.seconds_to_video,
            }
        )
    )


@app.command()
def top(
    url: Url = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            help="URL of the metrics of a worker or another process; repeatable. By default, those "
            "of the system running on this machine."
        ),
    ] = None,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two updates.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print one update and exit.")] = False,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Show the queue, workers, rates and failures of a running system until interrupted."""
    from rich.live import Live

    from amigo.cli.top import metrics_urls, screen, watch

    changes = watch(metrics_urls(service_url(url, directory), metrics or [], directory), interval)
    if once:
        console.print(screen(next(changes)))
        return
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False) as live:
        for change in changes:
            live.update(screen(change), refresh=True)


@app.command()
def doctor() -> None:
    """Check this machine's setup and print how to install what is missing."""
    from amigo.cli.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        print_line(f"{'✗' if finding.is_missing else '✓'} {finding.name:<22} {finding.state}")
        if finding.provide:
            print_line(f"    {'needed' if finding.required else 'optional'}: {finding.provide}")
    if any(finding.is_missing and finding.required for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """Run the command; the entry point of the package."""
    try:
        app()
    except ModuleNotFoundError as missing:
        print_error(
            f"This command needs the package {missing.name}: pip install 'amigo[standalone]'."
        )
        sys.exit(1)
