"""The report: tables with the device, date and weights of their measurement."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import torch

from models.manifest import MANIFEST, WEIGHTS

Cell = str | int | float | None
Row = Mapping[str, Cell]

NOT_AVAILABLE = "not available"


@dataclass(frozen=True)
class Provenance:
    """Origin of a measurement; `weights` maps file names to sha256."""

    device: str
    date: str
    weights: dict[str, str]

    @classmethod
    def now(cls, device: torch.device, weights: Path = WEIGHTS) -> Self:
        """Describe this machine, the current time and a folder's weights by their manifest."""
        processor = f"CPU {platform.machine()}, {torch.get_num_threads()} threads"
        return cls(
            device=torch.cuda.get_device_name(device) if device.type == "cuda" else processor,
            date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            weights=json.loads((weights / MANIFEST).read_text()),
        )

    def line(self) -> str:
        """Return one line of Markdown."""
        digests = ", ".join(f"{name} `{digest[:12]}`" for name, digest in self.weights.items())
        return f"{self.device}; {self.date}; sha256 of the weights: {digests}."


@dataclass(frozen=True)
class Table:
    """Rows with common columns; None stands for what could not be measured."""

    title: str
    note: str
    rows: Sequence[Row]

    def markdown(self, provenance: Provenance) -> str:
        """Return title, note, rows and origin."""
        columns = list(self.rows[0])
        lines = [columns, ["---"] * len(columns)]
        lines += [[_text(row[column]) for column in columns] for row in self.rows]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"## {self.title}\n\n{self.note}\n\n{table}\n\n{provenance.line()}\n"


def write_report(
    folder: Path, provenance: Provenance, tables: Sequence[Table], pictures: Sequence[Path]
) -> None:
    """Write report.md and report.json; pictures are linked relative to the folder."""
    sections = [table.markdown(provenance) for table in tables]
    shown = [f"![{path.stem}]({path.relative_to(folder)})\n" for path in pictures]
    text = "\n".join(["# Evaluation\n", *sections, "## Pictures\n", *shown])
    (folder / "report.md").write_text(text)
    record = asdict(provenance) | {"tables": [asdict(table) for table in tables]}
    (folder / "report.json").write_text(json.dumps(record, indent=1) + "\n")


def _text(cell: Cell) -> str:
    if cell is None:
        return NOT_AVAILABLE
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)
