"""Writes docs/settings.md from the settings classes: `make docs`."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from jobs.settings import Settings, SigningSettings
from service.settings import ServiceSettings
from workers.reconciler.settings import ReconcilerSettings
from workers.synthesis.settings import WorkerSettings
from workers.webhooks.settings import WebhookSettings

PAGE = Path(__file__).with_name("settings.md")

PROCESSES: tuple[tuple[str, str, type[Settings]], ...] = (
    ("Every process", "Shared by all processes below.", Settings),
    (
        "Service and webhooks",
        "Shared by the two processes that sign what leaves the system.",
        SigningSettings,
    ),
    ("Service", "`python -m service`", ServiceSettings),
    ("Worker", "`python -m workers.synthesis`", WorkerSettings),
    ("Reconciler", "`python -m workers.reconciler`", ReconcilerSettings),
    ("Webhooks", "`python -m workers.webhooks`", WebhookSettings),
)

UNITS = {"per_second": "s per s of speech", "seconds": "s", "hours": "h", "bytes": "bytes"}
"""By the end of a setting's name."""

HEADER = """# Settings

Every setting is an environment variable. The defaults suit one machine. This page is generated from
the settings classes by `make docs`, and a test keeps it up to date.
"""


def unit_of(name: str) -> str:
    """Return the unit of a setting, empty for a count, a port or a word."""
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")


def accepted(field: FieldInfo) -> str:
    """Return the values that a setting accepts beside its type, empty when there is no limit."""
    if choices := [value for value in get_args(field.annotation) if isinstance(value, str)]:
        return ", ".join(f"`{choice}`" for choice in choices)
    limits: dict[type[Any], str] = {Gt: "> {0.gt}", Ge: "≥ {0.ge}", Le: "≤ {0.le}"}
    return ", ".join(
        limits[type(each)].format(each) for each in field.metadata if type(each) in limits
    )


def default_of(name: str, field: FieldInfo) -> str:
    """Return a setting's default as it is written in the environment."""
    default = field.default
    if isinstance(default, SecretStr):
        return "a development secret"
    if name == "run_directory":
        return "`amigo-worker` in the temporary directory"
    if default is None or default == ():
        return "unset"
    if isinstance(default, bool | Enum):
        return f"`{str(default).lower()}`"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def rows(settings: type[Settings]) -> Iterator[str]:
    """Yield a row a setting that a process does not share with the others."""
    bases = [base for base in settings.__mro__[1:] if issubclass(base, Settings)]
    inherited = bases[0].model_fields if bases else {}
    for name, field in settings.model_fields.items():
        if name not in inherited:
            cells = default_of(name, field), unit_of(name), accepted(field), field.description
            yield f"| `AMIGO_{name.upper()}` | " + " | ".join(str(cell) for cell in cells) + " |"


def page() -> str:
    """Return the whole page."""
    parts = [HEADER]
    for title, process, settings in PROCESSES:
        table = ["| variable | default | unit | accepted | meaning |", "|---|---|---|---|---|"]
        parts.append(f"## {title}\n\n{process}\n\n" + "\n".join([*table, *rows(settings)]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
