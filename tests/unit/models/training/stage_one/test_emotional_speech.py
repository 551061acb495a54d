from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from media.emotions import Emotion
from models.corpus.recordings import list_recordings
from models.training.stage_one.emotional_speech import (
    CROP,
    EmotionalClip,
    EmotionSampler,
    split_speakers,
)
from tests.unit.models.training.tiny_speech import emotional_clips

COLUMNS = "file,corpus,speaker,emotion,intensity,sentence,language,licence"


def write_labels(data: Path, columns: str, *rows: str) -> Path:
    (data / "speech").mkdir()
    (data / "speech" / "labels.csv").write_text("\n".join([columns, *rows]) + "\n")
    return data


def test_intensities_are_strengths_and_neutral_has_none(tmp_path: Path) -> None:
    data = write_labels(
        tmp_path,
        COLUMNS,
        "c/a.flac,c,p1,fear,weak,s,en,",
        "c/b.flac,c,p1,anger,strong,s,en,",
        "c/d.flac,c,p1,neutral,strong,s,en,",
        "c/e.flac,c,p1,boredom,normal,s,en,",
    )
    found = [(r.emotion, r.strength) for r in list_recordings(data)]
    assert found == [(Emotion.FEAR, 0.3), (Emotion.ANGER, 1.0), (Emotion.NEUTRAL, 0.0)]


def test_the_split_column_holds_speakers_out(tmp_path: Path) -> None:
    data = write_labels(
        tmp_path,
        f"{COLUMNS},split",
        "c/a.flac,c,p1,fear,weak,s,en,,val",
        "c/b.flac,c,p2,fear,weak,s,en,,train",
        "r/c.flac,r,ravdess_05,fear,strong,s,en,,",
    )
    held_out = {recording.speaker: recording.held_out for recording in list_recordings(data)}
    assert held_out == {"p1": True, "p2": False, "ravdess_05": True}


def test_no_speaker_is_both_trained_on_and_held_out() -> None:
    def clip(speaker: str, held_out: bool) -> EmotionalClip:
        nothing = torch.zeros(0)
        return EmotionalClip(speaker, Emotion.FEAR, 0.3, nothing, nothing, held_out)

    clips = [clip("p1", True), clip("p1", False), clip("p2", False), clip("ravdess_05", False)]
    train, held_out = split_speakers(clips)
    assert [c.speaker for c in train] == ["p2"]
    assert {c.speaker for c in held_out} == {"p1", "ravdess_05"}


def test_a_crop_of_the_sound_comes_with_the_same_crop_of_its_face() -> None:
    frames = 2 * CROP
    counted = torch.arange(frames, dtype=torch.float16)
    [clip, *_] = emotional_clips(frames)
    clip = replace(
        clip,
        states=counted.repeat_interleave(2)[:, None].expand(-1, 24),
        face=counted[:, None, None].expand(-1, 79, 2),
    )
    batch = EmotionSampler([clip], [], np.random.default_rng(0)).draw(4)
    assert batch.paired.all()
    assert batch.faces[:, :, 0, 0].equal(batch.states[:, ::2, 0])
    assert len({float(face[0, 0, 0]) for face in batch.faces}) > 1


def test_a_clip_without_a_face_is_not_paired_and_a_short_one_holds_its_last_frame() -> None:
    [without, short, *_] = emotional_clips(10)
    short = replace(short, face=torch.arange(10.0)[:, None, None].expand(-1, 79, 2))
    batch = EmotionSampler([without, short], [], np.random.default_rng(0)).draw(16)
    seen = batch.faces[:, :, 0, 0].amax(1)
    assert 0 < int(batch.paired.sum()) < 16
    assert (seen[batch.paired] == 9.0).all()
    assert (seen[~batch.paired] == 0.0).all()
    assert (batch.faces[batch.paired][:, 10:] == 9.0).all()
