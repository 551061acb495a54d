import subprocess
import sys

PROGRAM = """
import resource
from media.sandbox.confinement import limit
resource.setrlimit(resource.RLIMIT_NOFILE, (90, 100))
limit(resource.RLIMIT_NOFILE, {soft}, {hard})
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limited(soft: int, hard: int | None = None) -> str:
    program = PROGRAM.format(soft=soft, hard=hard)
    return subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_limit_is_lowered() -> None:
    assert limited(40) == "40 40"
    assert limited(40, 50) == "40 50"


# Root could raise it; nobody else can even try.
def test_a_limit_that_is_lower_already_is_left() -> None:
    assert limited(1_000) == "100 100"
    assert limited(40, 1_000) == "40 100"
