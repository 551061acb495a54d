"""Inputs from URLs, webhooks, and assets."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from standardwebhooks import Webhook

from deploy.standalone.system import Standalone
from tests.loopback import loopback
from tests.servers import Asked, LocalServer, content, redirect, serving
from tests.waiting import PATIENCE, wait_for

Document = dict[str, Any]


@pytest.fixture
def api(system: Standalone) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=system.url, timeout=PATIENCE) as connected:
        yield connected


@pytest.fixture
def site(portrait: Path, speech: Path) -> Iterator[LocalServer]:
    """A site with the portrait, the speech and a redirect to a forbidden address, which accepts any
    POST.
    """
    files = {
        "/portrait.jpg": content(portrait.read_bytes()),
        "/speech.wav": content(speech.read_bytes()),
        "/wall.png": content(wall()),
        "/metadata": redirect("http://169.254.169.254/latest/meta-data/"),
        "/endless.wav": pour,
        "/hook": content(b"", 204),
        "/gone": content(b"", 410),
    }
    with serving(lambda handler: files.get(handler.path, content(b"", 404))(handler)) as running:
        yield running


def wall() -> bytes:
    """Encode a picture without a face: a job for it fails quickly."""
    file = BytesIO()
    Image.new("RGB", (512, 512), (180, 170, 160)).save(file, "PNG")
    return file.getvalue()


def pour(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"x" * 65536)
    except OSError:
        return


def make(api: httpx.Client, **request: Any) -> str:
    response = api.post("/v1/jobs", json={"consent": True, **request})
    assert response.status_code == 202, response.text
    job_id: str = response.json()["id"]
    return job_id


def ended(api: httpx.Client, job_id: str) -> Document:
    """Return the job's document once it has ended."""

    def document() -> Document | None:
        job: Document = api.get(f"/v1/jobs/{job_id}", params={"wait": 5}).json()
        return job if job["status"] not in ("queued", "processing") else None

    return wait_for(document) or {}


def told(api: httpx.Client, job_id: str, status: str) -> Document:
    """Return the job's webhook once it has this status."""

    def webhook() -> Document | None:
        document: Document = api.get(f"/v1/jobs/{job_id}").json()["webhook"]
        return document if document["status"] == status else None

    return wait_for(webhook) or {}


def posted(site: LocalServer) -> list[Asked]:
    return [asked for asked in site.asked if asked.method == "POST"]


def verified(api: httpx.Client, asked: Asked) -> Document:
    """Return a webhook's event, with its signature verified as by any receiver."""
    secret = api.get("/v1/webhooks/secret").json()["secret"]
    event: Document = Webhook(secret).verify(asked.body, asked.headers)
    return event


def test_a_job_by_url_becomes_a_video_and_sends_a_webhook(
    system: Standalone, api: httpx.Client, site: LocalServer
) -> None:
    job_id = make(
        api,
        portrait_url=f"{site.url}/portrait.jpg",
        audio_url=f"{site.url}/speech.wav",
        webhook_url=f"{site.url}/hook",
        metadata={"order": "4711"},
        resolution=256,
    )
    job = ended(api, job_id)
    assert job["status"] == "succeeded", job["failure"]
    video = api.get(job["links"]["video"])
    assert video.content[4:8] == b"ftyp"
    assert {asked.path for asked in site.asked if asked.method == "GET"} == {
        "/portrait.jpg",
        "/speech.wav",
    }
    webhook = told(api, job_id, "delivered")
    assert (webhook["attempts"], webhook["reason"]) == (1, None)
    (asked,) = posted(site)
    event = verified(api, asked)
    assert event["type"] == "job.succeeded"
    assert event["timestamp"] == job["updated_at"]
    assert event["data"]["id"] == job_id
    assert event["data"]["metadata"] == {"order": "4711"}
    for name in ("status", "emotion", "duration", "num_frames", "width", "height"):
        assert event["data"][name] == job[name]


