"""Every hostile file is posted to a service as it is deployed, which must not care."""

import pytest

from tests.security.hostile import Hostile
from tests.security.pictures import PICTURES
from tests.security.recordings import RECORDINGS
from tests.security.target import Target, outcome


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.name)
def test_a_hostile_portrait_is_told_what_it_is_and_harms_nobody(
    file: Hostile, target: Target
) -> None:
    _attack(target, file, portrait=file.build())


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.name)
def test_a_hostile_recording_is_told_what_it_is_and_harms_nobody(
    file: Hostile, target: Target
) -> None:
    _attack(target, file, audio=file.build())


def _attack(target: Target, file: Hostile, **content: bytes) -> None:
    with target.unharmed():
        answer = target.post(**content)
        target.forget(answer.headers.get("location"))
    assert outcome(answer) in file.expected, answer.text
