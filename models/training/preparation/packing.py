"""The second step for a take: writes its clip and its speech in the packed layout."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, SAMPLES_PER_FRAME, num_frames
from media.faces.landmarks import CROP_SIZE
from media.files import ffmpeg_name, written_whole
from media.geometry import crop_square
from media.video import encode_video
from models.corpus.source_clips import fit_length
from models.training.preparation.corpora.takes import Take
from models.training.preparation.footage import read_footage, read_speech
from models.training.preparation.records import Record
from models.training.preparation.tracking import check_length


def pack_clip(take: Take, record: Record, lag: int, clip: Path) -> Record:
    """Write a tracked take's clip, with lips that lag by `lag` frames moved in sync.

    Frames without sound, and sound without frames, are cut off; a take without sound is silent.

    Raises:
        Rejected: too little of it remains.
    """
    first = max(0, lag)
    frames = record.tracked - first
    speech = read_speech(take)
    if speech is None:
        speech = np.zeros(0, np.float32)
    else:
        speech = speech[max(0, -lag) * SAMPLES_PER_FRAME :]
        frames = min(frames, num_frames(speech))
    check_length(frames)
    box = record.box
    if box is None:
        raise ValueError(f"{take.name} was not tracked.")
    footage = islice(read_footage(take.video), first, first + frames)
    pictures = (crop_square(frame, box, CROP_SIZE)[None] for frame in footage)
    with written_whole(clip) as partial:
        encode_video(
            partial, pictures, fit_length(speech, frames), audio_rate=SAMPLE_RATE, provenance=None
        )
    return replace(record, lag=lag, frames=frames)


def pack_speech(take: Take, file: Path) -> None:
    """Write a take's complete speech as FLAC, mono, 16 kHz."""
    speech = read_speech(take)
    if speech is not None:
        with written_whole(file) as partial:
            write_flac(partial, speech)


def write_flac(path: Path, waveform: NDArray[np.float32]) -> None:
    """Write a 16 kHz waveform `[N]`, rounded to 16 bits."""
    samples = np.clip(waveform * 32767, -32768, 32767).round().astype(np.int16)
    frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    with av.open(ffmpeg_name(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono", format="s16")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
