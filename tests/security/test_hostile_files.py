"""Every hostile file is submitted to a service as in production, which must not be affected."""

import pytest
from _pytest.mark import ParameterSet

from tests.security.hostile import Hostile
from tests.security.pictures import PICTURES
from tests.security.recordings import RECORDINGS
from tests.security.target import Target, outcome

SLOW = "jpeg_of_2000_scans"
"""It uses all the CPU time allowed for a file."""


def _parameter(file: Hostile) -> ParameterSet:
    return pytest.param(
        file, id=file.name, marks=[pytest.mark.thorough] if file.name == SLOW else []
    )


@pytest.mark.parametrize("file", [_parameter(file) for file in PICTURES])
def test_a_hostile_portrait_gets_its_problem_and_does_no_harm(
    file: Hostile, target: Target
) -> None:
    _attack(target, file, portrait=file.build())


@pytest.mark.parametrize("file", [_parameter(file) for file in RECORDINGS])
def test_a_hostile_recording_gets_its_problem_and_does_no_harm(
    file: Hostile, target: Target
) -> None:
    _attack(target, file, audio=file.build())


def _attack(target: Target, file: Hostile, **content: bytes) -> None:
    with target.unharmed():
        response = target.post(**content)
        target.forget(response.headers.get("location"))
    assert outcome(response) in file.expected, response.text
