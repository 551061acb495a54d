import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, read_waveform
from media.provenance import Provenance
from media.video import encode_video, read_frames
from tests.media import babble

NOON = datetime(2026, 11, 22, 12, 0, 5, tzinfo=UTC)


def flat(*colours: tuple[int, int, int], side: int = 64) -> NDArray[np.uint8]:
    """Return one frame of each colour, `[B, side, side, 3]`."""
    colour = np.array(colours, np.uint8)[:, None, None]
    return np.broadcast_to(colour, (len(colours), side, side, 3))


def grey(levels: int, side: int = 64) -> NDArray[np.uint8]:
    return flat(*((level, level, level) for level in np.linspace(20, 235, levels, dtype=int)))


@pytest.mark.parametrize("batches", [(1,), (5, 8, 8, 2), (1, 1, 1), (30,)])
def test_every_frame_comes_out_in_order(tmp_path: Path, batches: tuple[int, ...]) -> None:
    frames = grey(sum(batches))
    parts = np.split(frames, np.cumsum(batches)[:-1])
    encode_video(tmp_path / "o.mp4", parts, babble(sum(batches) / 25))
    decoded = np.stack(list(read_frames(tmp_path / "o.mp4")))
    assert decoded.shape == frames.shape
    np.testing.assert_allclose(decoded.mean((1, 2, 3)), frames.mean((1, 2, 3)), atol=1.5)


def test_colours_do_not_shift(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (40, 3))
    frames = flat(*map(tuple, colours.tolist()))
    encode_video(tmp_path / "o.mp4", [frames], babble(1.6))
    decoded = np.stack(list(read_frames(tmp_path / "o.mp4"))).mean((1, 2))
    np.testing.assert_allclose((decoded - colours).mean(0), 0, atol=0.3)
    np.testing.assert_allclose(decoded, colours, atol=3)


def test_the_file_states_its_colour_space(tmp_path: Path) -> None:
    encode_video(tmp_path / "o.mp4", [grey(5)], babble(0.2))
    with av.open(tmp_path / "o.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        bt709, limited = 1, 1
        assert context.colorspace == context.color_primaries == context.color_trc == bt709
        assert context.color_range == limited


@pytest.mark.parametrize("seconds", [0.2, 1.0, 2.013, 3.3333])
def test_the_sound_is_the_speech_and_as_long(tmp_path: Path, seconds: float) -> None:
    speech = babble(seconds)
    encode_video(tmp_path / "o.mp4", [grey(round(seconds * 25))], speech)
    with av.open(tmp_path / "o.mp4") as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.codec_context.sample_rate) == ("aac", 48_000)
        assert stream.duration is not None
        assert stream.time_base is not None
        duration = float(stream.duration * stream.time_base)
        assert duration == pytest.approx(len(speech) / SAMPLE_RATE, abs=1e-3)
    heard = read_waveform(tmp_path / "o.mp4")[: len(speech)]
    assert np.corrcoef(heard, speech[: len(heard)])[0, 1] > 0.99


def test_the_index_comes_first_so_that_playing_starts_while_it_loads(tmp_path: Path) -> None:
    encode_video(tmp_path / "o.mp4", [grey(5)], babble(0.2))
    file = (tmp_path / "o.mp4").read_bytes()
    assert file.index(b"moov") < file.index(b"mdat")


def test_a_player_that_ignores_edit_lists_keeps_lips_and_sound_together(tmp_path: Path) -> None:
    encode_video(tmp_path / "o.mp4", [grey(30)], babble(1.2))
    options = {"ignore_editlist": "1"}
    with av.open(tmp_path / "o.mp4", options=options) as container:
        first = next(container.demux(video=0))
        assert first.pts is not None
        picture = float(first.pts * first.time_base)
    with av.open(tmp_path / "o.mp4", options=options) as container:
        sound = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])[::3]
    delay = np.correlate(sound, babble(1.2), "full").argmax() - len(babble(1.2)) + 1
    assert 0 < delay / SAMPLE_RATE < 0.04
    assert abs(delay / SAMPLE_RATE - picture) <= 0.04


