"""The caller's choices: options of the video, and metadata."""

from enum import IntEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from typing_extensions import TypeAliasType

from jobs.consent import STATEMENT
from jobs.spelling import Spelling
from jobs.values import Value

# Generated clients name their enums after these types.
EmotionChoice = TypeAliasType(
    "EmotionChoice",
    Literal[
        "auto",
        "neutral",
        "happiness",
        "sadness",
        "anger",
        "fear",
        "disgust",
        "surprise",
        "contempt",
    ],
)
Pose = TypeAliasType("Pose", Literal["natural", "still"])
Eyes = TypeAliasType("Eyes", Literal["open", "as_is"])
Face = Annotated[
    str,
    Spelling(
        r"^(largest|[1-9][0-9]?|[0-9]{1,5},[0-9]{1,5})$",
        "'largest', a number from 1 to 99 or a point such as 320,240",
    ),
]
"""The largest face, a number counted from the left, or a point in pixels."""
Composition = TypeAliasType("Composition", Literal["crop", "full"])

_METADATA_NAME = r"^[A-Za-z0-9_.-]{1,40}$"
MetadataName = Annotated[
    str,
    Spelling(_METADATA_NAME, "1 to 40 ASCII letters, digits, underscores, dots or hyphens"),
]
Metadata = Annotated[
    dict[MetadataName, Annotated[str, Field(max_length=500)]],
    Field(max_length=16),
    WithJsonSchema(
        {
            "type": "object",
            "maxProperties": 16,
            "propertyNames": {"type": "string", "pattern": _METADATA_NAME},
            "additionalProperties": {"type": "string", "maxLength": 500},
        }
    ),
]
"""The caller's metadata: at most 16 names, each with a text of up to 500 characters."""


class Resolution(IntEnum):
    """Side of the rendered face in pixels."""

    COARSE = 256
    FINE = 512


def _as_whole_number(value: object) -> object:
    # JSON has a single number type: 7.0 equals 7.
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Options(Value):
    """The caller's options for the video."""

    emotion: EmotionChoice = Field(
        "auto", description="Emotion to show; auto detects it in the speech."
    )
    intensity: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] = Field(
        1.0, description="Strength of the emotion: 0 is none, 1 as detected, 2 twice as strong."
    )
    pose: Pose = Field("natural", description="Gentle motion of the head and the eyes, or none.")
    blink: bool = Field(True, description="Add eye blinks.")
    eyes: Eyes = Field(
        "open",
        description="If the portrait's eyes are closed, open them or leave them as they are.",
    )
    face: Face = Field(
        "largest",
        description="Which of several faces to animate: the largest, a number counted from the "
        "left (1 is the first), or a point x,y on it, in pixels of the upright picture.",
    )
    compose: Composition = Field(
        "crop", description="Crop to a square around the face, or render the whole portrait."
    )
    resolution: Annotated[Resolution, BeforeValidator(_as_whole_number)] = Field(
        Resolution.FINE,
        description="Side of the rendered square around the face, in pixels.",
    )
    seed: Annotated[int, Field(ge=0, lt=2**32), BeforeValidator(_as_whole_number)] = Field(
        0,
        description="Seed for the motion of head and eyes. The same inputs, options and seed give "
        "the same motion.",
    )
    mark: bool = Field(False, description="Show a small AI badge in a corner.")
    consent: Annotated[Literal[True], WithJsonSchema({"type": "boolean"})] = Field(
        description=f"Must be true. The caller affirms: {STATEMENT}"
    )
