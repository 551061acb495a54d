"""Inspects one picture after another: `python -m media.faces.server`.

A `FaceFinder` starts it and holds the other end of its standard input, a socket. For each picture
it sends two messages, the choice of the face and the file; the answer is an inspection as JSON, or
`null` if the file could not be decoded due to an internal error. The program holds no secrets, and
the file is decoded in a sandboxed process of its own. It ends with the socket, or if it is idle.
"""

import json
import os
import signal
import sys
from dataclasses import asdict, replace
from multiprocessing.connection import Connection

from media.errors import DecoderUnavailable, PortraitError
from media.faces.inspection import Inspection, Refusal, inspect_picture
from media.faces.landmarks import LandmarkDetector
from media.formats import with_animation
from media.logging import configure_logging
from media.sandbox.decoder import Decoder

IDLE_SECONDS = 900.0
"""Time without a picture after which its memory is given back."""


def serve() -> None:
    """Answer until the socket ends or the program has been idle."""
    configure_logging()
    # A service that is asked to stop may still have pictures to check.
    for stopping in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(stopping, signal.SIG_IGN)
    with (
        Connection(os.dup(sys.stdin.fileno())) as connection,
        Decoder() as decoder,
        LandmarkDetector() as detector,
    ):
        try:
            while connection.poll(IDLE_SECONDS):
                choice, file = connection.recv_bytes().decode(), connection.recv_bytes()
                connection.send_bytes(_answer(file, choice, decoder, detector))
        except (EOFError, ConnectionError):
            return


def _answer(file: bytes, choice: str, decoder: Decoder, detector: LandmarkDetector) -> bytes:
    try:
        inspection = inspect_picture(decoder.portrait(file), detector, choice)
        if refusal := inspection.refusal:
            explained = replace(refusal, message=with_animation(refusal.message, file))
            inspection = replace(inspection, refusal=explained)
    except PortraitError as error:
        inspection = Inspection(refusal=Refusal.of(error))
    except DecoderUnavailable:
        return b"null"
    return json.dumps(asdict(inspection)).encode()


if __name__ == "__main__":
    serve()
