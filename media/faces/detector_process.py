"""A landmark detector in a process of its own: `python -m media.faces.detector_process`.

The process loads MediaPipe while the one that started it imports something else, such as torch. Its
standard input is a socket: it answers each picture with the landmarks of its faces, and ends with
the socket.
"""

import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import Self

import numpy as np
from numpy.typing import NDArray

from media.connected_process import ConnectedProcess
from media.errors import DetectorUnavailable
from media.faces.landmarks import LandmarkDetector


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
            self._found = self._ask(image)
            self._searched = image
        return self._found

    def _ask(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        try:
            self._process.connection.send(image)
            found: list[NDArray[np.float32]] = self._process.connection.recv()
        except (OSError, EOFError) as error:
            raise DetectorUnavailable(f"The face detector failed: {error!r}") from error
        return found


def serve() -> None:
    """Answer until the socket ends."""
    # The process that started this one decides when it ends, also after Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(os.dup(sys.stdin.fileno())) as connection, LandmarkDetector() as detector:
        try:
            while True:
                connection.send(detector.detect(connection.recv()))
        except (EOFError, ConnectionError):
            return


if __name__ == "__main__":
    serve()
