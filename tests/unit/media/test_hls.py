"""The segments of a video, read by FFmpeg's HLS demuxer."""

import re
from math import ceil
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import FRAME_RATE
from media.hls import (
    END,
    INIT,
    MASTER,
    MEDIA,
    SegmentedVideo,
    ended,
    listed_segments,
    with_query,
)
from media.provenance import Provenance
from media.video import encode_video, read_frames
from tests.media import babble

SECONDS = 4


def pictures(count: int = SECONDS * FRAME_RATE) -> list[NDArray[np.uint8]]:
    """Return frames in batches of five; the grey level rises with time."""
    levels = np.linspace(20, 235, count, dtype=np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None], (count, 64, 64, 3))
    return np.split(frames, range(5, count, 5))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "stream: of 10:30"
    path.mkdir()
    return path


def encode(folder: Path, provenance: Provenance | None = None) -> list[str]:
    """Encode a video with segments; return the playlists as they grew."""
    seen: list[str] = []
    with SegmentedVideo(folder, lambda: seen.append((folder / MEDIA).read_text())) as segments:
        encode_video(
            folder.parent / "o.mp4",
            pictures(),
            babble(SECONDS),
            provenance=provenance,
            segments=segments,
        )
    return seen


def test_the_playlist_grows_by_a_second_at_a_time_and_ends(folder: Path) -> None:
    seen = encode(folder)
    assert [len(listed_segments(text)) for text in seen] == list(range(1, SECONDS + 1))
    assert [text.endswith(END) for text in seen] == [False] * (SECONDS - 1) + [True]
    durations = re.findall(r"#EXTINF:([\d.]+)", seen[-1])
    assert [float(each) for each in durations] == pytest.approx([1.0] * SECONDS, abs=0.1)


def test_the_bandwidth_is_the_peak_bit_rate_of_the_segments_so_far(folder: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(SECONDS * FRAME_RATE, 64, 64, 3))
    ever_more = noise * np.linspace(0, 40, len(noise))[:, None, None, None]
    frames = np.clip(128 + ever_more, 0, 255).astype(np.uint8)
    seen: list[str] = []
    with SegmentedVideo(folder, lambda: seen.append((folder / MASTER).read_text())) as segments:
        encode_video(folder.parent / "o.mp4", [frames], babble(SECONDS), segments=segments)
    stated = [re.findall(r"BANDWIDTH=([^,]+),RESOLUTION=64x64,CODECS=", text) for text in seen]
    sizes = [path.stat().st_size for path in sorted(folder.glob("*.m4s"))]
    assert sizes == sorted(sizes)
    assert stated == [[str(8 * size)] for size in sizes]


@pytest.mark.parametrize("count", [1, 5, 24, 26, 36])
def test_short_segments_count_with_the_one_before(folder: Path, count: int) -> None:
    path, frames = folder.parent / "o.mp4", np.concatenate(pictures())[:count]
    with SegmentedVideo(folder) as segments:
        encode_video(path, [frames], babble(count / FRAME_RATE), segments=segments)
    (stated,) = re.findall(r"BANDWIDTH=([^,]+),RES", (folder / MASTER).read_text())
    first, *rest = (each.stat().st_size for each in sorted(folder.glob("*.m4s")))
    seconds = min(count, FRAME_RATE) / FRAME_RATE
    rates = [8 * first / seconds, *(8 * (first + last) * FRAME_RATE / count for last in rest)]
    assert int(stated) == ceil(max(rates))


def test_the_codecs_are_those_that_ffmpeg_names(folder: Path) -> None:
    encode(folder)
    with av.open(folder / MASTER) as container:
        assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
        configuration = container.streams.video[0].codec_context.extradata or b""
    assert f'CODECS="avc1.{configuration[1:4].hex()},mp4a.40.2"' in (folder / MASTER).read_text()


@pytest.mark.parametrize("name", ["100% of it", "a%d", "50%%5d", "%05d.m4s"])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    encode(folder)
    playlist = (folder / MEDIA).read_text()
    names = {MASTER, MEDIA, INIT, *listed_segments(playlist)}
    assert {path.name for path in folder.iterdir()} == names
    assert {path.name for path in tmp_path.iterdir()} == {name, "o.mp4"}
    assert folder not in {open_file.resolve() for open_file in Path("/proc/self/fd").iterdir()}


def test_a_query_is_added_to_every_file_of_a_playlist(folder: Path) -> None:
    encode(folder)
    for name, files in ((MASTER, 1), (MEDIA, SECONDS + 1)):
        playlist = (folder / name).read_text()
        queried = with_query(playlist, "token=a.b%3D")
        assert queried.replace("?token=a.b%3D", "") == playlist
        assert queried.count("?token=a.b%3D") == files
    assert f'URI="{INIT}?token=a.b%3D"' in queried
    assert "\n00000.m4s?token=a.b%3D\n" in queried


def test_an_hls_player_shows_the_same_frames_as_the_file(folder: Path) -> None:
    encode(folder)
    streamed = np.stack(list(read_frames(folder / MASTER)))
    np.testing.assert_array_equal(streamed, np.stack(list(read_frames(folder.parent / "o.mp4"))))
    with av.open(folder / MASTER) as container:
        assert sum(frame.samples for frame in container.decode(audio=0)) >= SECONDS * 48_000


def test_the_file_is_the_same_with_and_without_segments(folder: Path) -> None:
    encode(folder)
    plain = folder.parent / "plain.mp4"
    encode_video(plain, pictures(), babble(SECONDS), provenance=None)
    assert plain.read_bytes() == (folder.parent / "o.mp4").read_bytes()


def test_the_start_of_every_segment_states_that_it_is_synthetic(folder: Path) -> None:
    provenance = Provenance(job_id="job_1")
    encode(folder, provenance)
    start = (folder / INIT).read_bytes()
    assert start.count(provenance.xmp()) == 1


def test_an_interrupted_playlist_ends_once() -> None:
    text = "#EXTM3U\n#EXTINF:1.0,\n00000.m4s\n"
    assert ended(ended(text)) == ended(text) == text + END
