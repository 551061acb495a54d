from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from media.poster import make_poster
from media.provenance import Provenance
from media.video import encode_video
from tests.media import babble


def test_the_poster_is_the_first_frame_and_states_that_it_is_synthetic(tmp_path: Path) -> None:
    frames = np.repeat(np.array([200, 40, 40], np.uint8), 96 * 64 * 3).reshape(3, 64, 96, 3)
    encode_video(tmp_path / "video.mp4", [frames], babble(3 / 25))
    with Image.open(BytesIO(make_poster(tmp_path / "video.mp4"))) as poster:
        assert (poster.format, poster.size) == ("JPEG", (96, 64))
        assert np.abs(np.asarray(poster).astype(int) - 200).max() <= 4
        assert poster.info["comment"] == Provenance().sentence.encode()


def test_the_poster_has_the_same_xmp_as_the_video(tmp_path: Path) -> None:
    encode_video(tmp_path / "video.mp4", [np.zeros((3, 64, 64, 3), np.uint8)], babble(3 / 25))
    provenance = Provenance(datetime(2026, 11, 22, 12, tzinfo=UTC), "job_a")
    with Image.open(BytesIO(make_poster(tmp_path / "video.mp4", provenance))) as poster:
        assert poster.info["xmp"] == provenance.xmp()
