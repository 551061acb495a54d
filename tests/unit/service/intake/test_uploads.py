"""Valid uploads, and the errors for invalid ones."""

import asyncio
import gzip
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient
from starlette.types import Message

from service.problems import ProblemType
from service.settings import ServiceSettings
from tests.fakes.backstage import Backstage
from tests.media import video
from tests.service_examples import Files, portrait, speech, upload
from tests.unit.service.asgi import exchange
from tests.unit.service.assertions import assert_problem


@pytest.fixture(autouse=True)
def nothing_stays(backstage: Backstage) -> Iterator[None]:
    """Every upload here is rejected, so nothing may be left of it."""
    yield
    assert not backstage.storage.contents
    assert not backstage.store.jobs
    assert not backstage.queue.messages


@pytest.mark.parametrize("name", ["portrait", "audio"])
def test_a_missing_file_is_named(http: TestClient, name: str) -> None:
    response = http.post("/v1/jobs", files=upload(**{name: None}))
    assert_problem(response, ProblemType.MISSING_PART, f"{name} is missing", f"{name}_url")


@pytest.mark.parametrize("name", ["portrait", "audio"])
def test_an_empty_file_is_named(http: TestClient, name: str) -> None:
    response = http.post("/v1/jobs", files=upload(**{name: b""}))
    assert_problem(response, ProblemType.EMPTY_PART, f"{name} is empty")


@pytest.mark.parametrize("name", ["portrait", "audio"])
def test_a_file_sent_as_text_is_named(http: TestClient, name: str) -> None:
    response = http.post("/v1/jobs", files=upload(**{name: "https://example.org/"}))
    assert_problem(response, ProblemType.NOT_A_FILE, name, "as text")


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_file_without_a_filename_or_under_a_wrong_name_is_named(
    http: TestClient, size: int
) -> None:
    response = http.post("/v1/jobs", files=upload(portrait=(None, "x" * size)))
    assert_problem(response, ProblemType.NOT_A_FILE, "portrait", "with a filename")
    response = http.post("/v1/jobs", files=upload(image=("a.jpg", bytes(size))))
    assert_problem(response, ProblemType.UNKNOWN_OPTION, "'image'", "portrait")


@pytest.mark.parametrize("name", ["portrait", "audio"])
@pytest.mark.parametrize("other", ["url", "asset"])
def test_an_input_given_in_two_ways_is_named(http: TestClient, name: str, other: str) -> None:
    text = "https://example.org/face" if other == "url" else "asset_x"
    response = http.post("/v1/jobs", files=upload(**{f"{name}_{other}": text}))
    assert_problem(
        response,
        ProblemType.SEVERAL_SOURCES,
        f"the file {name} and as {name}_{other}",
        "exactly one",
    )


@pytest.mark.parametrize("name", ["webhook_url", "portrait_url", "audio_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "ftp://example.org/",
        "https://user:secret@example.org/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://example.org:6379/",
        "example.org",
        "https://example.org/" + "x" * 2048,
    ],
)
def test_a_disallowed_url_is_named(
    http: TestClient, service_settings: ServiceSettings, name: str, url: str
) -> None:
    parts = {"portrait": None} if name == "portrait_url" else {}
    parts |= {"audio": None} if name == "audio_url" else {}
    response = http.post("/v1/jobs", files=upload(**{name: url}, **parts))
    document = assert_problem(response, ProblemType.INVALID_OPTION, name)
    assert list(document["options"]) == [name]
    assert len(response.content) < 1_000


@pytest.mark.parametrize(
    "metadata", ["order 1", "[]", '"text"', '{"order": 1}', '{"a b": "1"}', '{"order": "1"', "{}}"]
)
def test_metadata_that_is_not_an_object_of_strings_is_named(
    http: TestClient, metadata: str
) -> None:
    response = http.post("/v1/jobs", files=upload(metadata=metadata))
    document = assert_problem(response, ProblemType.INVALID_OPTION, "metadata")
    assert list(document["options"]) == ["metadata"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"face": "left"},
            "The option face is 'left'; it must be 'largest', a number from 1 to 99 or a point "
            "such as 320,240.",
        ),
        (
            {"metadata": '{"a b": "1"}'},
            "A name in the option metadata is 'a b'; it must be 1 to 40 ASCII letters, digits, "
            "underscores, dots or hyphens.",
        ),
        (
            {"metadata": '{"order": 1}'},
            "The option metadata[order] is 1; it must be a valid string.",
        ),
    ],
)
def test_a_rejection_names_the_part_and_what_it_must_be(
    http: TestClient, options: dict[str, str], sentence: str
) -> None:
    response = http.post("/v1/jobs", files=upload(**options))
    assert assert_problem(response, ProblemType.INVALID_OPTION)["detail"] == sentence


