"""Reads the files of a video in other processes, while this one imports and loads what it needs."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.audio import Speech
from media.faces.detector_process import DetectorProcess
from media.faces.portrait import Detector
from media.notices import Notice
from media.sandbox.decoder import Decoder


@dataclass(frozen=True)
class Inputs:
    """A decoded portrait and recording.

    Attributes:
        portrait: the portrait's file.
        pixels: its picture, upright sRGB `[H, W, 3]`.
        waveform: `[N]` samples in [-1, 1] at 16 kHz, mono; none without an audio file.
        notices: what was done with the files, if it was not the obvious.
        detector: has already searched the picture for faces.
    """

    portrait: bytes
    pixels: NDArray[np.uint8]
    waveform: NDArray[np.float32]
    notices: tuple[Notice, ...]
    detector: Detector


@contextmanager
def reading(portrait: Path, audio: Path | None) -> Iterator[Future[Inputs]]:
    """Yield what will be the decoded files; their detector can be used within the context.

    Waiting for it raises:
        OSError: a file cannot be read.
        MediaError: a file cannot be used.
        DecoderUnavailable: files cannot be decoded on this machine.
        DetectorUnavailable: faces cannot be detected on this machine.
    """
    with DetectorProcess() as detector, ThreadPoolExecutor(1) as beside:
        yield beside.submit(_read, portrait, audio, detector)


def _read(portrait: Path, audio: Path | None, detector: Detector) -> Inputs:
    with Decoder() as decoder:
        file = portrait.read_bytes()
        picture = decoder.portrait(file)
        speech = decoder.speech(audio.read_bytes()) if audio else Speech(np.zeros(0, np.float32))
    detector.detect(picture.pixels)
    notices = (*picture.notices, *speech.notices)
    return Inputs(file, picture.pixels, speech.waveform, notices, detector)
