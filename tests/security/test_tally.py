"""The statistics of the corpus in the documentation."""

import re
from pathlib import Path

from tests.security.pictures import PICTURES
from tests.security.recordings import RECORDINGS
from tests.security.requests import REQUESTS

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"


def test_every_entry_has_a_name_of_its_own() -> None:
    names = [file.name for file in (*PICTURES, *RECORDINGS)]
    names += [request.name for request in REQUESTS]
    assert len(set(names)) == len(names)


def test_the_security_page_states_the_number_of_entries() -> None:
    counts = [len(PICTURES), len(RECORDINGS), len(REQUESTS)]
    told = re.search(
        r"(\d+) portraits, (\d+) recordings and\s+(\d+) requests, (\d+) in total",
        SECURITY.read_text(),
    )
    assert told
    assert list(map(int, told.groups())) == [*counts, sum(counts)]
