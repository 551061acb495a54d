"""Options of a video."""

from dataclasses import dataclass
from typing import Literal

from media.emotions import Emotion


@dataclass(frozen=True)
class SynthesisOptions:
    """The caller's choices.

    `emotion` None shows the one that is heard; `intensity` scales it, 0 to 2. `eyes` open those of
    a portrait caught in a blink, or leave them as they are. `face` chooses among several, as
    `media.faces.selection.select_face` reads it. `compose` shows a square around the face, or the
    face within the whole portrait. `resolution`, 256 or 512, is the side in pixels of that square
    and of the crop that the networks render. The same `seed` gives the same head motion and
    blinks.
    """

    emotion: Emotion | None = None
    intensity: float = 1.0
    pose: Literal["natural", "still"] = "natural"
    blink: bool = True
    eyes: Literal["open", "as_is"] = "open"
    compose: Literal["crop", "full"] = "crop"
    face: str = "largest"
    resolution: int = 512
    seed: int = 0
