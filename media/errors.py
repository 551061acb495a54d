"""Why a portrait or a speech clip cannot be animated: one class a reason, each with a stable code.

MediaError
├── PortraitError
│   ├── PortraitUnreadable      broken, truncated or not an accepted format
│   ├── PortraitTooManyPixels
│   ├── PortraitTooSmall
│   ├── PortraitTooDemanding
│   ├── NoFace
│   ├── FaceTooSmall
│   ├── FaceCutOff
│   └── FaceTurnedAway
└── AudioError
    ├── AudioUnreadable         broken, truncated or not an accepted format
    ├── AudioTooDemanding
    ├── NoAudioStream
    ├── AudioTooShort
    ├── AudioTooLong
    └── AudioSilent
"""

from typing import ClassVar


class DecoderUnavailable(RuntimeError):
    """Nothing from outside can be decoded at the moment, through no fault of the caller's."""


class MediaError(ValueError):
    """The caller's portrait or speech clip cannot be used; trying again will not help.

    The message is a sentence that says what was given and what is accepted.
    """

    code: ClassVar[str]


class PortraitError(MediaError):
    """The portrait cannot be used."""


class PortraitUnreadable(PortraitError):
    """The bytes are not a whole JPEG, PNG or WEBP picture."""

    code = "portrait_unreadable"


class PortraitTooManyPixels(PortraitError):
    """The picture has more pixels than are decoded."""

    code = "portrait_too_many_pixels"


class PortraitTooSmall(PortraitError):
    """The picture has too few pixels to hold a usable face."""

    code = "portrait_too_small"


class PortraitTooDemanding(PortraitError):
    """Decoding the picture takes more time or memory than one may."""

    code = "portrait_too_demanding"


class NoFace(PortraitError):
    """No face was found."""

    code = "no_face"


class FaceTooSmall(PortraitError):
    """The largest face covers too few pixels."""

    code = "face_too_small"


class FaceCutOff(PortraitError):
    """The picture's edge cuts through the face."""

    code = "face_cut_off"


class FaceTurnedAway(PortraitError):
    """The face looks too far aside, up or down to be animated."""

    code = "face_turned_away"


class AudioError(MediaError):
    """The speech clip cannot be used."""


class AudioUnreadable(AudioError):
    """The bytes are not a whole recording in an accepted format."""

    code = "audio_unreadable"


class AudioTooDemanding(AudioError):
    """Decoding the recording takes more time or memory than one may."""

    code = "audio_too_demanding"


class NoAudioStream(AudioError):
    """The file opens but holds no sound."""

    code = "no_audio_stream"


class AudioTooShort(AudioError):
    """The recording ends before a syllable could be spoken."""

    code = "audio_too_short"


class AudioTooLong(AudioError):
    """The recording is longer than the limit."""

    code = "audio_too_long"


class AudioSilent(AudioError):
    """No sample rises above the noise floor."""

    code = "audio_silent"
