from pathlib import Path

import pytest

from models.training.preparation.corpora.folder import read_folder
from models.training.preparation.corpora.takes import LayoutError
from tests.unit.models.training.preparation.trees import lay_out


def test_a_sub_folder_is_a_person(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "talks", "ann/1.mp4", "ann/late/2.mov", "bob/1.webm", "notes.txt")
    corpus = read_folder(root)
    assert corpus.name == "talks"
    assert {take.name: take.person for take in corpus.takes} == {
        "ann_1": "talks_ann",
        "ann_late_2": "talks_ann",
        "bob_1": "talks_bob",
    }


def test_a_file_on_its_own_is_a_person(tmp_path: Path) -> None:
    root = lay_out(tmp_path / "talks", "ann.mp4", "bob.v2.mp4")
    assert [take.person for take in read_folder(root).takes] == ["talks_ann", "talks_bob.v2"]


@pytest.mark.parametrize("files", [(), ("a.txt",), ("a/b.mp4", "a_b.mp4")])
def test_a_folder_without_videos_or_with_ambiguous_names_is_refused(
    tmp_path: Path, files: tuple[str, ...]
) -> None:
    with pytest.raises(LayoutError):
        read_folder(lay_out(tmp_path, *files))
