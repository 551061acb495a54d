"""Output of jobs in the `amigo` command: lines, tables, progress bars."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from amigo.types import JobView

Frames = TypeVar("Frames", bound=Sized)

# However narrow the terminal: cutting off lines would lose information.
_wide = Console(width=250, highlight=False)


def print_job_json(job: "JobView") -> None:
    """Print the complete job as one line of JSON."""
    print_line(job.model_dump_json())


def print_video(path: object, job: "JobView") -> None:
    """Print the path of the video and the detected emotion."""
    heard = f", detected emotion: {job.emotion.emotion}" if job.emotion else ""
    print_line(f"{path}: {job.duration or 0:.1f} s{heard}")
    print_notices(job.notices)


def print_notices(notices: Iterable[str]) -> None:
    """Print the codes of notices, one per line."""
    for notice in notices:
        print_line(f"Notice: {notice}")


def failure_sentence(job: "JobView") -> str:
    """Return why there is no video."""
    reason = f"{job.failure.message} ({job.failure.code})" if job.failure else "There is no video."
    return f"Job {job.id} {job.status}: {reason}"


def require_success(job: "JobView") -> None:
    """Exit with an error message unless the job has a video.

    Raises:
        typer.Exit: with code 1.
    """
    if not job.has_succeeded:
        print_error(failure_sentence(job))
        raise typer.Exit(1)


def print_job(job: "JobView") -> None:
    """Print a job, one line per property."""
    table = Table(box=None, show_header=False)
    for name, value in _facts(job):
        table.add_row(Text(name), Text(value))
    _wide.print(table)


def print_jobs(jobs: "Iterable[JobView]") -> None:
    """Print jobs as a table, one line per job."""
    table = Table("id", "status", "created", "seconds", "emotion", "failure", box=None)
    table.columns[3].justify = "right"
    for job in jobs:
        table.add_row(
            job.id,
            job.status,
            _moment(job.created_at),
            f"{job.duration:.1f}" if job.duration else "",
            job.emotion.emotion if job.emotion else "",
            job.failure.code if job.failure else "",
        )
    _wide.print(table)


def timings_table(timings: Mapping[str, float]) -> Table:
    """Return the duration of each step as a table."""
    table = Table("step", "seconds", box=None)
    table.columns[1].justify = "right"
    for step, seconds in timings.items():
        table.add_row(step.replace("_", " "), f"{seconds:.2f}")
    return table


def _facts(job: "JobView") -> Iterator[tuple[str, str]]:
    yield "id", job.id
    yield "status", job.status
    if job.queue_position:
        yield "queue position", str(job.queue_position)
    if job.stage:
        yield "stage", f"{job.stage}, {job.progress:.0%}"
    if job.eta:
        yield "ETA", _moment(job.eta)
    yield "created", _moment(job.created_at)
    if job.consent:
        yield "consent", f"{job.consent.statement} ({_moment(job.consent.affirmed_at)})"
    if job.failure:
        yield "failure", f"{job.failure.message} ({job.failure.code})"
    if job.emotion:
        yield "detected emotion", job.emotion.emotion
    if job.duration:
        yield "video", f"{job.duration:.1f} s"
    if job.notices:
        yield "notices", ", ".join(job.notices)
    if job.webhook:
        yield "webhook", " ".join(filter(None, (job.webhook.status, job.webhook.reason)))
    if job.expires_at:
        yield "expires", _moment(job.expires_at)
    yield from job.metadata.items()


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


class Bar(Protocol):
    """A progress bar, for those that update it."""

    def show(self, doing: str, share: float) -> None:
        """Set the description and the share done, from 0 to 1."""


class _RichBar:
    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=1.0, name=name)

    def show(self, doing: str, share: float) -> None:
        self._progress.update(self._task, description=doing, completed=share)


def counted(batches: Iterable[Frames], num_frames: int, bar: Bar) -> Iterator[Frames]:
    """Yield batches of frames unchanged, and show how many of them have been used."""
    done = 0
    for batch in batches:
        yield batch
        done += len(batch)
        bar.show("rendering", done / num_frames)


@contextmanager
def progress_bars(console: Console) -> Iterator[Callable[[str], Bar]]:
    """Show named progress bars within the context.

    Without a terminal, only their last state is shown.
    """
    columns = (
        TextColumn("{task.fields[name]}", markup=False),
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield lambda name: _RichBar(progress, name)


@contextmanager
def progress_bar(console: Console) -> Iterator[Bar]:
    """Show one progress bar without a name within the context."""
    with progress_bars(console) as add:
        yield add("")


def describe(job: "JobView") -> str:
    """Return a short description of a job's current step."""
    if job.status == "queued" and job.queue_position:
        return f"queued ({job.queue_position})"
    return job.stage or job.status


console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)


@contextmanager
def exit_on_errors(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors that users can fix, `OSError` among them, into one line and exit code 1."""
    caught: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        yield
    except caught as error:
        print_error(str(error))
        print_start_hint([error])
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        print_error("Interrupted.")
        raise typer.Exit(130) from None


def print_start_hint(errors: Iterable[object]) -> None:
    """Print how to start a service, if one of the errors is that nothing answers."""
    if any(getattr(error, "is_absent", False) for error in errors):
        print_note(
            "Start a service on this machine with `make serve` (or `amigo serve`), or set the URL "
            "of a running one by --url or AMIGO_URL."
        )


def print_line(sentence: str) -> None:
    """Print a line without markup and without wrapping paths and commands."""
    console.print(sentence, markup=False, soft_wrap=True)


def print_note(sentence: str) -> None:
    """Print an additional message on stderr."""
    error_console.print(sentence, markup=False, soft_wrap=True)


def print_error(sentence: str) -> None:
    """Print an error on stderr."""
    error_console.print(f"[red]Error:[/red] {escape(sentence)}", soft_wrap=True)
