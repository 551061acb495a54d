"""Damaged media, decoded as in production: in sandboxed processes."""

import logging
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given

from media.audio import SAMPLE_RATE
from media.errors import AudioError, PortraitError
from media.picture import MAX_PIXELS, MIN_SIDE
from media.sandbox.decoder import Decoder
from tests.security.fuzz.budget import budget
from tests.security.fuzz.mutations import mutated
from tests.security.pictures import SEEDS as PICTURES
from tests.security.recordings import SEEDS as RECORDINGS

MAX_SECONDS = 30.0
"""Time limit for one of these small files, even on a busy machine."""

AUDIO_SECONDS = 10.0


class Complaints(logging.Handler):
    """Log of the decoder, which only logs abnormal exits."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


@pytest.fixture(scope="module")
def complaints() -> Iterator[Complaints]:
    complaints = Complaints()
    logger = logging.getLogger("media.sandbox")
    logger.addHandler(complaints)
    yield complaints
    logger.removeHandler(complaints)


@pytest.fixture(scope="module")
def decoder(complaints: Complaints) -> Iterator[Decoder]:
    with Decoder() as decoder:
        yield decoder


@budget
@given(file=mutated(PICTURES))
def test_a_damaged_picture_is_read_or_refused(
    decoder: Decoder, complaints: Complaints, file: bytes
) -> None:
    began = time.monotonic()
    try:
        image = decoder.portrait(file).pixels
    except PortraitError:
        pass
    else:
        height, width, channels = image.shape
        assert image.dtype == np.uint8
        assert channels == 3
        assert min(height, width) >= MIN_SIDE
        assert height * width <= MAX_PIXELS
    assert complaints.heard == []
    assert time.monotonic() - began < MAX_SECONDS


@budget
@given(file=mutated(RECORDINGS))
def test_a_damaged_recording_is_read_or_refused(
    decoder: Decoder, complaints: Complaints, file: bytes
) -> None:
    began = time.monotonic()
    try:
        waveform = decoder.speech(file, AUDIO_SECONDS).waveform
    except AudioError:
        pass
    else:
        assert waveform.dtype == np.float32
        assert waveform.ndim == 1
        assert len(waveform) <= AUDIO_SECONDS * SAMPLE_RATE
        assert np.isfinite(waveform).all()
        assert np.abs(waveform).max() <= 1
    assert complaints.heard == []
    assert time.monotonic() - began < MAX_SECONDS
