"""A landmark detector in a process of its own: `python -m media.faces.detector_process`.

The process loads MediaPipe while the one that started it imports something else, such as torch. Its
standard input is a socket: it answers each picture with the landmarks of its faces, or its
silhouette, and ends with the socket.
"""

import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from media.connected_process import ConnectedProcess
from media.errors import DetectorUnavailable
from media.faces.landmarks import LandmarkDetector

Question = Literal["detect", "silhouette"]
"""A method of `LandmarkDetector`."""


class DetectorProcess:
    """Finds faces like `LandmarkDetector`, for one thread at a time; use it as a context manager.

    The process is started at once, and ends with this one, however that ends. The faces of the last
    picture are remembered, so that a picture can be searched before they are needed.
    """

    def __init__(self) -> None:
        self._process = ConnectedProcess("media.faces.detector_process")
        self._searched: NDArray[np.uint8] | None = None
        self._found: list[NDArray[np.float32]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the process; the detector cannot be used afterwards."""
        self._process.close()

    def detect(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Find the faces of an RGB picture `[H, W, 3]`, as `LandmarkDetector.detect` does.

        Raises:
            DetectorUnavailable: the process has ended.
        """
        if image is not self._searched:
            self._found = self._ask("detect", image)
            self._searched = image
        return self._found

    def silhouette(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Find the person in a face crop `[S, S, 3]`, as `LandmarkDetector.silhouette` does.

        Raises:
            DetectorUnavailable: the process has ended.
        """
        mask: NDArray[np.float32] = self._ask("silhouette", crop)
        return mask

    def _ask(self, question: Question, image: NDArray[np.uint8]) -> Any:
        try:
            self._process.connection.send((question, image))
            return self._process.connection.recv()
        except (OSError, EOFError) as error:
            raise DetectorUnavailable(f"The face detector failed: {error!r}") from error


def serve() -> None:
    """Answer until the socket ends."""
    # The process that started this one decides when it ends, also after Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(os.dup(sys.stdin.fileno())) as connection, LandmarkDetector() as detector:
        try:
            while True:
                question, image = connection.recv()
                connection.send(getattr(detector, question)(image))
        except (EOFError, ConnectionError):
            return


if __name__ == "__main__":
    serve()
