"""Checks files before a job is created; nothing is stored."""

from dataclasses import dataclass

from anyio import CapacityLimiter, to_thread

from media.audio import SpeechProperties
from media.errors import (
    AudioError,
    DetectorMissing,
    DetectorTooSlow,
    DetectorUnavailable,
    PortraitError,
)
from media.faces.finder import FaceFinder
from media.faces.inspection import Inspection, Refusal
from media.sandbox.decoder import Decoder
from service.intake.uploads import CheckUpload

MAX_WAITING = 8
"""Requests that wait for the one being checked; further ones are rejected."""


@dataclass(frozen=True)
class Checked:
    """The results for the files that were sent; None for one that was not."""

    portrait: Inspection | None
    audio: SpeechProperties | Refusal | None


class Checks:
    """Checks files that callers are about to submit, one request at a time."""

    def __init__(self, decoder: Decoder, finder: FaceFinder, audio_max_seconds: float) -> None:
        self._decoder = decoder
        self._finder = finder
        self._audio_max_seconds = audio_max_seconds
        self._limiter = CapacityLimiter(1)

    async def check(self, upload: CheckUpload) -> Checked:
        """Return the result for each file.

        Raises:
            DetectorUnavailable, DecoderUnavailable: nothing can be checked at the moment.
        """
        if self._limiter.statistics().tasks_waiting >= MAX_WAITING:
            raise DetectorUnavailable(f"{MAX_WAITING} requests are waiting for a check.")
        return await to_thread.run_sync(self._check, upload, limiter=self._limiter)

    def _check(self, upload: CheckUpload) -> Checked:
        portrait, audio = upload.files.get("portrait"), upload.files.get("audio")
        return Checked(
            portrait=self._portrait(portrait.read(), upload.request.face) if portrait else None,
            audio=self._audio(audio.read()) if audio else None,
        )

    def _portrait(self, file: bytes, face: str) -> Inspection:
        try:
            return self._finder.inspect(file, face)
        except (DetectorMissing, DetectorTooSlow):  # a large picture on a busy machine
            return self._without_faces(file)

    def _without_faces(self, file: bytes) -> Inspection:
        try:
            picture = self._decoder.check_portrait(file)
        except PortraitError as error:
            return Inspection(refusal=Refusal.of(error))
        return Inspection(picture.width, picture.height, notices=picture.notices)

    def _audio(self, file: bytes) -> SpeechProperties | Refusal:
        try:
            return self._decoder.check_speech(file, self._audio_max_seconds)
        except AudioError as error:
            return Refusal.of(error)