def test_picture_and_sound_are_interleaved(tmp_path: Path) -> None:
    encode_video(tmp_path / "o.mp4", [grey(250, side=16)], babble(10))
    with av.open(tmp_path / "o.mp4") as container:
        places: dict[str, list[int]] = {"video": [], "audio": []}
        for packet in container.demux():
            if packet.pos is not None:
                places[packet.stream.type].append(packet.pos)
    middle = np.searchsorted(places["audio"], np.median(places["video"]))
    assert middle / len(places["audio"]) == pytest.approx(0.5, abs=0.1)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    provenance = Provenance(NOON, "job_a")
    for name in ("a.mp4", "b.mp4"):
        encode_video(tmp_path / name, [grey(30)], babble(1.2), provenance=provenance)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_the_time_changes_no_frame_and_no_sound(tmp_path: Path) -> None:
    packets = []
    for provenance in (Provenance(NOON), Provenance(NOON + timedelta(days=400), "job_b"), None):
        encode_video(tmp_path / "o.mp4", [grey(30)], babble(1.2), provenance=provenance)
        with av.open(tmp_path / "o.mp4") as container:
            packets.append([bytes(packet) for packet in container.demux()])
    assert packets[0] == packets[1] == packets[2]


def test_the_file_states_that_it_is_synthetic_its_model_and_its_time(tmp_path: Path) -> None:
    provenance = Provenance(NOON, "job_a")
    encode_video(tmp_path / "o.mp4", [grey(5)], babble(0.2), provenance=provenance)
    with av.open(tmp_path / "o.mp4", options={"export_xmp": "1"}) as container:
        told = container.metadata
        assert told["comment"] == provenance.sentence
        assert told["date"] == "2026-11-22T12:00:05Z"
        assert datetime.fromisoformat(told["creation_time"]) == NOON
        assert told["xmp"] == provenance.xmp().decode()


def test_a_file_without_further_provenance_is_still_synthetic(tmp_path: Path) -> None:
    encode_video(tmp_path / "o.mp4", [grey(5)], babble(0.2))
    with av.open(tmp_path / "o.mp4") as container:
        assert container.metadata["comment"] == Provenance().sentence


def test_footage_of_real_people_is_not_called_synthetic(tmp_path: Path) -> None:
    encode_video(tmp_path / "o.mp4", [grey(5)], babble(0.2), provenance=None)
    with av.open(tmp_path / "o.mp4") as container:
        assert "comment" not in container.metadata
    assert b"DigitalSourceType" not in (tmp_path / "o.mp4").read_bytes()


def test_an_odd_last_row_and_column_are_left_out(tmp_path: Path) -> None:
    frames = np.full((3, 65, 71, 3), 90, np.uint8)
    encode_video(tmp_path / "o.mp4", [frames], babble(0.2))
    assert next(read_frames(tmp_path / "o.mp4")).shape == (64, 70, 3)


def test_batches_are_asked_for_one_by_one_and_not_kept(tmp_path: Path) -> None:
    given: list[weakref.ref[NDArray[np.uint8]]] = []
    kept = []

    def batches() -> Iterator[NDArray[np.uint8]]:
        for _ in range(20):
            batch = np.zeros((8, 64, 64, 3), np.uint8)
            given.append(weakref.ref(batch))
            yield batch
            kept.append(sum(reference() is not None for reference in given))

    encode_video(tmp_path / "o.mp4", batches(), babble(6.4))
    # The first one, which gave the size, the one just encoded and the generator's own.
    assert max(kept) <= 3
    assert not any(reference() is not None for reference in given)


def test_no_frames_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        encode_video(tmp_path / "o.mp4", [], babble(1))


def test_a_failure_on_the_way_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> Iterator[NDArray[np.uint8]]:
        yield grey(8)
        raise InterruptedError("canceled")

    with pytest.raises(InterruptedError, match="canceled"):
        encode_video(tmp_path / "o.mp4", failing(), babble(1))
    assert list(tmp_path.iterdir()) == []


def test_frames_are_read_one_by_one(tmp_path: Path) -> None:
    encode_video(tmp_path / "o.mp4", [grey(25)], babble(1))
    frames = read_frames(tmp_path / "o.mp4")
    assert next(frames).shape == (64, 64, 3)