def test_a_webhook_is_retried_after_errors(
    system: Standalone, api: httpx.Client, site: LocalServer
) -> None:
    files, ill, well = site.answer, content(b"", 500), content(b"", 204)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        is_hook = handler.path == "/hook"
        ((well if len(posted(site)) > 2 else ill) if is_hook else files)(handler)

    site.answer = answer
    job_id = make(
        api,
        portrait_url=f"{site.url}/wall.png",
        audio_url=f"{site.url}/speech.wav",
        webhook_url=f"{site.url}/hook",
    )
    assert ended(api, job_id)["failure"]["code"] == "no_face"
    assert told(api, job_id, "delivered")["attempts"] == 3
    events = [verified(api, asked) for asked in posted(site)]
    assert [event["type"] for event in events] == ["job.failed"] * 3
    assert events[0]["data"]["failure"]["code"] == "no_face"
    assert len({asked.headers["webhook-id"] for asked in posted(site)}) == 1


def test_an_unwanted_webhook_is_disabled_and_the_job_reports_why(
    api: httpx.Client, site: LocalServer
) -> None:
    job_id = make(
        api,
        portrait_url=f"{site.url}/wall.png",
        audio_url=f"{site.url}/speech.wav",
        webhook_url=f"{site.url}/gone",
    )
    assert ended(api, job_id)["status"] == "failed"
    webhook = told(api, job_id, "disabled")
    assert webhook["attempts"] == len(posted(site)) == 1
    assert "410" in webhook["reason"]


def test_a_url_to_a_private_address_is_refused_at_once(api: httpx.Client) -> None:
    for name in ("portrait_url", "audio_url", "webhook_url"):
        urls = {"portrait_url": "https://example.com/a", "audio_url": "https://example.com/b"}
        response = api.post(
            "/v1/jobs", json={"consent": True, **urls, name: "http://169.254.169.254/latest/"}
        )
        assert response.status_code == 422, response.text
        assert name in response.json()["options"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/metadata", "url_refused"),
        ("/missing", "url_unreachable"),
        ("/endless.wav", "url_too_large"),
    ],
)
def test_an_unfetchable_input_fails_the_job_with_a_reason(
    api: httpx.Client, site: LocalServer, path: str, code: str
) -> None:
    job_id = make(api, portrait_url=f"{site.url}/portrait.jpg", audio_url=f"{site.url}{path}")
    assert ended(api, job_id)["failure"]["code"] == code


def announce(api: httpx.Client, kind: str, size: int, content_type: str) -> Document:
    wanted = {"kind": kind, "size": size, "content_type": content_type}
    response = api.post("/v1/assets", json=wanted)
    assert response.status_code == 201, response.text
    asset: Document = response.json()
    return asset


def send(asset: Document, body: bytes, **headers: str) -> int:
    upload = asset["upload"]
    given = {"Content-Type": upload["headers"]["Content-Type"], **headers}
    response = loopback.request(upload["method"], upload["url"], content=body, headers=given)
    return response.status_code


def test_a_job_is_created_from_uploaded_assets(api: httpx.Client, speech: Path) -> None:
    picture, sound = wall(), speech.read_bytes()
    portrait_asset = announce(api, "portrait", len(picture), "image/png")
    audio_asset = announce(api, "audio", len(sound), "audio/wav")
    request = {
        "consent": True,
        "portrait_asset": portrait_asset["id"],
        "audio_asset": audio_asset["id"],
    }
    assert send(portrait_asset, picture) == 200
    early = api.post("/v1/jobs", json=request)
    assert (early.status_code, early.json()["code"]) == (409, "asset_not_uploaded")
    assert send(audio_asset, sound) == 200
    assert ended(api, make(api, **request))["failure"]["code"] == "no_face"
    swapped = {**request, "portrait_asset": audio_asset["id"]}
    response = api.post("/v1/jobs", json=swapped)
    assert (response.status_code, response.json()["code"]) == (404, "asset_not_found")


def test_an_upload_of_another_size_or_type_is_refused(api: httpx.Client) -> None:
    picture = wall()
    asset = announce(api, "portrait", len(picture), "image/png")
    assert send(asset, picture + b"!") == 403
    assert send(asset, picture[:-1]) == 403
    assert send(asset, picture, **{"Content-Type": "text/html"}) == 403
    assert send(asset, picture) == 200
