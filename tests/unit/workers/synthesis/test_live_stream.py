"""What is stored of a video while it is encoded."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_RATE
from media.hls import MASTER
from media.video import encode_video
from tests.fakes.stores import FakeStorage
from tests.media import babble
from tests.waiting import wait_for
from workers.synthesis.live_stream import LiveStream
from workers.synthesis.retry_policy import RetryPolicy


def test_the_stored_master_playlist_knows_a_later_peak(tmp_path: Path) -> None:
    storage, seen = FakeStorage(), list[bytes]()

    def grey_then_noise() -> Iterator[NDArray[np.uint8]]:
        yield np.full((2 * FRAME_RATE, 64, 64, 3), 128, np.uint8)
        wait_for(lambda: MASTER in storage.contents)
        seen.append(storage.contents[MASTER])
        yield np.random.default_rng(0).integers(0, 256, (FRAME_RATE, 64, 64, 3), np.uint8)

    with LiveStream(tmp_path, "", storage, RetryPolicy(0)) as stream:
        encode_video(tmp_path / "o.mp4", grey_then_noise(), babble(3.0), segments=stream.segments)
        stream.finish()
        assert storage.contents[MASTER] == (tmp_path / MASTER).read_bytes() != seen[0]
