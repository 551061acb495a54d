import csv
from pathlib import Path

import numpy as np

from media.emotions import Emotion
from models.training.preparation.corpora.takes import Corpus, Intensity, Take
from models.training.preparation.records import Outcome, Record, Records
from models.training.preparation.tables import write_tables

HEARD = (0.5,) * 11


def outcome(name: str, split: str, record: Record) -> Outcome:
    video = Path(f"{name}.mp4")
    take = Take(name, "mead_M003", "001", video, video, Emotion.FEAR, Intensity.WEAK)
    return Outcome(take, split, record)


def write(data: Path, clips: list[Outcome]) -> None:
    records = Records(data / "preparation" / "mead")
    for clip in clips:
        landmarks = np.broadcast_to(np.arange(10.0)[:, None, None], (10, 79, 2))
        records.write_landmarks(clip.take.name, landmarks.astype(np.float32))
    corpus = Corpus("mead", "en", "research use", tuple(clip.take for clip in clips))
    write_tables(data, corpus, clips, records)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_landmarks_are_those_of_the_frames_that_the_clip_shows(tmp_path: Path) -> None:
    write(
        tmp_path,
        [
            outcome("trails", "train", Record(tracked=10, correlations=HEARD, lag=3, frames=6)),
            outcome("leads", "train", Record(tracked=10, correlations=HEARD, lag=-3, frames=7)),
            outcome("unseen", "val", Record(tracked=10, correlations=HEARD, lag=0, frames=10)),
        ],
    )
    with np.load(tmp_path / "landmarks" / "mead_train.npz") as archive:
        assert (archive["trails"][:, 0, 0] / 64).tolist() == [3, 4, 5, 6, 7, 8]
        assert (archive["leads"][:, 0, 0] / 64).tolist() == [0, 1, 2, 3, 4, 5, 6]
        assert archive["leads"].dtype == np.int16
    with np.load(tmp_path / "landmarks" / "mead_val.npz") as archive:
        assert archive.files == ["unseen"]


def test_other_corpora_keep_their_rows(tmp_path: Path) -> None:
    (tmp_path / "speech").mkdir()
    (tmp_path / "manifest.csv").write_text(
        "file,set,split,identity,emotion,audio,frames,licence\n"
        "clips/grid/train/a.mp4,grid,train,s1,neutral,1,75,CC BY 4.0\n"
        "clips/mead/train/gone.mp4,mead,train,x,,1,75,\n"
    )
    (tmp_path / "speech" / "labels.csv").write_text(
        "file,corpus,speaker,emotion,intensity,sentence,language,licence\n"
        "emodb/a.ogg,emodb,emodb_03,anger,normal,a01,de,\n"
    )
    write(tmp_path, [outcome("a", "val", Record(tracked=10, correlations=HEARD, frames=10))])
    manifest = {row["file"]: row for row in rows(tmp_path / "manifest.csv")}
    assert set(manifest) == {"clips/grid/train/a.mp4", "clips/mead/val/a.mp4"}
    assert manifest["clips/mead/val/a.mp4"]["emotion"] == "fear"
    labels = {row["file"]: row for row in rows(tmp_path / "speech" / "labels.csv")}
    assert set(labels) == {"emodb/a.ogg", "mead/a.flac"}
    assert labels["mead/a.flac"]["intensity"] == "weak"
    assert labels["mead/a.flac"]["split"] == "val"


def test_a_clip_without_sound_teaches_pictures_only(tmp_path: Path) -> None:
    write(tmp_path, [outcome("mute", "train", Record(tracked=10, frames=10))])
    assert [row["audio"] for row in rows(tmp_path / "manifest.csv")] == ["0"]
    assert rows(tmp_path / "speech" / "labels.csv") == []
