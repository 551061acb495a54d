"""Detects faces in untrusted pictures, in a separate process."""

import logging
import threading
import weakref
from importlib.util import find_spec
from typing import Self

from pydantic import TypeAdapter

from media.connected_process import ConnectedProcess
from media.errors import DetectorMissing, DetectorTooSlow, DetectorUnavailable
from media.faces.inspection import Inspection
from media.faces.selection import LARGEST
from media.sandbox.decoder import bare_environment

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 20.0
"""Longest time for one picture, including the start of the process."""

_INSPECTION: TypeAdapter[Inspection | None] = TypeAdapter(Inspection | None)


class FaceFinder:
    """Inspects untrusted pictures one at a time; safe to share between threads.

    The process with the detector takes about 200 MB, for a picture of 50 million pixels up to
    700 MB. It is started on first use, which takes about two seconds, restarted if it ended, and
    ends with this process, however that ends.
    """

    def __init__(
        self, module: str = "media.faces.server", answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        """Prepare a finder that uses the Python module of this name as its server."""
        self._module = module
        self._answer_seconds = answer_seconds
        self._lock = threading.Lock()
        self._server: ConnectedProcess | None = None

    def inspect(self, file: bytes, choice: str = LARGEST) -> Inspection:
        """Return the faces of a picture, and whether a job would accept it.

        Args:
            file: in any format.
            choice: which face is animated, as for `select_face`.

        Raises:
            DetectorMissing: MediaPipe is not installed.
            DetectorUnavailable: no picture can be inspected at the moment.
            DetectorTooSlow: this one takes too long.
        """
        if find_spec("mediapipe") is None:
            raise DetectorMissing("MediaPipe is not installed, so the service cannot detect faces.")
        with self._lock:
            try:
                response = self._ask(file, choice)
            except TimeoutError as error:
                raise DetectorTooSlow(f"The face detector returned {error}.") from error
            except (OSError, EOFError) as error:
                raise DetectorUnavailable(f"The face detector failed: {error!r}") from error
        inspection = _INSPECTION.validate_json(response)
        if inspection is None:
            raise DetectorUnavailable("The picture could not be decoded.")
        return inspection

    def close(self) -> None:
        """Stop the process; the next picture starts another."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _ask(self, file: bytes, choice: str) -> bytes:
        try:
            return self._exchange(file, choice)
        except (ConnectionError, EOFError) as lost:  # it was idle, or killed
            logger.info("Restarting the face detector: %r", lost)
            return self._exchange(file, choice)

    def _exchange(self, file: bytes, choice: str) -> bytes:
        if self._server is None:
            self._server = ConnectedProcess(self._module, bare_environment())
            weakref.finalize(self, self._server.close)
        try:
            connection = self._server.connection
            connection.send_bytes(choice.encode())
            connection.send_bytes(file)
            if not connection.poll(self._answer_seconds):
                raise TimeoutError(f"no result within {self._answer_seconds:g} s")
            return connection.recv_bytes()
        except (OSError, EOFError):
            self._stop()
            raise

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server:
            server.close()
