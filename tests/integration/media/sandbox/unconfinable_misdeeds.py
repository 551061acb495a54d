"""The misdeeds where Linux does not allow sandboxing."""

from errno import EPERM

from media.sandbox import confinement
from tests.integration.media.sandbox.misdeeds import LIMITS, serve_misdeeds


def refuse(*_: object) -> None:
    raise OSError(EPERM, "Not here.")


if __name__ == "__main__":
    confinement._tell_linux = refuse  # type: ignore[assignment]
    serve_misdeeds(LIMITS)
