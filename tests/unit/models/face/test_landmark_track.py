from io import BytesIO

import numpy as np

from media.provenance import Provenance
from models.face.landmark_track import LandmarkTrack


def test_the_archive_holds_the_landmarks_the_emotions_the_frame_rate_and_where_they_are_from() -> (
    None
):
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(0, 512, (50, 79, 2)).astype(np.float32)
    emotions = rng.uniform(0, 1, (50, 8)).astype(np.float32)
    with np.load(BytesIO(LandmarkTrack(landmarks, emotions, (512, 512)).to_npz())) as archive:
        np.testing.assert_array_equal(archive["landmarks"], landmarks)
        np.testing.assert_array_equal(archive["emotions"], emotions)
        assert archive["frame_rate"] == 25
        assert archive["synthetic"]
        assert archive["model"] == Provenance().model
        assert archive["size"].tolist() == [512, 512]
        assert archive["compose"] == "crop"
        assert len(archive) == 7
