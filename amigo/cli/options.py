"""Options shared by several commands of `amigo`."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from amigo.choices import (
    Composition,
    EmotionChoice,
    Eyes,
    JobOptions,
    Pose,
    Priority,
    Resolution,
)

DEFAULT_DIRECTORY = Path("var")
_FACE = re.compile(r"largest|[1-9][0-9]?|[0-9]{1,5},[0-9]{1,5}")


def _checked_face(face: str) -> str:
    if not _FACE.fullmatch(face):
        raise typer.BadParameter(
            f"{face!r} is not a valid face: use largest, a number from 1 to 99, or a point such as "
            "640,210."
        )
    return face


Url = Annotated[
    str | None,
    typer.Option(
        envvar="AMIGO_URL", help="URL of the service; by default the one running on this machine."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print jobs as JSON, one per line.")]
Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="PORTRAIT AUDIO...",
        help="Files or https URLs, each portrait followed by its audio.",
    ),
]
OutputDirectory = Annotated[
    Path | None,
    typer.Option("--output-dir", "-d", file_okay=False, help="Directory to save the videos."),
]
Wait = Annotated[
    bool, typer.Option(help="Wait for the jobs to end, or return once they are submitted.")
]
Parallel = Annotated[int, typer.Option(min=1, help="Number of jobs in progress at the same time.")]
Consent = Annotated[
    bool, typer.Option("--consent", help="I have the right to animate this face and this voice.")
]
WebhookUrl = Annotated[
    str | None, typer.Option(help="URL to notify when a job ends (Standard Webhooks).")
]
JobId = Annotated[str, typer.Argument(help="Id of the job.")]
JobIds = Annotated[list[str], typer.Argument(help="Ids of the jobs.")]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="Metadata of the job; repeatable.")
]

Emotion = Annotated[
    EmotionChoice,
    typer.Option(help="Emotion to show; auto detects it in the speech."),
]
Intensity = Annotated[float, typer.Option(min=0, max=2, help="Strength of the emotion.")]
PoseChoice = Annotated[Pose, typer.Option(help="Gentle motion of head and eyes, or none.")]
Blink = Annotated[bool, typer.Option(help="Add eye blinks.")]
EyesChoice = Annotated[
    Eyes, typer.Option(help="If the portrait's eyes are closed: open them, or leave them.")
]
Face = Annotated[
    str,
    typer.Option(
        metavar="largest|N|X,Y",
        callback=_checked_face,
        help="Which of several faces to animate: a number from the left, or a point on it.",
    ),
]
Compose = Annotated[
    Composition, typer.Option(help="Crop to the face, or render the whole portrait.")
]
ResolutionChoice = Annotated[Resolution, typer.Option(help="Side of the rendered face, in pixels.")]
Seed = Annotated[
    int, typer.Option(min=0, max=2**32 - 1, help="Seed for the motion of head and eyes.")
]
Mark = Annotated[bool, typer.Option("--mark", help="Show a small AI badge in a corner.")]
PriorityChoice = Annotated[Priority, typer.Option(help="Jobs of a higher priority run first.")]


@dataclass(frozen=True)
class Look:
    """What a video shows: the options of every command that generates one from speech."""

    emotion: Emotion = "auto"
    intensity: Intensity = 1.0
    pose: PoseChoice = "natural"
    blink: Blink = True
    eyes: EyesChoice = "open"
    face: Face = "largest"
    compose: Compose = "crop"
    resolution: ResolutionChoice = 512
    seed: Seed = 0
    mark: Mark = False

    def job_options(self) -> JobOptions:
        """Return the options of a job that shows this."""
        return {
            "emotion": self.emotion,
            "intensity": self.intensity,
            "pose": self.pose,
            "blink": self.blink,
            "eyes": self.eyes,
            "face": self.face,
            "compose": self.compose,
            "resolution": self.resolution,
            "seed": self.seed,
            "mark": self.mark,
        }


def with_look(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take the fields of its `look` as options."""

    @wraps(command)
    def run(**given: Any) -> None:
        look = Look(**{field.name: given.pop(field.name) for field in fields(Look)})
        command(look=look, **given)

    taken = signature(command, eval_str=True)
    options = [
        option.replace(kind=Parameter.KEYWORD_ONLY)
        for name, parameter in taken.parameters.items()
        for option in (signature(Look).parameters.values() if name == "look" else [parameter])
    ]
    run.__signature__ = taken.replace(parameters=options)  # type: ignore[attr-defined]
    return run


def service_url(given: str | None, directory: Path = DEFAULT_DIRECTORY) -> str:
    """Return the given URL, that of the system running in this directory, or the default."""
    from amigo.client import DEFAULT_URL  # imported here, as in amigo.cli.jobs

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
