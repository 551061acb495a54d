"""Prints the number of hostile files and requests in the tests: `python -m tests.security`."""

from collections import Counter
from collections.abc import Iterable

from tests.security.pictures import PICTURES
from tests.security.recordings import RECORDINGS
from tests.security.requests import REQUESTS


def main() -> None:
    """Print the expected responses of each kind, and their number."""
    kinds: dict[str, list[tuple[str, ...]]] = {
        "portraits": [file.expected for file in PICTURES],
        "recordings": [file.expected for file in RECORDINGS],
        "requests": [(request.expected,) for request in REQUESTS],
    }
    for kind, expected in kinds.items():
        print(f"{len(expected):5} hostile {kind}")
        _print_outcomes(expected)
    print(f"{sum(map(len, kinds.values())):5} in all")


def _print_outcomes(expected: Iterable[tuple[str, ...]]) -> None:
    counts = Counter(each[0] if len(each) == 1 else "damaged by chance" for each in expected)
    for outcome, count in counts.most_common():
        print(f"      {count:5} {outcome}")


if __name__ == "__main__":
    main()
