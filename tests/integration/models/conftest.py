"""The shipped pipeline, loaded once for all modules that only ask it for videos."""

from collections.abc import Iterator

import pytest

from media.faces.landmarks import LandmarkDetector
from models.pipeline import TalkingFacePipeline


@pytest.fixture(scope="package")
def pipeline() -> Iterator[TalkingFacePipeline]:
    with LandmarkDetector() as detector:
        yield TalkingFacePipeline.load(detector=detector)
