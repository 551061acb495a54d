"""Reasons for rejecting a take."""

from enum import StrEnum


class Reason(StrEnum):
    """The categories counted in the report."""

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
    """The take is unusable; the detail gives what was found and what is required."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
