"""Prometheus metrics of the GPUs, from NVIDIA's management library."""

import logging
from collections.abc import Iterator
from typing import Any

import pynvml
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

logger = logging.getLogger(__name__)


class Gpus(Collector):
    """Asks the driver at each scrape; exports nothing where there is none.

    The numbers are those of a whole GPU, whatever uses it: workers that share it export the same.
    """

    def __init__(self, nvml: Any = pynvml) -> None:
        self._nvml = nvml
        self._handles: list[object] = []
        try:
            nvml.nvmlInit()
        except pynvml.NVMLError as error:
            logger.info("GPUs are not measured: %s.", error)
        else:
            indexes = range(nvml.nvmlDeviceGetCount())
            self._handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in indexes]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield memory in bytes and utilisation from 0 to 1, by the GPU's UUID."""
        if not self._handles:
            return
        used = GaugeMetricFamily(
            "amigo_gpu_memory_used_bytes", "GPU memory in use.", labels=["gpu"]
        )
        total = GaugeMetricFamily("amigo_gpu_memory_bytes", "GPU memory.", labels=["gpu"])
        busy = GaugeMetricFamily(
            "amigo_gpu_utilization_ratio",
            "Share of the last second in which a kernel ran, 0 to 1.",
            labels=["gpu"],
        )
        for handle in self._handles:
            gpu = [self._nvml.nvmlDeviceGetUUID(handle)]
            memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)
            used.add_metric(gpu, memory.used)
            total.add_metric(gpu, memory.total)
            busy.add_metric(gpu, self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100)
        yield from (used, total, busy)
