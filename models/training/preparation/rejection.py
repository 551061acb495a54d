"""Why a take is left out."""

from enum import StrEnum


class Reason(StrEnum):
    """What the report counts."""

    KNOWN_FLAW = "known to be useless"
    HALF_HELD_OUT = "held-out person or sentence, but not both"
    UNREADABLE = "the video cannot be decoded"
    SOUND_UNUSABLE = "the sound cannot be used"
    TOO_SHORT = "too short"
    NO_FACE = "no face"
    SEVERAL_PEOPLE = "several people"
    FACE_LOST = "face lost"
    FACE_TOO_SMALL = "face too small"
    SHOT_CHANGE = "shot changes"
    LIPS_STILL = "the lips do not move"
    OUT_OF_SYNC = "the lips do not follow the sound"


class Rejected(Exception):
    """This take teaches nothing; the detail says what was found and what is needed."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
