"""Nearly valid requests, sent to the app without a network."""

import json
from collections.abc import Iterator
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from jobs.s3.paths import video_key
from jobs.values import utc_now
from service.intake.requests import FIELDS
from service.settings import ServiceSettings
from tests.fakes.backstage import Backstage
from tests.jobs_examples import new_job, result_of
from tests.security.bodies import ADDRESSES
from tests.security.forms import CHARSETS
from tests.security.fuzz.budget import budget
from tests.security.fuzz.mutations import mutated
from tests.security.messages import form, good_parts, part
from tests.unit.service.assertions import Answer

MAX_CHARACTERS = 5_000
"""Maximum size of a problem."""

VIDEO = bytes(range(100))
PATHS = ("/v1/jobs", "/v1/jobs/batch", "/v1/assets")


@pytest.fixture(scope="module")
def backstage() -> Backstage:
    return Backstage()


@pytest.fixture(scope="module")
def http(backstage: Backstage) -> Iterator[TestClient]:
    """The app, which raises unexpected errors."""
    app = backstage.app(ServiceSettings(audio_max_seconds=5))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def finished(backstage: Backstage) -> str:
    """The path of a succeeded job."""
    job = new_job()
    done = job.claim(utc_now()).succeed(1, result_of(job.id, 1), (), utc_now())
    backstage.store.jobs[job.id] = done
    backstage.storage.contents[video_key(job.id, 1)] = VIDEO
    return f"/v1/jobs/{job.id}"


def require_foreseen(response: Answer) -> None:
    """Check that a response is a problem or a success."""
    assert response.status_code < 500
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code
        assert len(str(response.json())) < MAX_CHARACTERS


def body_of(*parts: bytes) -> bytes:
    return form(*good_parts(), *parts)


FORMS = tuple(
    partial(body_of, *parts)
    for parts in (
        (),
        (part(b'name="metadata"', b'{"note": "x"}'), part(b'name="seed"', b"7")),
        (part(b'name="x"; filename="../x"', b"y", b"Content-Type: a/b"),),
    )
)
TYPES = st.sampled_from(
    [
        b"multipart/form-data; boundary=b",
        b"multipart/form-data; boundary=b; charset=utf-8",
        *(b"multipart/form-data; boundary=b; charset=" + each for each in CHARSETS),
    ]
) | st.binary(max_size=40).map(lambda more: b"multipart/form-data; boundary=" + more)


@budget
@given(body=mutated(FORMS), type=TYPES, sizes=st.lists(st.integers(1, 5_000), max_size=4))
@example(body=body_of(), type=b"multipart/form-data; boundary=b; charset=undefined", sizes=[])
def test_a_damaged_form_is_read_or_refused(
    http: TestClient, backstage: Backstage, body: bytes, type: bytes, sizes: list[int]
) -> None:
    before = set(backstage.storage.contents)
    response = http.post("/v1/jobs", content=pieces(body, sizes), headers={b"Content-Type": type})
    require_foreseen(response)
    if response.status_code >= 400:
        assert set(backstage.storage.contents) == before


def pieces(body: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Yield a body in chunks of these sizes, and the rest."""
    for size in sizes:
        yield body[:size]
        body = body[size:]
    yield body


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(tuple(ADDRESSES.values())),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
NAMES = st.sampled_from((*FIELDS, "jobs", "kind", "size", "content_type", "x"))
LONG_NAMES = st.just("x").map(lambda name: name * 50_000)
OBJECTS = st.dictionaries(NAMES | LONG_NAMES, JSON, max_size=8).map(
    lambda values: {"consent": True, **values}
)


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@budget
@given(
    path=st.sampled_from(PATHS),
    body=OBJECTS.map(as_json)
    | st.lists(OBJECTS, max_size=3).map(lambda jobs: as_json({"jobs": jobs}))
    | st.binary(max_size=100)
    | mutated((partial(as_json, {"seed": 1, "metadata": {"a": "b"}, "consent": True}),)),
)
def test_unusual_json_is_read_or_refused(http: TestClient, path: str, body: bytes) -> None:
    require_foreseen(http.post(path, content=body, headers={"Content-Type": "application/json"}))


LINES = st.binary(max_size=80).filter(lambda line: not {0, 10, 13} & set(line))
HEADERS = st.dictionaries(
    st.sampled_from(
        (
            *(b"Idempotency-Key", b"Prefer", b"Range", b"If-Range", b"If-None-Match"),
            *(b"Last-Event-ID", b"Accept", b"Authorization", b"Origin", b"Content-Type"),
        )
    ),
    LINES
    | st.sampled_from((b"bytes=0-9", b"wait=0", b"0-0", b"ended", b"*", b"Bearer x", b"http://["))
    | st.from_regex(rb"bytes=[0-9]{0,5}-[0-9]{0,5}", fullmatch=True),
    max_size=6,
)


@budget
@given(headers=HEADERS, query=st.text(max_size=30))
@example(headers={b"Origin": b"http://["}, query="1")
def test_unusual_headers_are_understood_or_refused(
    http: TestClient, finished: str, headers: dict[bytes, bytes], query: str
) -> None:
    for path in (finished, f"{finished}/events", f"{finished}/landmarks", "/v1/jobs/x"):
        require_foreseen(http.get(path, headers=headers, params={"wait": query}))
    require_foreseen(http.post("/v1/jobs", content=b"{}", headers=headers))


@budget
@given(headers=HEADERS)
def test_a_partial_response_contains_the_range_in_its_headers(
    http: TestClient, finished: str, headers: dict[bytes, bytes]
) -> None:
    response = http.get(f"{finished}/video", headers=headers)
    require_foreseen(response)
    if response.status_code == 206:
        first, last = (
            response.headers["content-range"].removeprefix("bytes ").split("/")[0].split("-")
        )
        assert response.content == VIDEO[int(first) : int(last) + 1]
    elif response.status_code == 200:
        assert response.content == VIDEO
