"""What `amigo` exports."""

import pytest

import amigo


def test_everything_that_is_exported_is_there() -> None:
    assert {getattr(amigo, name).__module__.partition(".")[0] for name in amigo.__all__} == {
        "amigo"
    }


def test_anything_else_is_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Server'"):
        amigo.Server  # noqa: B018
