"""Where a command writes: checked before the work begins, so that it destroys nothing."""

import os
from collections.abc import Iterable, Sequence
from errno import EACCES, ENOTDIR
from itertools import combinations
from pathlib import Path

import typer


def check_destinations(outputs: Sequence[Path | None], inputs: Iterable[Path | None] = ()) -> None:
    """Check that all outputs can be written without overwriting an input or each other.

    None stands for a file that is not given.

    Raises:
        typer.BadParameter: an output is an input, another output, or not a regular file.
        OSError: an output's directory cannot be written to.
    """
    files = [output for output in outputs if output]
    for output in files:
        _check_file(output)
        _check_directory(output.resolve().parent)
        if any(given and _is_same(output, given) for given in inputs):
            raise typer.BadParameter(f"The output {output} would overwrite an input.")
    for first, second in combinations(files, 2):
        if _is_same(first, second):
            raise typer.BadParameter(f"Two outputs have the same path, {first}.")


def _check_file(output: Path) -> None:
    if output.exists() and not output.is_file():
        raise typer.BadParameter(f"The output {output} is not a regular file.")


def _check_directory(directory: Path) -> None:
    """Check the directory, or the existing one in which it will be created."""
    existing = next(each for each in (directory, *directory.parents) if each.exists())
    if not existing.is_dir():
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(existing))
    if not os.access(existing, os.W_OK | os.X_OK):
        raise PermissionError(EACCES, os.strerror(EACCES), str(existing))


def _is_same(first: Path, second: Path) -> bool:
    if first.exists() and second.exists():
        return first.samefile(second)
    return first.resolve() == second.resolve()
