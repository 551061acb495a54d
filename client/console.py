"""How the `amigo` command speaks: lines on stdout, complaints on stderr, exit codes."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.markup import escape

console = Console(highlight=False)
complaints = Console(stderr=True, highlight=False)


@contextmanager
def complaining(*errors: type[Exception]) -> Iterator[None]:
    """Turn errors that a person can do something about into one line and exit code 1."""
    caught: tuple[type[Exception], ...] = (OSError, *errors)
    try:
        yield
    except caught as error:
        complain(str(error))
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        complain("Interrupted.")
        raise typer.Exit(130) from None


def say(sentence: str) -> None:
    """Print a line as it is: no markup, no wrapping of paths and commands."""
    console.print(sentence, markup=False, soft_wrap=True)


def remark(sentence: str) -> None:
    """Say something that is not what was asked for, on stderr."""
    complaints.print(sentence, markup=False, soft_wrap=True)


def complain(sentence: str) -> None:
    """Say what went wrong, on stderr."""
    complaints.print(f"[red]Error:[/red] {escape(sentence)}", soft_wrap=True)
