import inspect

from media import errors
from media.errors import AudioError, MediaError, PortraitError

LEAVES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, MediaError) and not kind.__subclasses__()
]


def test_every_reason_has_a_code_of_its_own_that_follows_its_name() -> None:
    for kind in LEAVES:
        words = "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__)
        assert kind.code == words.lstrip("_")


def test_every_reason_belongs_to_the_portrait_or_to_the_speech() -> None:
    assert LEAVES
    assert all(issubclass(kind, PortraitError) != issubclass(kind, AudioError) for kind in LEAVES)


def test_the_tree_in_the_docstring_lists_exactly_the_errors() -> None:
    tree = [
        line.lstrip("│├└─ ").split()[0]
        for line in (errors.__doc__ or "").splitlines()
        if "──" in line
    ]
    assert sorted(tree) == sorted(kind.__name__ for kind in [*LEAVES, PortraitError, AudioError])


def test_every_error_has_a_docstring() -> None:
    assert all((kind.__doc__ or "").endswith(".") for kind in LEAVES)
