"""The portrait is prepared while the speech is heard, and both share the threads of torch."""

from collections.abc import Callable, Iterator
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch

from media.audio import SAMPLE_RATE
from tests.unit.models.evaluation.tiny_evaluation import tiny_pipeline
from tests.waiting import PATIENCE


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(("seconds", "threads"), [(1, 2), (11, 4)])
def test_portrait_and_speech_are_worked_on_at_once_with_half_of_the_threads_if_it_is_short(
    seconds: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = tiny_pipeline()
    both_began, seen = Barrier(2, timeout=PATIENCE), []

    def noticing(step: Callable[..., Any]) -> Callable[..., Any]:
        def noticed(*args: Any, **named: Any) -> Any:
            both_began.wait()
            seen.append(torch.get_num_threads())
            return step(*args, **named)

        return noticed

    for owner, step in ((pipeline.translator, "prepare"), (pipeline.generator, "generate")):
        monkeypatch.setattr(owner, step, noticing(getattr(owner, step)))

    pipeline(np.zeros((256, 256, 3), np.uint8), np.zeros(seconds * SAMPLE_RATE, np.float32))

    assert seen == [threads, threads]
    assert torch.get_num_threads() == 4
