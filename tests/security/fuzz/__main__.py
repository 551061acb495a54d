"""Fuzzes every parser with new cases until the time is up: `make fuzz MINUTES=10`.

Each round is a separate process, so that a crash is a finding like any other. Hypothesis keeps its
findings in `.hypothesis/`, and tries them first the next time.
"""

import argparse
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

from tests.security.fuzz.budget import EXAMPLES_VARIABLE

EXAMPLES = 500
"""Number of new cases for each target in a round."""


def main() -> int:
    """Return 0 if nothing was found, otherwise the status of the failing round."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    deadline = time.monotonic() + 60 * parser.parse_args().minutes
    rounds = 0
    while time.monotonic() < deadline:
        if status := _run_round():
            return status
        rounds += 1
        print(f"{rounds} rounds, nothing found: {rounds * EXAMPLES} cases for each target.")
    return 0


def _run_round() -> int:
    seed = secrets.randbits(32)
    command = [sys.executable, "-m", "pytest", "--timeout=0", f"--hypothesis-seed={seed}"]
    ended = subprocess.run(
        [*command, str(Path(__file__).parent)],
        env={**os.environ, EXAMPLES_VARIABLE: str(EXAMPLES)},
        check=False,
    )
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
