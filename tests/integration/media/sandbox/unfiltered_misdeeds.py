"""The misdeeds where there is no filter of system calls."""

import sys

from tests.integration.media.sandbox.misdeeds import LIMITS, serve_misdeeds

if __name__ == "__main__":
    sys.modules["pyseccomp"] = None  # type: ignore[assignment]
    serve_misdeeds(LIMITS)
