"""Server-sent events as a caller reads them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Told:
    """A job in one event; `id` is None if the event had none."""

    id: str | None
    job: dict[str, Any]


def told(lines: Iterator[str]) -> Iterator[Told]:
    """Yield the events from a response's lines, skipping comments."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            assert fields["event"] == "job"
            yield Told(fields.get("id"), json.loads(fields["data"]))
            fields = {}
