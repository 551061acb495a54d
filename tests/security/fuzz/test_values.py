"""Texts from callers, passed directly to their parsers."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from ipaddress import ip_address

import httpx
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from jobs.errors import CursorInvalid, UrlRefused
from jobs.urls import UrlRules, is_public
from jobs.valkey.listing import Cursor
from jobs.values import utc_now
from service.problems import Problem
from service.reading.conditional import (
    ByteRange,
    RangeNotSatisfiable,
    is_unchanged,
    requested_range,
)
from service.reading.files import LandmarksDocument
from service.reading.preferences import MAX_WAIT, preferred_wait
from tests.fakes.stores import FakeStorage
from tests.security.bodies import ADDRESSES
from tests.security.fuzz.budget import budget
from tests.security.fuzz.mutations import mutated
from workers.safe_http import joined
from workers.webhooks.sender import LONGEST_PAUSE, requested_pause

TAG = '"abc"'
MAX_CPU_SECONDS = 0.5
"""Time limit for parsing, a thousand times what linear time needs."""

NOT_EVEN = st.text(st.characters(codec="latin-1"), max_size=60)


def texts(*pieces: str) -> st.SearchStrategy[str]:
    """Return texts composed of meaningful and other pieces, some repeated very often."""
    known = st.sampled_from((*pieces, " "))
    endless = known.map(lambda piece: piece * 30_000)
    return st.lists(st.one_of(known, NOT_EVEN, endless), max_size=8).map("".join)


@contextmanager
def quick() -> Iterator[None]:
    """Check that the parsing time does not grow with the square of the length."""
    began = time.process_time()
    yield
    assert time.process_time() - began < MAX_CPU_SECONDS


@budget
@given(
    header=texts("bytes=", "=", "-", ",", "0", "99", "100", "9" * 30, " ", "BYTES=0-9"),
    if_range=st.none() | texts(TAG, "W/"),
    size=st.integers(0, 200),
)
@example(header=f"bytes={' ' * 30_000}x", if_range=None, size=100)
def test_a_range_lies_within_the_file(header: str, if_range: str | None, size: int) -> None:
    try:
        with quick():
            part = requested_range(header, if_range, TAG, size)
    except RangeNotSatisfiable:
        return
    assert part is None or (isinstance(part, ByteRange) and 0 <= part.start <= part.end < size)


@budget
@given(header=texts(TAG, "W/", "*", ",", '"'))
def test_only_a_header_that_names_the_tag_knows_the_document(header: str) -> None:
    with quick():
        is_known = is_unchanged(header, TAG)
    if is_known:
        assert TAG in header or "*" in header


@budget
@given(headers=st.lists(texts("wait", "=", "5", "9" * 30, ";", ",", '"'), max_size=4))
def test_a_wait_is_never_too_long(headers: list[str]) -> None:
    with quick():
        wait = preferred_wait(headers)
    assert wait is None or 0 <= wait <= MAX_WAIT


@budget
@given(text=texts("MTIz", "OmFi", "=", "-_", "9" * 30) | st.text())
def test_a_cursor_is_read_or_refused(text: str) -> None:
    try:
        with quick():
            cursor = Cursor.parse(text)
    except CursorInvalid:
        return
    assert cursor.created >= 0


@budget
@given(
    text=texts(*ADDRESSES.values(), "https://", "[", "::", "]", "0x7f", "127.1", "@", "\\", "%2e")
)
@example("https://0x7f.1/")
@example("https://xn--a/")
def test_a_url_is_refused_or_leads_to_the_open_internet(text: str) -> None:
    try:
        with quick():
            url = UrlRules().check(text)
    except UrlRefused:
        return
    assert url.scheme == "https"
    assert url.port is None
    assert not url.userinfo
    assert httpx.URL(str(url)) == url
    for family in (socket.AF_INET, socket.AF_INET6):
        _require_public(url, family)


def _require_public(url: httpx.URL, family: socket.AddressFamily) -> None:
    """Check that whatever a resolver accepts as an address, in any notation, is public."""
    flags = socket.AI_NUMERICHOST
    try:
        found = socket.getaddrinfo(url.raw_host.decode(), 443, family, flags=flags)
    except socket.gaierror:
        return  # a name
    assert all(is_public(ip_address(str(address[0]))) for *_, address in found)


@budget
@given(location=texts(*ADDRESSES.values(), "http://", "//", "[", "]", "xn--", "^", "%", "..", "?"))
@example(location="http:////^[")
@example(location="http://xn--a")
def test_a_redirect_is_refused_or_leads_to_the_open_internet(location: str) -> None:
    start = httpx.URL("https://example.org/a?b")
    try:
        url = UrlRules().check(joined(start, location))
    except UrlRefused:
        return
    assert url.scheme == "https"
    assert not url.userinfo


DAYS = texts("Sun", ", ", "22 Nov ", "2026", "9" * 20, " 12:05:00", " GMT", "-2359", "5", "(")


@budget
@given(asked=DAYS)
@example(asked=f"Sun, 22 Nov {'9' * 20} 12:05:00 GMT")
def test_a_receiver_asks_for_no_pause_beyond_the_longest(asked: str) -> None:
    with quick():
        pause = requested_pause(asked, utc_now())
    assert timedelta() <= pause <= LONGEST_PAUSE


def arrays() -> bytes:
    file = BytesIO()
    np.savez_compressed(
        file,
        landmarks=np.zeros((3, 79, 2), np.float32),
        emotions=np.zeros((3, 8), np.float32),
        frame_rate=25,
        synthetic=True,
        model="AMIGO",
    )
    return file.getvalue()


def plain_arrays() -> bytes:
    with np.load(BytesIO(arrays())) as loaded:
        file = BytesIO()
        np.savez(file, **loaded)
    return file.getvalue()


@budget
@given(content=mutated((arrays, plain_arrays)))
def test_damaged_landmarks_are_reported(content: bytes) -> None:
    storage = FakeStorage()
    storage.contents["key"] = content
    document = LandmarksDocument(storage, "key")
    try:
        size = document.size()
    except Problem:
        pass
    else:
        assert len(b"".join(document.stream(0, size - 1))) == size
