"""Notices: remarks about a portrait or recording that could be used nevertheless."""

from enum import StrEnum


class Notice(StrEnum):
    """A stable code; docs/api.md explains all of them."""

    ANOTHER_TRACK_USED = "another_track_used"
    """The obvious audio track is silent or cannot be decoded."""
    ONE_CHANNEL_USED = "one_channel_used"
    """The speech was taken from one channel: the others are silent, or cancel each other."""
    COLOUR_PROFILE_IGNORED = "colour_profile_ignored"
    """The picture's colour profile is damaged; its colours were taken as sRGB."""
    STILL_USED = "still_used"
    """The file is an animation; one of its pictures was used."""
