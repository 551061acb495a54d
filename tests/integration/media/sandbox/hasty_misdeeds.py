"""The misdeeds under another limit: a second for each, of which none need be computing."""

from tests.integration.media.sandbox.misdeeds import HASTY_LIMITS, serve_misdeeds

if __name__ == "__main__":
    serve_misdeeds(HASTY_LIMITS)
