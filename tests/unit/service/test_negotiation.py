"""Quality values: what a caller prefers."""

import pytest

from service.negotiation import quality


@pytest.mark.parametrize(
    ("header", "name", "expected"),
    [
        ("", "application/json", 0.0),
        ("application/json", "application/json", 1.0),
        ("Application/JSON ; Q=0.5", "application/json", 0.5),
        ("application/*;q=0.3, */*;q=0.1", "application/json", 0.3),
        ("text/html, */*;q=0.1", "video/mp4", 0.1),
        ("*/*, video/mp4;q=0", "video/mp4", 0.0),
        ("br, gzip;q=0.000", "gzip", 0.0),
        ("br, *;q=0.5", "gzip", 0.5),
        ("gzip;q=high", "gzip", 1.0),
    ],
)
def test_the_most_specific_entry_counts(header: str, name: str, expected: float) -> None:
    assert quality(header, name) == expected
