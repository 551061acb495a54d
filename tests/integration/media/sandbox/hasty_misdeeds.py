"""The misdeeds with another limit: one second of elapsed time for each."""

from tests.integration.media.sandbox.misdeeds import HASTY_LIMITS, serve_misdeeds

if __name__ == "__main__":
    serve_misdeeds(HASTY_LIMITS)
