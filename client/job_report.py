"""Jobs as the `amigo` command tells of them."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from client.console import complain, say
from client.job_view import JobView

# However narrow the terminal: a line cut short would lose what one looks for.
_wide = Console(width=250, highlight=False)


def tell_json(job: JobView) -> None:
    """Print all that the service says about a job, on one line."""
    say(job.model_dump_json())


def tell_video(path: object, job: JobView) -> None:
    """Say where the video is and what was heard in the speech."""
    heard = f", heard {job.emotion.emotion}" if job.emotion else ""
    say(f"{path}: {job.duration or 0:.1f} s{heard}")
    for notice in job.notices:
        say(f"Notice: {notice}")


def failure_sentence(job: JobView) -> str:
    """Return why there is no video."""
    reason = f"{job.failure.message} ({job.failure.code})" if job.failure else "There is no video."
    return f"Job {job.id} {job.status}: {reason}"


def require_success(job: JobView) -> None:
    """End with an error line unless the job has a video.

    Raises:
        typer.Exit: with code 1.
    """
    if not job.has_succeeded:
        complain(failure_sentence(job))
        raise typer.Exit(1)


def tell_job(job: JobView) -> None:
    """Print what there is to say about a job, a line for each thing."""
    table = Table(box=None, show_header=False)
    for name, value in _facts(job):
        table.add_row(Text(name), Text(value))
    _wide.print(table)


def tell_jobs(jobs: Iterable[JobView]) -> None:
    """Print jobs as a table, a line for each."""
    table = Table("id", "status", "made", "seconds", "emotion", "failure", box=None)
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
    """Return the seconds by step, as a table."""
    table = Table("step", "seconds", box=None)
    table.columns[1].justify = "right"
    for step, seconds in timings.items():
        table.add_row(step.replace("_", " "), f"{seconds:.2f}")
    return table


def _facts(job: JobView) -> Iterator[tuple[str, str]]:
    yield "id", job.id
    yield "status", job.status
    if job.queue_position:
        yield "in the queue", str(job.queue_position)
    if job.stage:
        yield "stage", f"{job.stage}, {job.progress:.0%}"
    if job.eta:
        yield "done at about", _moment(job.eta)
    yield "made", _moment(job.created_at)
    if job.consent:
        yield "affirmed", f"{job.consent.statement} ({_moment(job.consent.affirmed_at)})"
    if job.failure:
        yield "failure", f"{job.failure.message} ({job.failure.code})"
    if job.emotion:
        yield "heard", job.emotion.emotion
    if job.duration:
        yield "video", f"{job.duration:.1f} s"
    if job.notices:
        yield "notices", ", ".join(job.notices)
    if job.webhook:
        yield "webhook", " ".join(filter(None, (job.webhook.status, job.webhook.reason)))
    if job.expires_at:
        yield "deleted at", _moment(job.expires_at)
    yield from job.metadata.items()


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"
