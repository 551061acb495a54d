"""Checks refuse hostile files as jobs do, and are not affected either."""

import httpx
import pytest
from _pytest.mark import ParameterSet

from tests.security.hostile import ACCEPTED, Hostile
from tests.security.pictures import PICTURES
from tests.security.recordings import RECORDINGS
from tests.security.target import Target, problem_of
from tests.service_examples import portrait

QUICK = {
    "png_that_claims_65535x65535",
    "webp_animation_of_nothing",
    "apng_of_1000_pictures",
    "wav_of_ten_minutes",
    "picture_as_audio",
}
FACES = {"no_face", "face_cut_off", "face_too_small", "face_turned_away"}
"""Refusals of a job that was accepted: its files could be decoded."""


def _parameter(file: Hostile) -> ParameterSet:
    marks = [] if file.name in QUICK else [pytest.mark.thorough]
    return pytest.param(file, id=file.name, marks=marks)


@pytest.fixture(scope="module")
def checking(target: Target) -> Target:
    """The service with its face detector running."""
    assert target.check(portrait=portrait()).is_success
    return target


@pytest.mark.parametrize("file", [_parameter(file) for file in PICTURES])
def test_a_check_refuses_a_hostile_portrait_like_a_job(file: Hostile, checking: Target) -> None:
    _check(checking, file, portrait=file.build())


@pytest.mark.parametrize("file", [_parameter(file) for file in RECORDINGS])
def test_a_check_refuses_a_hostile_recording_like_a_job(file: Hostile, checking: Target) -> None:
    _check(checking, file, audio=file.build())


def _check(target: Target, file: Hostile, **content: bytes) -> None:
    with target.unharmed():
        response = target.check(**content)
        if _may_have_ended_the_detector(response):
            # It is only started again when it is needed.
            assert target.check(portrait=portrait()).is_success
    assert _outcome(response) in file.expected, response.text


def _may_have_ended_the_detector(response: httpx.Response) -> bool:
    """Return whether faces are unknown: on a busy machine, detection may take too long."""
    checked = response.json().get("portrait")
    return bool(checked) and checked["faces"] is None


def _outcome(response: httpx.Response) -> str:
    """Return the code of the problem or of the refusal, or ACCEPTED."""
    if not response.is_success:
        return problem_of(response)
    found = response.json()
    refusal = (found["portrait"] or found["audio"])["refusal"]
    return ACCEPTED if refusal is None or refusal["code"] in FACES else str(refusal["code"])
