"""Options shared by several commands of `amigo`."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from amigo.client import DEFAULT_URL
from amigo.types import Composition, EmotionChoice, Eyes, Pose, Priority, Resolution

DEFAULT_DIRECTORY = Path("var")
_FACE = re.compile(r"largest|[1-9][0-9]?|[0-9]{1,5},[0-9]{1,5}")


def _checked_face(face: str) -> str:
    if not _FACE.fullmatch(face):
        raise typer.BadParameter(
            f"{face!r} is neither largest, nor a number from 1 to 99, nor a point such as 640,210."
        )
    return face


Url = Annotated[
    str | None,
    typer.Option(
        envvar="AMIGO_URL", help="URL of the service; by default the one running on this machine."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print jobs as JSON, one per line.")]
JobId = Annotated[str, typer.Argument(help="Id of the job.")]
JobIds = Annotated[list[str], typer.Argument(help="Ids of the jobs.")]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="Metadata of the job; repeatable.")
]

Emotion = Annotated[
    EmotionChoice,
    typer.Option(help="The displayed emotion; auto uses the one detected in the speech."),
]
Intensity = Annotated[float, typer.Option(min=0, max=2, help="Strength of the emotion.")]
PoseChoice = Annotated[Pose, typer.Option(help="Gentle head motion, or a still head.")]
Blink = Annotated[bool, typer.Option(help="Whether to add eye blinks.")]
EyesChoice = Annotated[
    Eyes, typer.Option(help="Open the eyes of a portrait caught in a blink, or keep them shut.")
]
Face = Annotated[
    str,
    typer.Option(
        metavar="largest|N|X,Y",
        callback=_checked_face,
        help="Of several faces, the one to animate: a number from the left, or a point on it.",
    ),
]
Compose = Annotated[
    Composition, typer.Option(help="Crop to the face, or render the whole portrait.")
]
ResolutionChoice = Annotated[Resolution, typer.Option(help="Side of the rendered face, in pixels.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed for head motion and blinks.")]
Mark = Annotated[bool, typer.Option("--mark", help="Show a small AI badge in a corner.")]
PriorityChoice = Annotated[Priority, typer.Option(help="Jobs of a higher priority run first.")]


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
