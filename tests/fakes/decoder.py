"""A decoder for tests that are not about decoding."""

from media.audio import SAMPLE_RATE, Speech, read_speech
from media.picture import Picture, read_picture
from media.sandbox.decoder import Decoder


class DirectDecoder(Decoder):
    """Decodes in this process, without starting another."""

    def start(self) -> None:
        pass

    def portrait(self, file: bytes) -> Picture:
        return read_picture(file)

    def check_portrait(self, file: bytes) -> None:
        self.portrait(file)

    def duration(self, file: bytes, max_duration: float = 300.0) -> float:
        return len(self.speech(file, max_duration).waveform) / SAMPLE_RATE

    def speech(self, file: bytes, max_duration: float = 300.0) -> Speech:
        return read_speech(file, max_duration)
