"""The shipped pipeline, loaded once for all modules that only ask it for videos."""

from collections.abc import Iterator

import pytest

from models.pipeline import TalkingFacePipeline


@pytest.fixture(scope="package")
def pipeline() -> Iterator[TalkingFacePipeline]:
    pipeline = TalkingFacePipeline.load()
    yield pipeline
    pipeline.detector.close()
