"""What a caller wants made: two inputs and the options."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from client.job_view import AssetView

EmotionChoice = Literal[
    "auto",
    "neutral",
    "happiness",
    "sadness",
    "anger",
    "fear",
    "disgust",
    "surprise",
    "contempt",
]
Pose = Literal["natural", "still"]
Composition = Literal["crop", "full"]
Priority = Literal["high", "normal", "low"]

Source = Path | str | AssetView
"""A file; an `http(s)://` address, which the service fetches; or an asset sent before."""

File = tuple[str, bytes]
"""A name and a content."""


class JobOptions(TypedDict, total=False):
    """The options by name; one left out or None stands for the service's default."""

    emotion: EmotionChoice | None
    intensity: float | None
    pose: Pose | None
    blink: bool | None
    compose: Composition | None
    seed: int | None
    mark: bool | None
    priority: Priority | None
    webhook_url: str | None
    metadata: dict[str, str] | None


@dataclass(frozen=True)
class JobRequest:
    """A job as the service is asked for it, the files' bytes included.

    Attributes:
        fields: options and inputs that are no files, as JSON values.
        files: the inputs that are files.
    """

    fields: Mapping[str, Any]
    files: Mapping[str, File]

    @classmethod
    def of(
        cls, portrait: Source, audio: Source, *, consent: bool, options: JobOptions | None = None
    ) -> "JobRequest":
        """Read the files and return the request.

        The bytes are read once, so that a request sent again is the same request.

        Raises:
            OSError: a file cannot be read.
        """
        inputs = {"portrait": _located(portrait), "audio": _located(audio)}
        chosen = {name: value for name, value in (options or {}).items() if value is not None}
        return cls(
            fields={
                "consent": consent,
                **chosen,
                **{
                    f"{name}_{place}": source
                    for name, (place, source) in inputs.items()
                    if place != "file"
                },
            },
            files={
                name: read_file(path)
                for name, (_, path) in inputs.items()
                if isinstance(path, Path)
            },
        )

    @property
    def form(self) -> dict[str, str]:
        """The fields as the text parts of a form."""
        return {name: _text(value) for name, value in self.fields.items()}


def read_file(path: Path) -> File:
    """Return the file's name and content.

    Raises:
        OSError: it cannot be read.
    """
    return path.name, path.read_bytes()


def is_address(source: str) -> bool:
    """Whether the service can fetch it; other text names a file."""
    return source.startswith(("https://", "http://"))


def _located(source: Source) -> tuple[Literal["file", "url", "asset"], Path | str]:
    if isinstance(source, AssetView):
        return "asset", source.id
    if isinstance(source, str) and is_address(source):
        return "url", source
    return "file", Path(source)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
