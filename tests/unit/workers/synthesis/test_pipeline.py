import pkgutil
from collections.abc import Callable

import pytest
import torch

from models.pipeline import TalkingFacePipeline
from models.precision import Precision, computes_bfloat16, mixed_precision, set_precision
from tests.fakes.pipeline import FakePipeline
from workers.synthesis.pipeline import Pipeline, choose_device, load_pipeline
from workers.synthesis.settings import WorkerSettings

loaded: list[tuple[str, FakePipeline]] = []


class WarmPipeline(FakePipeline):
    is_warm = False

    def warm_up(self) -> None:
        self.is_warm = True


def load(device: str) -> FakePipeline:
    return WarmPipeline()


def echo(device: str) -> FakePipeline:
    pipeline = WarmPipeline()
    loaded.append((device, pipeline))
    return pipeline


def test_the_configured_pipeline_is_loaded_on_the_device_and_warmed_up() -> None:
    pipeline = load_pipeline(WorkerSettings(pipeline=f"{__name__}:echo", device="cpu"))

    assert loaded == [("cpu", pipeline)]
    assert isinstance(pipeline, WarmPipeline)
    assert pipeline.is_warm


def test_the_default_pipeline_is_the_real_one() -> None:
    real: Callable[[str], Pipeline] = TalkingFacePipeline.load
    assert pkgutil.resolve_name(WorkerSettings().pipeline) == real


def test_torch_gets_the_threads_it_is_given() -> None:
    before = torch.get_num_threads()
    try:
        load_pipeline(
            WorkerSettings(pipeline=f"{__name__}:load", device="cpu", torch_threads=before + 1)
        )
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("precision", "product"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_networks_multiply_in_the_precision_that_they_are_given(
    precision: Precision, product: torch.dtype
) -> None:
    try:
        load_pipeline(WorkerSettings(pipeline=f"{__name__}:load", precision=precision))
        with mixed_precision(torch.device("cpu")):
            assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is product
    finally:
        set_precision("auto")


def test_networks_multiply_in_bfloat16_where_the_hardware_does() -> None:
    able = torch.cpu.get_capabilities().get("avx512_bf16", False)
    assert computes_bfloat16(torch.device("cpu")) == able


@pytest.mark.parametrize(
    ("asked", "has_gpu", "chosen"),
    [("auto", True, "cuda"), ("auto", False, "cpu"), ("cuda", True, "cuda"), ("cpu", True, "cpu")],
)
def test_a_gpu_is_used_if_available_and_requested(
    asked: str, has_gpu: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_gpu)
    monkeypatch.setenv("AMIGO_DEVICE", asked)
    assert choose_device(WorkerSettings()) == chosen


def test_a_requested_but_missing_gpu_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match="AMIGO_DEVICE is cuda"):
        choose_device(WorkerSettings(device="cuda"))
