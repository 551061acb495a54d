"""The commands of `amigo` that use a running service."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from amigo.cli.destinations import check_destinations
from amigo.cli.options import (
    Consent,
    Inputs,
    JobId,
    JobIds,
    Json,
    Look,
    Metadata,
    OutputDirectory,
    Parallel,
    PriorityChoice,
    Url,
    Wait,
    WebhookUrl,
    parsed_metadata,
    service_url,
    with_look,
)
from amigo.cli.output import (
    describe,
    error_console,
    exit_on_errors,
    print_job,
    print_job_json,
    print_jobs,
    print_line,
    print_start_hint,
    print_video,
    progress_bar,
    progress_bars,
    require_success,
)

if TYPE_CHECKING:
    from amigo.choices import JobOptions
    from amigo.client import Client

app = typer.Typer()

Output = Annotated[
    Path | None, typer.Option("--output", "-o", dir_okay=False, help="Path to save the video.")
]


@contextmanager
def connection(url: str | None) -> "Iterator[Client]":
    """Yield a client for the service, and turn its errors into one line and exit code 1.

    It is imported here, because commands that need no service start half a second sooner without.
    """
    from amigo.client import Client
    from amigo.errors import AmigoError

    with exit_on_errors(AmigoError), Client(service_url(url)) as client:
        yield client


@app.command()
@with_look
def submit(
    *,
    inputs: Inputs,
    output: Output = None,
    output_dir: OutputDirectory = None,
    wait: Wait = True,
    parallel: Parallel = 4,
    consent: Consent = False,
    url: Url = None,
    look: Look,
    priority: PriorityChoice = "normal",
    webhook_url: WebhookUrl = None,
    metadata: Metadata = None,
    as_json: Json = False,
) -> None:
    """Submit jobs to a running service and save their videos."""
    from amigo.cli.batch import Batch, paired
    from amigo.errors import AmigoError

    options: JobOptions = {
        **look.job_options(),
        "priority": priority,
        "webhook_url": webhook_url,
        "metadata": parsed_metadata(metadata) or None,
    }
    if not consent:
        raise typer.BadParameter(
            "Add --consent to affirm: “I have the right to animate this face and this voice.”"
        )
    with exit_on_errors():
        pairs = paired(inputs, output, output_dir, wait)
    with exit_on_errors(AmigoError), progress_bars(error_console) as add_bar:
        batch = Batch(service_url(url), consent, options, add_bar)
        outcomes = anyio.run(batch.fulfil, pairs, parallel)
    well = [outcome.report(as_json) for outcome in outcomes]
    print_start_hint(outcome.result for outcome in outcomes)
    if not all(well):
        raise typer.Exit(1)


@app.command()
def status(job_id: JobId, url: Url = None, as_json: Json = False) -> None:
    """Show the state of a job."""
    with connection(url) as client:
        job = client.get(job_id)
    if as_json:
        print_job_json(job)
    else:
        print_job(job)


@app.command()
def wait(
    job_id: JobId,
    output: Output = None,
    timeout: Annotated[float, typer.Option(min=0, help="Timeout in seconds.")] = float("inf"),
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Wait for a job to end; fail unless it has a video."""
    with connection(url) as client:
        check_destinations([output])
        with progress_bar(error_console) as bar:
            job = client.wait(job_id, lambda job: bar.show(describe(job), job.progress), timeout)
        if output and job.has_succeeded:
            client.download_video(job.id, output)
    if as_json:
        print_job_json(job)
    require_success(job)
    if not as_json:
        print_video(output or job.id, job)


@app.command("list")
def list_jobs(
    statuses: Annotated[
        list[str] | None, typer.Option("--status", help="Only jobs with this status; repeatable.")
    ] = None,
    after: Annotated[
        datetime | None, typer.Option(help="Only jobs created after this time.")
    ] = None,
    before: Annotated[
        datetime | None, typer.Option(help="Only jobs created before this time.")
    ] = None,
    metadata: Metadata = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of jobs to list.")] = 20,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List your jobs, newest first."""
    with connection(url) as client:
        found = client.list(
            statuses=statuses or (),
            created_after=after and after.astimezone(),
            created_before=before and before.astimezone(),
            metadata=parsed_metadata(metadata),
            page_size=min(limit, 100),
        )
        jobs = list(islice(found, limit))
    if not as_json:
        print_jobs(jobs)
        return
    for job in jobs:
        print_job_json(job)


@app.command()
def cancel(job_ids: JobIds, url: Url = None, as_json: Json = False) -> None:
    """Cancel jobs that are queued or processing."""
    with connection(url) as client:
        for job_id in job_ids:
            job = client.cancel(job_id)
            if as_json:
                print_job_json(job)
            else:
                print_line(f"{job.id} {job.status}")


@app.command()
def delete(job_ids: JobIds, url: Url = None) -> None:
    """Delete jobs in any state, along with their files."""
    with connection(url) as client:
        for job_id in job_ids:
            client.delete(job_id)
            print_line(f"{job_id} deleted")


@app.command()
def download(
    job_id: JobId,
    output: Output = None,
    poster: Annotated[Path | None, typer.Option(help="Path to save the poster (JPEG).")] = None,
    landmarks: Annotated[
        Path | None, typer.Option(help="Path to save the landmarks, as .npz or .json.")
    ] = None,
    url: Url = None,
) -> None:
    """Download a job's results."""
    if not (output or poster or landmarks):
        raise typer.BadParameter("Nothing to save: use --output, --poster or --landmarks.")
    with connection(url) as client:
        check_destinations([output, poster, landmarks])
        if output:
            print_line(str(client.download_video(job_id, output)))
        if poster:
            print_line(str(client.download_poster(job_id, poster)))
        if landmarks:
            print_line(str(client.download_landmarks(job_id, landmarks)))
