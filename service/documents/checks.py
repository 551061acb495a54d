"""The JSON documents of checks and of the limits on files."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Self

from pydantic import BaseModel, Field

from media.accepted import PICTURES, RECORDINGS, Format
from media.audio import MIN_DURATION, SpeechProperties
from media.faces.inspection import Inspection, Refusal
from media.faces.portrait import MIN_INTEROCULAR
from media.picture import MAX_PIXELS, MIN_SIDE
from service.intake.checks import Checked
from service.settings import ServiceSettings


class RefusalDocument(BaseModel):
    """Why a job with this file would be rejected or fail."""

    code: str = Field(description="Stable code, meant for programs.")
    message: str = Field(description="What was given and what is accepted.")


class BoxDocument(BaseModel):
    """A rectangle in pixels of the upright picture; it may extend beyond its edges."""

    left: float
    top: float
    width: float
    height: float


class FaceDocument(BaseModel):
    """A face of the portrait."""

    box: BoxDocument = Field(description="The face, from hairline to chin.")
    crop: BoxDocument = Field(
        description="The part of the picture that a video shows with `compose=crop`."
    )
    interocular: float = Field(description="Distance between the eyes' centres, in pixels.")
    refusal: RefusalDocument | None = Field(
        description="Why this face cannot be animated; null if it can."
    )


class PortraitCheck(BaseModel):
    """The result of checking a portrait."""

    width: int | None = Field(
        description="Width of the upright picture in pixels; null if unreadable."
    )
    height: int | None = Field(
        description="Height of the upright picture in pixels; null if unreadable."
    )
    faces: list[FaceDocument] | None = Field(
        description="Faces from left to right; null if the picture is unreadable, if detection "
        "takes too long, or if the service has no face detector."
    )
    speaker: int | None = Field(
        description="Number of the face that `face` selects, counted from the left (1 is the "
        "first); null if none."
    )
    notices: list[str] = Field(description="Codes of notices, such as `several_faces`.")
    refusal: RefusalDocument | None = Field(
        description="Why a job with this file would be rejected or fail; null if nothing was found."
    )

    @classmethod
    def of(cls, inspection: Inspection) -> Self:
        """Return the document of an inspection."""
        return cls.model_validate(asdict(inspection))


class AudioCheck(BaseModel):
    """The result of checking a recording."""

    duration: float | None = Field(
        description="Length in seconds; null if the recording is rejected."
    )
    notices: list[str] = Field(description="Codes of notices, such as `one_channel_used`.")
    refusal: RefusalDocument | None = Field(
        description="Why a job with this file would be rejected or fail; null if nothing was found."
    )

    @classmethod
    def of(cls, found: SpeechProperties | Refusal) -> Self:
        """Return the document of a recording, or of the reason why it cannot be used."""
        if isinstance(found, Refusal):
            return cls(duration=None, notices=[], refusal=RefusalDocument(**asdict(found)))
        return cls(duration=found.duration, notices=list(found.notices), refusal=None)


class CheckDocument(BaseModel):
    """The results of checking the files in a request."""

    portrait: PortraitCheck | None = Field(description="Null if no portrait was sent.")
    audio: AudioCheck | None = Field(description="Null if no recording was sent.")

    @classmethod
    def of(cls, checked: Checked) -> Self:
        """Return the document of the results."""
        return cls(
            portrait=checked.portrait and PortraitCheck.of(checked.portrait),
            audio=checked.audio and AudioCheck.of(checked.audio),
        )


class FileLimits(BaseModel):
    """Limits on files."""

    formats: list[str]
    media_types: list[str]
    suffixes: list[str] = Field(description="File name suffixes, with the dot.")
    max_bytes: int


class PortraitLimits(FileLimits):
    """Limits on portraits."""

    min_side: int = Field(description="Shortest accepted side, in pixels.")
    max_pixels: int
    min_interocular: float = Field(
        description="Smallest accepted distance between the eyes' centres, in pixels."
    )


class AudioLimits(FileLimits):
    """Limits on recordings."""

    min_seconds: float
    max_seconds: float


class LimitsDocument(BaseModel):
    """The formats, sizes and lengths that this service accepts."""

    portrait: PortraitLimits
    audio: AudioLimits

    @classmethod
    def of(cls, settings: ServiceSettings) -> Self:
        """Return the limits under these settings."""
        return cls(
            portrait=PortraitLimits(
                **_described(PICTURES),
                max_bytes=settings.portrait_max_bytes,
                min_side=MIN_SIDE,
                max_pixels=MAX_PIXELS,
                min_interocular=MIN_INTEROCULAR,
            ),
            audio=AudioLimits(
                **_described(RECORDINGS),
                max_bytes=settings.audio_max_bytes,
                min_seconds=MIN_DURATION,
                max_seconds=settings.audio_max_seconds,
            ),
        )


def _described(formats: Iterable[Format]) -> dict[str, list[str]]:
    return {
        "formats": [each.name for each in formats],
        "media_types": [kind for each in formats for kind in each.media_types],
        "suffixes": [suffix for each in formats for suffix in each.suffixes],
    }
