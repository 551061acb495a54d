"""What is exported about the GPUs."""

import pynvml
from prometheus_client import CollectorRegistry, generate_latest

from tests.fakes.nvml import FakeNvml
from workers.synthesis.gpu import Gpus


def lines(nvml: FakeNvml) -> list[str]:
    registry = CollectorRegistry()
    registry.register(Gpus(nvml))
    text = generate_latest(registry).decode()
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_each_gpu_is_exported_by_its_uuid() -> None:
    assert lines(FakeNvml()) == [
        'amigo_gpu_memory_used_bytes{gpu="GPU-0"} 2e+10',
        'amigo_gpu_memory_bytes{gpu="GPU-0"} 8e+10',
        'amigo_gpu_utilization_ratio{gpu="GPU-0"} 0.63',
    ]


def test_nothing_is_exported_without_a_driver() -> None:
    class NoDriver(FakeNvml):
        def nvmlInit(self) -> None:
            raise pynvml.NVMLError(12)  # type: ignore[no-untyped-call]  # library not found

    assert lines(NoDriver()) == []
