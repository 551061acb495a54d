from pathlib import Path

import pytest

from models.training.preparation.corpora.takes import Take
from models.training.preparation.splitting import held_out, split_takes


def take(person: str, sentence: str | None, number: int = 0) -> Take:
    video = Path(f"{person}_{sentence}_{number}.mp4")
    return Take(video.stem, person, sentence, video, video)


EVERYONE = [take(f"p{person}", f"s{sentence}") for person in range(40) for sentence in range(12)]


def test_no_person_or_sentence_is_on_both_sides() -> None:
    split = split_takes(EVERYONE)
    sides = {
        side: [take for take in EVERYONE if split[take.name] == side] for side in ("train", "val")
    }
    assert sides["train"]
    assert sides["val"]
    for attribute in ("person", "sentence"):
        train, val = ({getattr(take, attribute) for take in sides[side]} for side in sides)
        assert not train & val


def test_what_belongs_to_both_sides_belongs_to_neither() -> None:
    split = split_takes(EVERYONE)
    people = {take.person for take in EVERYONE if split[take.name] == "val"}
    sentences = {take.sentence for take in EVERYONE if split[take.name] == "val"}
    for each in EVERYONE:
        half = (each.person in people) != (each.sentence in sentences)
        assert (split[each.name] is None) == half


def test_the_split_stays_as_takes_are_added() -> None:
    before = split_takes(EVERYONE[:240])
    after = split_takes(EVERYONE)
    assert {name: after[name] for name in before} == before


def test_without_sentences_the_speaker_decides() -> None:
    takes = [take(f"p{person}", None, number) for person in range(40) for number in range(3)]
    split = split_takes(takes)
    assert set(split.values()) == {"train", "val"}
    for person in {take.person for take in takes}:
        assert len({split[take.name] for take in takes if take.person == person}) == 1


def test_one_person_alone_is_trained_on() -> None:
    takes = [take("p0", f"s{sentence}") for sentence in range(12)]
    assert set(split_takes(takes).values()) == {"train"}


@pytest.mark.parametrize(("names", "count"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_of_two_names_one_is_always_held_out(names: int, count: int) -> None:
    assert len(held_out({f"n{name}" for name in range(names)}, share=1e-9)) == count


def test_about_the_share_is_held_out() -> None:
    assert len(held_out({f"n{name}" for name in range(1000)}, share=0.1)) == pytest.approx(
        100, abs=30
    )
