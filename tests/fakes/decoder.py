"""A decoder for tests that are not about decoding."""

from media.audio import SAMPLE_RATE, Speech, SpeechProperties, read_speech
from media.errors import DetectorMissing
from media.faces.finder import FaceFinder
from media.faces.inspection import Inspection
from media.faces.selection import LARGEST
from media.picture import Picture, PictureProperties, read_picture
from media.sandbox.decoder import Decoder


class DirectDecoder(Decoder):
    """Decodes in this process, without starting another."""

    def start(self) -> None:
        pass

    def portrait(self, file: bytes) -> Picture:
        return read_picture(file)

    def check_portrait(self, file: bytes) -> PictureProperties:
        picture = self.portrait(file)
        height, width = picture.pixels.shape[:2]
        return PictureProperties(width, height, picture.notices)

    def check_speech(self, file: bytes, max_duration: float = 300.0) -> SpeechProperties:
        speech = self.speech(file, max_duration)
        return SpeechProperties(len(speech.waveform) / SAMPLE_RATE, speech.notices)

    def speech(self, file: bytes, max_duration: float = 300.0) -> Speech:
        return read_speech(file, max_duration)


class FakeFinder(FaceFinder):
    """Answers with a given inspection, without a process; by default, it has no detector."""

    def __init__(self, inspection: Inspection | Exception | None = None) -> None:
        super().__init__()
        self.inspection = inspection or DetectorMissing("MediaPipe is not installed.")
        self.choices: list[str] = []

    def inspect(self, file: bytes, choice: str = LARGEST) -> Inspection:
        self.choices.append(choice)
        if isinstance(self.inspection, Exception):
            raise self.inspection
        return self.inspection