@pytest.mark.parametrize("key", ["", "two words", "ümlaut", "x" * 256])
def test_an_invalid_idempotency_key_is_rejected(http: TestClient, key: str) -> None:
    headers = {b"Idempotency-Key": key.encode()}
    response = http.post("/v1/jobs", files=upload(), headers=headers)
    assert_problem(
        response,
        ProblemType.INVALID_REQUEST,
        "Idempotency-Key",
        "1 to 255 visible ASCII characters",
    )


SOURCES = {"portrait_url": "https://example.org/face", "audio_url": "https://example.org/speech"}


def test_json_without_an_input_lists_the_ways_to_give_it(http: TestClient) -> None:
    response = http.post("/v1/jobs", json={"consent": True, "audio_asset": "asset_x"})
    assert_problem(response, ProblemType.MISSING_PART, "portrait_url, portrait_asset is required")


def test_a_missing_asset_is_named(http: TestClient) -> None:
    response = http.post(
        "/v1/jobs",
        json={**SOURCES, "consent": True, "portrait_url": None, "portrait_asset": "asset_unknown"},
    )
    assert_problem(response, ProblemType.ASSET_NOT_FOUND, "asset_unknown")


@pytest.mark.parametrize("consent", [None, False, 1, [True]])
def test_json_without_consent_is_rejected(http: TestClient, consent: object) -> None:
    response = http.post("/v1/jobs", json={**SOURCES, "consent": consent})
    assert_problem(response, ProblemType.CONSENT_REQUIRED, "only true is accepted")


def test_an_unknown_name_in_json_is_rejected(http: TestClient) -> None:
    response = http.post("/v1/jobs", json={**SOURCES, "consent": True, "portrait": "aGVsbG8="})
    assert_problem(response, ProblemType.UNKNOWN_OPTION, "'portrait'", "portrait_url")


@pytest.mark.parametrize(
    ("name", "given", "accepted"),
    [
        ("seed", -1, "greater than or equal to 0"),
        ("seed", None, "integer"),
        ("pose", ["still"], "'natural' or 'still'"),
        ("priority", "urgent", "'high', 'normal' or 'low'"),
        ("metadata", {"order": ["1"]}, "string"),
        ("metadata", {str(n): "" for n in range(17)}, "16"),
    ],
)
def test_an_invalid_json_value_is_rejected_with_the_accepted_ones(
    http: TestClient, name: str, given: object, accepted: str
) -> None:
    response = http.post("/v1/jobs", json={**SOURCES, "consent": True, name: given})
    document = assert_problem(response, ProblemType.INVALID_OPTION, name, accepted)
    assert list(document["options"]) == [name]


