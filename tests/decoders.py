"""A decoder for tests that are not about decoding."""

import numpy as np
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, read_waveform
from media.picture import read_portrait
from media.sandbox.decoder import Decoder


class DirectDecoder(Decoder):
    """Decodes in this process, without starting another."""

    def start(self) -> None:
        pass

    def portrait(self, file: bytes) -> NDArray[np.uint8]:
        return read_portrait(file)

    def check_portrait(self, file: bytes) -> None:
        self.portrait(file)

    def duration(self, file: bytes, max_duration: float = 300.0) -> float:
        return len(self.waveform(file, max_duration)) / SAMPLE_RATE

    def waveform(self, file: bytes, max_duration: float = 300.0) -> NDArray[np.float32]:
        return read_waveform(file, max_duration)
