from pathlib import Path

import pytest

from models.training.preparation.corpora.takes import Corpus, Take
from models.training.preparation.prepare import prepare


def test_an_unexpected_error_names_its_take(tmp_path: Path) -> None:
    gone = tmp_path / "gone.mp4"
    take = Take("a_name", "p", None, gone, gone)
    with pytest.raises(FileNotFoundError) as error:
        prepare(Corpus("talks", "", "", (take,)), tmp_path / "data", workers=1)
    assert "a_name" in error.value.__notes__[-1]
