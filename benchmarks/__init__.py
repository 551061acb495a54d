"""Benchmarks of the product on this machine: seconds, frames per second, ratios within one run."""

import models  # noqa: F401  # it decides how OpenMP's threads wait, before torch is imported