@pytest.mark.parametrize(
    "body", ["", "{", "{'a': 1}", "[]", "null", '{"seed": NaN}', "[" * 10_000, b"\xff"]
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/batch"])
def test_a_body_that_is_not_a_json_object_is_malformed(
    http: TestClient, path: str, body: str | bytes
) -> None:
    response = http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert_problem(response, ProblemType.MALFORMED_REQUEST, "JSON")


def test_oversized_json_is_rejected(
    http: TestClient, service_settings: ServiceSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.intake.uploads.MAX_DATA_BYTES", 1_000)
    response = http.post("/v1/jobs", json={"metadata": {"note": "x" * 1_000}})
    assert_problem(response, ProblemType.BODY_TOO_LARGE, "1000 bytes")


@pytest.mark.parametrize(
    "batch", [{}, {"jobs": []}, {"jobs": [{}] * 101}, {"jobs": {}}, {"jobs": [1]}, {"job": [{}]}]
)
def test_an_invalid_batch_is_rejected_as_a_whole(http: TestClient, batch: object) -> None:
    response = http.post("/v1/jobs/batch", json=batch)
    assert_problem(response, ProblemType.INVALID_REQUEST, "1 to 100 objects")


def test_an_option_sent_as_a_file_is_named(http: TestClient) -> None:
    response = http.post("/v1/jobs", files=upload(seed=b"7"))
    assert_problem(response, ProblemType.NOT_A_TEXT, "seed")


def test_a_part_sent_twice_is_named(http: TestClient) -> None:
    parts = [*upload(seed="7").items(), ("seed", (None, "8"))]
    response = http.post("/v1/jobs", files=parts)
    assert_problem(response, ProblemType.REPEATED_PART, "seed was sent 2 times")


def test_an_unknown_option_is_rejected_with_the_accepted_ones(http: TestClient) -> None:
    response = http.post("/v1/jobs", files=upload(emotoin="fear"))
    assert_problem(response, ProblemType.UNKNOWN_OPTION, "'emotoin'", "emotion, intensity", "audio")


@pytest.mark.parametrize("consent", [None, "false", "", "maybe"])
def test_a_form_without_consent_is_rejected(http: TestClient, consent: str | None) -> None:
    response = http.post("/v1/jobs", files=upload(consent=consent))
    assert_problem(response, ProblemType.CONSENT_REQUIRED, "only true is accepted")


@pytest.mark.parametrize(
    ("name", "given", "accepted"),
    [
        ("emotion", "joy", "'happiness'"),
        ("intensity", "2.5", "less than or equal to 2"),
        ("intensity", "nan", "finite"),
        ("intensity", "", "number"),
        ("pose", "wild", "'natural' or 'still'"),
        ("blink", "perhaps", "boolean"),
        ("seed", "-1", "greater than or equal to 0"),
        ("seed", "1.5", "integer"),
    ],
)
def test_an_invalid_value_is_rejected_with_the_accepted_ones(
    http: TestClient, name: str, given: str, accepted: str
) -> None:
    response = http.post("/v1/jobs", files=upload(**{name: given}))
    document = assert_problem(
        response, ProblemType.INVALID_OPTION, f"{name} is '{given}'", accepted
    )
    assert list(document["options"]) == [name]


def test_all_invalid_values_are_reported_at_once(http: TestClient) -> None:
    response = http.post("/v1/jobs", files=upload(seed="x", pose="y"))
    document = assert_problem(response, ProblemType.INVALID_OPTION)
    assert set(document["options"]) == {"seed", "pose"}


def test_a_response_does_not_grow_with_the_values(http: TestClient) -> None:
    response = http.post("/v1/jobs", files=upload(emotion="x" * 10_000))
    assert len(response.content) < 2_000


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/jobs/batch", "/v1/assets"])
@pytest.mark.parametrize(
    "body", [{"k" * 100_000: 1}, {f"k{n}": 1 for n in range(10_000)}], ids=["long", "many"]
)
def test_a_response_does_not_grow_with_the_names(
    http: TestClient, path: str, body: dict[str, int]
) -> None:
    response = http.post(path, json=body)
    assert response.status_code == 422
    assert len(response.content) < 2_000


def test_an_oversized_file_is_rejected_with_the_limit(http: TestClient) -> None:
    response = http.post("/v1/jobs", files=upload(portrait=b"x" * 100_001))
    assert_problem(response, ProblemType.PORTRAIT_TOO_LARGE, "limit of 100000 bytes")
    response = http.post("/v1/jobs", files=upload(audio=b"x" * 200_001))
    assert_problem(response, ProblemType.AUDIO_TOO_LARGE, "limit of 200000 bytes")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_an_unsupported_content_type_is_rejected_with_the_accepted_ones(
    http: TestClient, content_type: str
) -> None:
    response = http.post("/v1/jobs", content=b"{}", headers={"Content-Type": content_type})
    assert_problem(
        response,
        ProblemType.UNSUPPORTED_MEDIA_TYPE,
        content_type,
        "multipart/form-data or application/json",
    )


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, GZIP"])
@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_an_encoded_body_is_rejected_for_its_encoding(
    http: TestClient, content_type: str, encoding: str
) -> None:
    headers = {"Content-Type": content_type, "Content-Encoding": encoding}
    response = http.post("/v1/jobs", content=gzip.compress(b"{}"), headers=headers)
    detail = f"The Content-Encoding is '{encoding.lower()}'"
    assert_problem(response, ProblemType.UNSUPPORTED_CONTENT_ENCODING, detail)
    assert response.headers["accept-encoding"] == "identity"


def test_a_body_may_say_that_it_is_not_encoded(http: TestClient) -> None:
    headers = {"Content-Encoding": "identity"}
    assert http.post("/v1/jobs", json={}, headers=headers).status_code == 422


def test_a_missing_content_type_is_rejected_with_the_accepted_ones(http: TestClient) -> None:
    response = http.post("/v1/jobs", content=b"portrait")
    assert_problem(response, ProblemType.UNSUPPORTED_MEDIA_TYPE, "missing")


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=elsewhere"]
)
def test_a_body_that_is_not_multipart_is_malformed(http: TestClient, content_type: str) -> None:
    response = http.post("/v1/jobs", content=b"portrait", headers={"Content-Type": content_type})
    assert_problem(response, ProblemType.MALFORMED_REQUEST)


def test_a_body_without_its_final_boundary_is_rejected(http: TestClient) -> None:
    whole = http.build_request("POST", "/v1/jobs", files=upload())
    content_type = whole.headers["content-type"]
    cut = whole.read()[:-2_000]
    response = http.post("/v1/jobs", content=cut, headers={"Content-Type": content_type})
    assert_problem(response, ProblemType.UPLOAD_INCOMPLETE, "final boundary")


@pytest.mark.parametrize("charset", ["undefined", "idna", "unicode_escape", "utf-7", "latin-1"])
def test_a_form_in_another_charset_is_malformed(http: TestClient, charset: str) -> None:
    whole = http.build_request("POST", "/v1/jobs", files=upload(metadata=r'{"note": "\ud800"}'))
    content_type = f"{whole.headers['content-type']}; charset={charset}"
    response = http.post("/v1/jobs", content=whole.read(), headers={"Content-Type": content_type})
    assert_problem(response, ProblemType.MALFORMED_REQUEST, charset, "only utf-8")


def test_too_many_parts_are_malformed(http: TestClient) -> None:
    parts = [(f"option{n}", (None, "1")) for n in range(1000)]
    response = http.post("/v1/jobs", files=parts)
    assert_problem(response, ProblemType.MALFORMED_REQUEST, "Too many fields")


def test_a_slow_upload_times_out(
    http: TestClient, service_settings: ServiceSettings, backstage: Backstage
) -> None:
    in_haste = service_settings.model_copy(update={"upload_max_seconds": 0.01})
    response = exchange(backstage.app(in_haste), asyncio.Event().wait)
    assert_problem(response, ProblemType.UPLOAD_TIMEOUT, "0.01 s")


def test_a_caller_that_disconnects_ends_the_upload(http: TestClient) -> None:
    async def go_away() -> Message:
        return {"type": "http.disconnect"}

    response = exchange(http.app, go_away)
    assert_problem(response, ProblemType.UPLOAD_INCOMPLETE, "connection closed")


@pytest.mark.parametrize(
    ("files", "problem_type"),
    [
        (upload(portrait=b"no picture"), ProblemType.PORTRAIT_UNREADABLE),
        (upload(portrait=portrait(16)), ProblemType.PORTRAIT_TOO_SMALL),
        (upload(portrait=portrait()[:-500]), ProblemType.PORTRAIT_UNREADABLE),
        (upload(audio=b"no sound"), ProblemType.AUDIO_UNREADABLE),
        (upload(audio=speech(0.05)), ProblemType.AUDIO_TOO_SHORT),
        (upload(audio=speech(6)), ProblemType.AUDIO_TOO_LONG),
        (upload(audio=video()), ProblemType.NO_AUDIO_STREAM),
    ],
)
def test_an_unusable_file_is_rejected_with_the_reason(
    http: TestClient, files: Files, problem_type: ProblemType
) -> None:
    response = http.post("/v1/jobs", files=files)
    document = assert_problem(response, problem_type)
    assert document["detail"].endswith(".")
