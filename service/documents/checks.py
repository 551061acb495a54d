"""The JSON documents of checks, and of the limits that hold for files."""

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

    box: BoxDocument = Field(description="From the hairline to the chin.")
    crop: BoxDocument = Field(description="What a video of the face alone shows.")
    interocular: float = Field(description="Pixels between the eyes' centres.")
    refusal: RefusalDocument | None = Field(description="Why it cannot be animated; or null.")


class PortraitCheck(BaseModel):
    """What a job would make of the portrait."""

    width: int | None = Field(description="Pixels of the upright picture; null if unreadable.")
    height: int | None = Field(description="Pixels of the upright picture; null if unreadable.")
    faces: list[FaceDocument] | None = Field(
        description="From the left; null if the picture is unreadable, if the search takes too "
        "long, or if the service has no face detector."
    )
    speaker: int | None = Field(
        description="Number of the face that `face` selects, 1 for the leftmost; null if none."
    )
    notices: list[str] = Field(description="Codes of what the caller should know.")
    refusal: RefusalDocument | None = Field(
        description="Why a job would be rejected or fail; null if nothing is known against it."
    )

    @classmethod
    def of(cls, inspection: Inspection) -> Self:
        """Return the document of an inspection."""
        return cls.model_validate(asdict(inspection))


class AudioCheck(BaseModel):
    """What a job would make of the recording."""

    duration: float | None = Field(description="Seconds; null if it is refused.")
    notices: list[str] = Field(description="Codes of what the caller should know.")
    refusal: RefusalDocument | None = Field(
        description="Why a job would be rejected or fail; null if nothing is known against it."
    )

    @classmethod
    def of(cls, found: SpeechProperties | Refusal) -> Self:
        """Return the document of a recording, or of the reason why it cannot be used."""
        if isinstance(found, Refusal):
            return cls(duration=None, notices=[], refusal=RefusalDocument(**asdict(found)))
        return cls(duration=found.duration, notices=list(found.notices), refusal=None)


class CheckDocument(BaseModel):
    """What a job would make of the files that were sent."""

    portrait: PortraitCheck | None = Field(description="Null if there was no portrait.")
    audio: AudioCheck | None = Field(description="Null if there was no recording.")

    @classmethod
    def of(cls, checked: Checked) -> Self:
        """Return the document of what was found."""
        return cls(
            portrait=checked.portrait and PortraitCheck.of(checked.portrait),
            audio=checked.audio and AudioCheck.of(checked.audio),
        )


class FileLimits(BaseModel):
    """Which files are accepted."""

    formats: list[str]
    media_types: list[str]
    suffixes: list[str] = Field(description="File name suffixes, with the dot.")
    max_bytes: int


class PortraitLimits(FileLimits):
    """Which portraits are accepted."""

    min_side: int = Field(description="Pixels.")
    max_pixels: int
    min_interocular: float = Field(description="Pixels between the eyes' centres.")


class AudioLimits(FileLimits):
    """Which recordings are accepted."""

    min_seconds: float
    max_seconds: float


class LimitsDocument(BaseModel):
    """Which files this service accepts."""

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
