"""Why a portrait or a speech clip cannot be used: one class per reason, each with a stable code.

MediaError
├── PortraitError
│   ├── PortraitUnreadable      broken, truncated or not an accepted format
│   ├── PortraitTooManyPixels
│   ├── PortraitTooSmall
│   ├── PortraitTooDemanding
│   ├── NoFace
│   ├── FaceNotFound            the face that the caller chose is not there
│   ├── FaceTooSmall
│   ├── FaceCutOff
│   ├── FaceTurnedAway
│   └── FaceCovered             by a mask, a microphone, a hand or dark glasses
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
    """Files cannot be decoded at the moment, due to an internal error."""


class DetectorUnavailable(RuntimeError):
    """Faces cannot be detected at the moment, due to an internal error."""


class DetectorTooSlow(DetectorUnavailable):
    """The search for faces in a picture was stopped, because it took too long."""


class DetectorMissing(RuntimeError):
    """MediaPipe is not installed, so faces cannot be detected here."""


class MediaError(ValueError):
    """The caller's portrait or speech clip cannot be used; a retry will not help.

    The message is a sentence that explains what was given and what is accepted.
    """

    code: ClassVar[str]


class PortraitError(MediaError):
    """The portrait cannot be used."""


class PortraitUnreadable(PortraitError):
    """The bytes are not a complete picture in an accepted format."""

    code = "portrait_unreadable"


class PortraitTooManyPixels(PortraitError):
    """The picture has more pixels than allowed."""

    code = "portrait_too_many_pixels"


class PortraitTooSmall(PortraitError):
    """The picture has too few pixels to contain a usable face."""

    code = "portrait_too_small"


class PortraitTooDemanding(PortraitError):
    """Decoding the picture exceeds the limits of time or memory."""

    code = "portrait_too_demanding"


class NoFace(PortraitError):
    """No face was found."""

    code = "no_face"


class FaceNotFound(PortraitError):
    """The face that the caller chose is not there."""

    code = "face_not_found"


class FaceTooSmall(PortraitError):
    """The face has too few pixels."""

    code = "face_too_small"


class FaceCutOff(PortraitError):
    """The face is cut off by the edge of the picture."""

    code = "face_cut_off"


class FaceTurnedAway(PortraitError):
    """The face is turned too far to the side, up or down."""

    code = "face_turned_away"


class FaceCovered(PortraitError):
    """Something covers the mouth or the eyes."""

    code = "face_covered"


class AudioError(MediaError):
    """The speech clip cannot be used."""


class AudioUnreadable(AudioError):
    """The bytes are not a complete recording in an accepted format."""

    code = "audio_unreadable"


class AudioTooDemanding(AudioError):
    """Decoding the recording exceeds the limits of time or memory."""

    code = "audio_too_demanding"


class NoAudioStream(AudioError):
    """The file is readable but contains no audio."""

    code = "no_audio_stream"


class AudioTooShort(AudioError):
    """The recording is shorter than a syllable."""

    code = "audio_too_short"


class AudioTooLong(AudioError):
    """The recording is longer than the limit."""

    code = "audio_too_long"


class AudioSilent(AudioError):
    """No sample exceeds the noise floor."""

    code = "audio_silent"
