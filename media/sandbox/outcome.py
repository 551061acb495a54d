"""Interprets the result of a decoding process: the data, or an error for the caller."""

import logging
import signal
from dataclasses import dataclass
from typing import TypeVar

from media.errors import (
    AudioError,
    AudioTooDemanding,
    AudioUnreadable,
    DecoderUnavailable,
    MediaError,
    PortraitError,
    PortraitTooDemanding,
    PortraitUnreadable,
)
from media.sandbox.confinement import Limits
from media.sandbox.messages import (
    NOT_CONFINED,
    OUT_OF_MEMORY,
    OVERDUE,
    Failure,
    Medium,
    ResponseInvalid,
)

logger = logging.getLogger(__name__)

Decoded = TypeVar("Decoded")


@dataclass(frozen=True)
class _Kind:
    name: str
    family: type[MediaError]
    unreadable: type[MediaError]
    too_demanding: type[MediaError]

    def error(self, failure: Failure) -> MediaError | None:
        """Return the error reported by a decoding process, or None if it is not an error of this
        kind.
        """
        found = [error for error in self.family.__subclasses__() if error.code == failure.code]
        return found[0](failure.message) if found else None


_KINDS = {
    Medium.PORTRAIT: _Kind("picture", PortraitError, PortraitUnreadable, PortraitTooDemanding),
    Medium.AUDIO: _Kind("recording", AudioError, AudioUnreadable, AudioTooDemanding),
}


def interpret(
    medium: Medium, response: Decoded | Failure | ResponseInvalid, ending: int, limits: Limits
) -> Decoded:
    """Return the decoded data, if its process succeeded.

    Args:
        medium: how the file was decoded.
        response: the response of the process.
        ending: its exit status, the negative number of a signal, or OVERDUE.
        limits: its limits.

    Raises:
        MediaError: the file cannot be used.
        DecoderUnavailable: the file was not decoded.
    """
    kind = _KINDS[medium]
    if ending == NOT_CONFINED:
        raise DecoderUnavailable("A decoding process could not be sandboxed.")
    if excess := _excess(response, ending, limits):
        raise kind.too_demanding(f"Decoding the {kind.name} took {excess}.")
    if ending == 0 and isinstance(response, Failure) and (error := kind.error(response)):
        raise error
    if ending == 0 and not isinstance(response, Failure | ResponseInvalid):
        return response
    returned = (
        response if isinstance(response, Failure | ResponseInvalid) else "what it had decoded"
    )
    logger.warning(
        "The decoder of a %s exited with %d and returned %r", kind.name, ending, returned
    )
    raise kind.unreadable(f"The {kind.name} is damaged and crashed its decoder.")


def _excess(response: object, ending: int, limits: Limits) -> str | None:
    """Return which limit was exceeded, as the end of a sentence."""
    if ending == OVERDUE:
        return f"longer than {limits.seconds:g} s"
    if ending == -signal.SIGXCPU:
        return f"more than {limits.cpu_seconds} s of CPU time"
    ran_out = isinstance(response, Failure) and response.code == OUT_OF_MEMORY
    # SIGKILL: Linux kills a process when memory runs out.
    if ran_out or ending == -signal.SIGKILL:
        return "more memory than allowed for one file"
    return None
