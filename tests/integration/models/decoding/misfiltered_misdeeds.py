"""The misdeeds where the filter of system calls leaves nothing to decode with."""

from models.decoding import confinement
from tests.integration.models.decoding.misdeeds import LIMITS, serve_misdeeds

if __name__ == "__main__":
    confinement._SYSTEM_CALLS = ("exit_group",)  # type: ignore[assignment]
    serve_misdeeds(LIMITS)
