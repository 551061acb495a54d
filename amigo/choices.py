"""The options of a job, and what can be chosen for each; needs no other library."""

from collections.abc import Sequence
from typing import Literal, TypedDict

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
Eyes = Literal["open", "as_is"]
Composition = Literal["crop", "full"]
Resolution = Literal[256, 512]
Priority = Literal["high", "normal", "low"]


class JobOptions(TypedDict, total=False):
    """The options by name; None or an omitted option selects the service's default.

    `face` is "largest", a number counted from the left, or a point "x,y" in pixels.
    """

    emotion: EmotionChoice | None
    intensity: float | None
    pose: Pose | None
    blink: bool | None
    eyes: Eyes | None
    face: str | None
    compose: Composition | None
    resolution: Resolution | None
    seed: int | None
    mark: bool | None
    priority: Priority | None
    webhook_url: str | None
    webhook_events: Sequence[str] | None
    metadata: dict[str, str] | None
