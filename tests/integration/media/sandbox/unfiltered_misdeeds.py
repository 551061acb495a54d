"""The misdeeds without a system call filter."""

import sys

from tests.integration.media.sandbox.misdeeds import LIMITS, serve_misdeeds

if __name__ == "__main__":
    sys.modules["pyseccomp"] = None  # type: ignore[assignment]
    serve_misdeeds(LIMITS)
