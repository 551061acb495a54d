from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.faces.landmarks import eye_midpoint, interocular
from media.faces.portrait import MIN_INTEROCULAR
from media.video import encode_video
from models.training.preparation.corpora.takes import Take
from models.training.preparation.rejection import Reason, Rejected
from models.training.preparation.tracking import crop_box, track_take
from tests.fakes.detector import Face, FakeDetector
from tests.media import babble, recording
from tests.unit.models.typical_face import pixel_face


def talk(frames: int, trail: int = 0) -> list[Face]:
    """Return a face whose lips open four times a second, as the babble's loudness does."""
    time = (np.arange(frames) + 0.5 - trail) / 25
    return [pixel_face(0.2 * o) for o in 0.5 - 0.5 * np.cos(2 * np.pi * 4 * time)]


def examine(
    folder: Path,
    track: Sequence[Face | None],
    *,
    looks: list[list[Face]] | None = None,
    levels: NDArray[np.int64] | None = None,
    speech: NDArray[np.float32] | None = None,
) -> tuple[int, bool]:
    """Track grey frames; return how many there were and whether they have sound."""
    levels = np.full(60, 128) if levels is None else levels
    frames = np.broadcast_to(levels[:, None, None, None], (len(levels), 64, 64, 3))
    encode_video(folder / "a.mp4", [frames.astype(np.uint8)], np.zeros(0, np.float32))
    sound = babble(len(levels) / 25) if speech is None else speech
    (folder / "a.wav").write_bytes(recording(sound, "wav", "pcm_s16le"))
    seen = iter(looks or [])
    detector = FakeDetector(look=lambda _: next(seen, []), track=track)
    take = Take("a", "p", None, folder / "a.mp4", folder / "a.wav")
    record, landmarks = track_take(take, detector)
    assert landmarks.shape == (record.tracked, 79, 2)
    assert record.reason is None
    return record.tracked, record.has_sound


def reason(folder: Path, track: Sequence[Face | None], **told: object) -> Reason:
    with pytest.raises(Rejected) as rejected:
        examine(folder, track, **told)  # type: ignore[arg-type]
    return rejected.value.reason


def test_a_talking_face_passes(tmp_path: Path) -> None:
    assert examine(tmp_path, talk(60), looks=[[pixel_face()]]) == (60, True)


def test_a_face_lost_for_a_moment_passes(tmp_path: Path) -> None:
    track: list[Face | None] = [*talk(60)]
    track[20:26] = [None] * 6
    assert examine(tmp_path, track) == (60, True)


def test_a_take_without_a_face_is_rejected(tmp_path: Path) -> None:
    assert reason(tmp_path, []) is Reason.NO_FACE


def test_a_face_lost_for_long_is_rejected(tmp_path: Path) -> None:
    track: list[Face | None] = [*talk(60)]
    track[20:27] = [None] * 7
    assert reason(tmp_path, track) is Reason.FACE_LOST


def test_a_small_face_is_rejected(tmp_path: Path) -> None:
    scale = 0.95 * MIN_INTEROCULAR / float(interocular(pixel_face()))
    small: list[Face] = [None if face is None else face * scale for face in talk(60)]
    assert reason(tmp_path, small) is Reason.FACE_TOO_SMALL


def test_a_second_person_is_rejected_even_if_late(tmp_path: Path) -> None:
    looks = [[pixel_face()], [pixel_face(), pixel_face() * 0.6]]
    assert reason(tmp_path, talk(60), looks=looks) is Reason.SEVERAL_PEOPLE


def test_a_picture_on_the_wall_is_no_second_person(tmp_path: Path) -> None:
    assert examine(tmp_path, talk(60), looks=[[pixel_face(), pixel_face() * 0.4]])


def test_another_picture_is_another_shot(tmp_path: Path) -> None:
    levels = np.where(np.arange(60) < 30, 100, 130)
    assert reason(tmp_path, talk(60), levels=levels) is Reason.SHOT_CHANGE


def test_a_face_that_jumps_is_another_shot(tmp_path: Path) -> None:
    track: list[Face] = [
        None if face is None else face + 40 * (index >= 30) for index, face in enumerate(talk(60))
    ]
    assert reason(tmp_path, track) is Reason.SHOT_CHANGE


def test_a_moment_is_too_short(tmp_path: Path) -> None:
    assert reason(tmp_path, talk(19), levels=np.full(19, 128)) is Reason.TOO_SHORT


def test_still_lips_are_rejected(tmp_path: Path) -> None:
    assert reason(tmp_path, [pixel_face()] * 60) is Reason.LIPS_STILL


def test_lips_that_follow_another_speech_are_rejected(tmp_path: Path) -> None:
    opening = 0.1 * (np.arange(60) // 30)
    track: list[Face] = [pixel_face(o) for o in opening]
    noise = np.where(np.arange(38_400) < 19_200, 0.5, 0.005) * babble(2.4)
    assert reason(tmp_path, track, speech=noise.astype(np.float32)) is Reason.OUT_OF_SYNC


def test_one_crop_holds_the_whole_clip_at_the_trainings_scale() -> None:
    track = np.stack([pixel_face() + np.array([shift, 0]) for shift in (-30, 0, 10)]).astype(
        np.float32
    )
    box = crop_box(track)
    face = box.to_window(track[1], 256)
    np.testing.assert_allclose(eye_midpoint(face), (128, 0.402 * 256), atol=0.01)
    assert interocular(face) == pytest.approx(256 / 4.1, rel=1e-4)
