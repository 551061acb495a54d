"""Progress bars that name what is being done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from client.job_view import JobView


class Bar(Protocol):
    """A bar as those see it who fill it."""

    def show(self, doing: str, share: float) -> None:
        """Name what is being done and fill the bar to `share`, 0 to 1."""


class _RichBar:
    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=1.0, name=name)

    def show(self, doing: str, share: float) -> None:
        self._progress.update(self._task, description=doing, completed=share)


@contextmanager
def progress_bars(console: Console) -> Iterator[Callable[[str], Bar]]:
    """Give bars their names and show them while the context lasts.

    Where there is no terminal, only their last state is shown.
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
    """Show one bar, without a name, while the context lasts."""
    with progress_bars(console) as add:
        yield add("")


def describe(job: JobView) -> str:
    """Return what is being done for a job, in a few words."""
    if job.status == "queued" and job.queue_position:
        return f"queued ({job.queue_position})"
    return job.stage or job.status
