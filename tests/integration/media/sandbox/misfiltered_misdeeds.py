"""The misdeeds with a system call filter under which nothing can be decoded."""

from media.sandbox import confinement
from tests.integration.media.sandbox.misdeeds import LIMITS, serve_misdeeds

if __name__ == "__main__":
    confinement._SYSTEM_CALLS = ("exit_group",)  # type: ignore[assignment]
    serve_misdeeds(LIMITS)
