"""`amigo keys`: create, list and revoke API keys of a system whose Valkey can be reached."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Column, Table

from amigo.cli.options import DEFAULT_DIRECTORY
from amigo.cli.output import console, exit_on_errors, print_line, print_note

if TYPE_CHECKING:
    from jobs.settings import Settings
    from jobs.valkey.api_keys import ApiKey

app = typer.Typer(
    help=(
        "Manage the API keys of the system running on this machine, or of the one at "
        "AMIGO_VALKEY_URL."
    ),
    no_args_is_help=True,
)

Directory = Annotated[
    Path,
    typer.Option(
        "--dir", file_okay=False, help="Directory of the system, if it runs on this machine."
    ),
]
RequestLimit = Annotated[
    int, typer.Option(min=0, help="Maximum requests per minute; 0 means unlimited.")
]
ConcurrentLimit = Annotated[
    int, typer.Option(min=0, help="Maximum jobs queued or processing; 0 means unlimited.")
]
DailyLimit = Annotated[
    int, typer.Option(min=0, help="Maximum jobs created per day (UTC); 0 means unlimited.")
]


@app.command()
def create(
    tenant: Annotated[
        str,
        typer.Argument(help="Owner of the jobs. An API key only has access to its tenant's jobs."),
    ],
    name: Annotated[str, typer.Option(help="Human-readable name of the API key.")] = "",
    only: Annotated[
        Literal["jobs:read", "jobs:write"] | None,
        typer.Option(help="Limit the API key to one scope; by default it has both."),
    ] = None,
    days: Annotated[
        float | None, typer.Option(min=0, max=36_500, help="Days until the API key expires.")
    ] = None,
    requests_a_minute: RequestLimit = 600,
    concurrent_jobs: ConcurrentLimit = 100,
    jobs_a_day: DailyLimit = 1000,
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Create an API key and print its token. The token cannot be shown again."""
    from jobs.valkey.api_keys import ApiKeyStore, Quota, Scope

    with _complaining():
        settings = _settings(directory)
        key, token = ApiKeyStore.connect(settings).create(
            tenant,
            name=name,
            scopes=frozenset([Scope(only)] if only else Scope),
            quota=Quota(
                requests_a_minute=requests_a_minute or None,
                concurrent_jobs=concurrent_jobs or None,
                jobs_a_day=jobs_a_day or None,
            ),
            lifetime=None if days is None else timedelta(days=days),
        )
        _archive(key, settings)
    print_note(
        f"API key {key.id} of tenant {key.tenant}. Store the token now; it is not shown again:"
    )
    print_line(token)


@app.command("list")
def list_keys(directory: Directory = DEFAULT_DIRECTORY) -> None:
    """List all API keys, without their tokens."""
    from jobs.valkey.api_keys import ApiKeyStore

    with _complaining():
        keys = ApiKeyStore.connect(_settings(directory)).all()
    names = ("id", "tenant", "name", "scopes", "limits", "created", "state")
    # Words that are wider than their column would be cut.
    table = Table(*(Column(name, overflow="fold") for name in names), box=None)
    for column in (table.columns[0], table.columns[2]):  # an id and a name are copied whole
        column.no_wrap = True
    for key in keys:
        table.add_row(*_row(key))
    console.print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="Id of the API key, as listed.")],
    directory: Directory = DEFAULT_DIRECTORY,
) -> None:
    """Revoke an API key."""
    from jobs.valkey.api_keys import ApiKeyStore

    with _complaining():
        settings = _settings(directory)
        key = ApiKeyStore.connect(settings).revoke(key_id)
        _archive(key, settings)
    print_line(f"API key {key.id} of tenant {key.tenant} revoked.")


def _settings(directory: Path) -> "Settings":
    from jobs.settings import Settings

    return Settings.model_validate(_local_settings(directory))


def _archive(key: "ApiKey", settings: "Settings") -> None:
    from jobs.errors import StorageUnavailable
    from jobs.s3.api_key_backup import ApiKeyBackup
    from jobs.s3.object_store import ObjectStorage
    from jobs.valkey.api_keys import ApiKeyStore

    try:
        ApiKeyBackup(ApiKeyStore.connect(settings), ObjectStorage.connect(settings)).save(key)
    except StorageUnavailable as error:
        print_note(
            f"The backup of the API key is out of date; the reconciler will update it. {error}"
        )


def _local_settings(directory: Path) -> dict[str, str]:
    """Return the environment of the system running here; empty if the environment gives another."""
    if "AMIGO_VALKEY_URL" in os.environ or not (directory / "standalone.json").exists():
        return {}
    from deploy.standalone.errors import DeployError
    from deploy.standalone.system import environment

    with exit_on_errors(DeployError):
        variables = environment(directory)
    return {name.removeprefix("AMIGO_").lower(): value for name, value in variables.items()}


@contextmanager
def _complaining() -> Iterator[None]:
    from pydantic import ValidationError

    from jobs.errors import JobsError
    from jobs.settings import describe_invalid
    from jobs.valkey.api_keys import ApiKey

    with exit_on_errors(JobsError):
        try:
            yield
        except ValidationError as error:
            # What is not a setting from the environment is an argument of the command.
            prefix = "" if error.title == ApiKey.__name__ else "AMIGO_"
            raise typer.BadParameter(" ".join(describe_invalid(error, prefix))) from error


def _row(key: "ApiKey") -> tuple[str, ...]:
    quota = key.quota
    limits = (
        f"{quota.requests_a_minute or '∞'} requests/min, "
        f"{quota.concurrent_jobs or '∞'} concurrent jobs, {quota.jobs_a_day or '∞'} "
        "jobs/day"
    )
    made = f"{key.created_at:%Y-%m-%d %H:%M}"
    scopes = ", ".join(sorted(key.scopes))
    return key.id, key.tenant, escape(key.name), scopes, limits, made, _state(key)


def _state(key: "ApiKey") -> str:
    if reason := key.why_invalid(datetime.now(UTC)):
        return reason
    return f"until {key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at is not None else "valid"
