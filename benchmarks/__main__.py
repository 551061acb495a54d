"""`python -m benchmarks`: benchmarks of this machine, as Markdown tables."""

import argparse
import asyncio
from typing import get_args

import torch

from benchmarks.forecast import measure_forecast
from benchmarks.http_floor import measure_http_floor
from benchmarks.pipeline import measure_pipeline, measure_start
from benchmarks.whole_system import measure_whole_system
from models.precision import Precision, set_precision


def main() -> None:
    """Benchmark the pipeline, the HTTP service, the whole system and the ETA, or one of them."""
    arguments = argparse.ArgumentParser(description=main.__doc__)
    arguments.add_argument("--only", choices=("pipeline", "http", "system", "eta"))
    arguments.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--compose", choices=("crop", "full"), default="crop")
    arguments.add_argument("--resolution", type=int, choices=(256, 512), nargs="+")
    arguments.add_argument("--precision", choices=get_args(Precision), default="auto")
    chosen = arguments.parse_args()
    set_precision(chosen.precision)
    if chosen.only in (None, "pipeline"):
        for resolution in chosen.resolution or (256, 512):
            measure_pipeline(chosen.device, chosen.compose, resolution)
        measure_start()
    if chosen.only in (None, "http"):
        asyncio.run(measure_http_floor())
    if chosen.only in (None, "system"):
        measure_whole_system()
    if chosen.only in (None, "eta"):
        measure_forecast()


if __name__ == "__main__":
    main()
