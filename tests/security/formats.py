"""Valid sound in every accepted format, and the responses to invalid sound."""

from functools import cache

import numpy as np

from tests.media import babble, recording

UNREADABLE = "audio_unreadable"
NO_STREAM = "no_audio_stream"
TOO_SHORT = "audio_too_short"
TOO_LONG = "audio_too_long"
SILENT = "audio_silent"
TOO_DEMANDING = "audio_too_demanding"

FORMATS = {
    "wav": ("wav", "pcm_s16le", 16_000),
    "wav_float": ("wav", "pcm_f32le", 44_100),
    "wav_adpcm": ("wav", "adpcm_ms", 16_000),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "flac": ("flac", "flac", 48_000),
    "ogg_opus": ("ogg", "libopus", 48_000),
    "ogg_vorbis": ("ogg", "vorbis", 44_100),
    "m4a_aac": ("ipod", "aac", 44_100),
    "m4a_alac": ("ipod", "alac", 44_100),
    "webm_opus": ("webm", "libopus", 48_000),
    "webm_vorbis": ("webm", "vorbis", 44_100),
}


@cache
def speech(name: str, seconds: float = 1.0) -> bytes:
    """Encode voice-like sound in one of the accepted formats."""
    container, codec, rate = FORMATS[name]
    layout = "stereo" if codec == "vorbis" else "mono"
    planes = np.stack([babble(seconds, rate)] * (2 if codec == "vorbis" else 1))
    return recording(planes, container, codec, sample_rate=rate, layout=layout)


def samples(seconds: float = 1.0) -> bytes:
    """Return voice-like sound as 16-bit samples."""
    return (babble(seconds) * 32_767).astype("<i2").tobytes()
