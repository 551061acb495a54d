"""Hostile files uploaded straight to the object store are checked like any other."""

import pytest

from tests.loopback import loopback
from tests.security.hostile import Hostile
from tests.security.pictures import PICTURES
from tests.security.recordings import RECORDINGS
from tests.security.target import ANSWER_SECONDS, Target, outcome

TRIED = {
    *("png_zTXt_bomb", "jpeg_that_claims_65535x65535", "portrait_as_postscript", "png_and_page"),
    *("audio_as_m3u8", "mp4_of_5000_tracks", "wav_all_nan", "flac_of_twenty_minutes"),
}
GOOD = {
    "portrait_url": "https://example.org/portrait.jpg",
    "audio_url": "https://example.org/speech.wav",
    "consent": True,
}


@pytest.mark.parametrize("name", sorted(TRIED))
def test_a_hostile_asset_gets_its_problem_and_does_no_harm(name: str, target: Target) -> None:
    kind, file = _find(name)
    asset_id = _upload(target, kind, file.build())
    request = {**GOOD, f"{kind}_url": None, f"{kind}_asset": asset_id}
    with target.unharmed():
        response = target.http.post("/v1/jobs", json=request)
        target.forget(response.headers.get("location"))
    assert outcome(response) in file.expected, response.text


def _find(name: str) -> tuple[str, Hostile]:
    for kind, files in (("portrait", PICTURES), ("audio", RECORDINGS)):
        for file in files:
            if file.name == name:
                return kind, file
    raise LookupError(name)


def _upload(target: Target, kind: str, content: bytes) -> str:
    wanted = {"kind": kind, "size": len(content), "content_type": "image/jpeg"}
    announced = target.http.post("/v1/assets", json=wanted).raise_for_status().json()
    upload = announced["upload"]
    loopback.request(
        upload["method"],
        upload["url"],
        headers=upload["headers"],
        content=content,
        timeout=ANSWER_SECONDS,
    ).raise_for_status()
    asset_id: str = announced["id"]
    return asset_id
