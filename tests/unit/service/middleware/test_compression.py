"""JSON and the page are compressed for callers that accept it."""

import gzip

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("identity", False)],
)
def test_json_is_compressed_as_accepted(
    http: TestClient, accepted: str, is_compressed: bool
) -> None:
    with http.stream("GET", "/problems", headers={"Accept-Encoding": accepted}) as response:
        body = b"".join(response.iter_raw())
    assert ("Content-Encoding" in response.headers) is is_compressed
    assert int(response.headers["Content-Length"]) == len(body)
    text = gzip.decompress(body) if is_compressed else body
    assert b'"job_not_found"' in text


@pytest.mark.parametrize(
    ("path", "is_compressed"),
    [
        ("/", True),
        ("/web/app.js", True),
        ("/web/style.css", True),
        ("/web/examples/ada.jpg", False),
    ],
)
def test_the_page_is_compressed_and_its_pictures_are_not(
    http: TestClient, path: str, is_compressed: bool
) -> None:
    response = http.get(path, headers={"Accept-Encoding": "gzip"})
    assert ("Content-Encoding" in response.headers) is is_compressed
    assert response.content == http.get(path, headers={"Accept-Encoding": "identity"}).content


def test_a_short_body_stays_as_it_is(http: TestClient) -> None:
    response = http.get("/livez", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response.headers
    assert response.json() == {"alive": True}
