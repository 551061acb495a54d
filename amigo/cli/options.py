"""Options shared by several commands of `amigo`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from amigo.client import DEFAULT_URL
from amigo.types import Composition, EmotionChoice, Pose, Priority, Resolution

DEFAULT_DIRECTORY = Path("var")

Url = Annotated[
    str | None,
    typer.Option(envvar="AMIGO_URL", help="The service; left out: the one running here."),
]
Json = Annotated[bool, typer.Option("--json", help="Print jobs as JSON, one a line.")]
JobId = Annotated[str, typer.Argument(help="The job's id.")]
JobIds = Annotated[list[str], typer.Argument(help="The jobs' ids.")]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="Metadata of the job; repeatable.")
]

Emotion = Annotated[EmotionChoice, typer.Option(help="The emotion shown; auto: the one heard.")]
Intensity = Annotated[float, typer.Option(min=0, max=2, help="Strength of the emotion.")]
PoseChoice = Annotated[Pose, typer.Option(help="Gentle head motion, or none.")]
Blink = Annotated[bool, typer.Option(help="Whether the eyes blink.")]
Compose = Annotated[
    Composition, typer.Option(help="The face alone, or the whole portrait around it.")
]
ResolutionChoice = Annotated[
    Resolution, typer.Option(help="Side of the face that is rendered, pixels.")
]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of head motion and blinks.")]
Mark = Annotated[bool, typer.Option("--mark", help="Show a small badge, AI, in a corner.")]
PriorityChoice = Annotated[Priority, typer.Option(help="Jobs of higher priority go first.")]


def service_url(given: str | None, directory: Path = DEFAULT_DIRECTORY) -> str:
    """Return the given URL, that of the system running in this directory, or the default."""
    if given:
        return given
    try:
        return str(json.loads((directory / "standalone.json").read_text())["url"])
    except FileNotFoundError:
        return DEFAULT_URL


def parsed_metadata(pairs: list[str] | None) -> dict[str, str]:
    """Return the names and values of `NAME=VALUE` texts.

    Raises:
        typer.BadParameter: there is no equals sign.
    """
    split = [pair.partition("=") for pair in pairs or []]
    for name, sign, _ in split:
        if not sign:
            raise typer.BadParameter(f"{name!r} is not NAME=VALUE.", param_hint="--metadata")
    return {name: value for name, _, value in split}
