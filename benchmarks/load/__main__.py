"""`python -m benchmarks.load`: load on the whole system, as Markdown tables and a picture."""

import argparse
import asyncio
import shutil
from pathlib import Path

from benchmarks.load.arrivals import PROFILES, Arrivals
from benchmarks.load.autoscaling import print_runs, run
from benchmarks.load.ceilings import (
    measure_acceptance,
    measure_cost,
    measure_memory,
    measure_throughput,
)
from benchmarks.load.panels import record
from benchmarks.load.plot import plot_runs
from benchmarks.machine import machine


async def measure_autoscaling(arguments: argparse.Namespace) -> None:
    """Run each kind of arrivals with autoscaling."""
    runs = []
    for name, share in PROFILES.items():
        arrivals = Arrivals(name, arguments.seconds, arguments.peak, share)
        runs.append(
            await run(arrivals, arguments.job_seconds, arguments.most_workers, arguments.speed)
        )
    print_runs(runs)
    plot_runs(runs, arguments.out)


async def measure_costs(arguments: argparse.Namespace) -> None:
    """Measure what one job costs, rendered at once and in `--job-seconds`."""
    for job_seconds in (0.0, arguments.job_seconds):
        cost = await measure_cost(job_seconds, 5)
        requests = ", ".join(f"{name} {each:.1f}" for name, each in cost.s3_requests.items())
        print(f"\n| a job of {job_seconds:g} s | |\n|---|--:|")
        print(f"| Valkey commands | {cost.valkey_commands:.0f} |")
        print(f"| CPU time of Valkey | {1000 * cost.valkey_cpu:.1f} ms |")
        print(f"| S3 requests | {sum(cost.s3_requests.values()):.1f}: {requests} |")
        print(f"| stored: inputs, results | {cost.stored[0]:,}, {cost.stored[1]:,.0f} bytes |")
        print(f"| CPU time of the worker | {cost.worker_cpu:.2f} s |")


async def measure_ceilings(arguments: argparse.Namespace) -> None:
    """Measure how many jobs are accepted a second, and the memory of those that wait."""
    rate, cpu = await measure_acceptance(15.0)
    print("\n| one service process | |\n|---|--:|")
    print(f"| jobs accepted a second | {rate:.1f} |")
    print(f"| CPU time a job, decoding included | {1000 * cpu:.0f} ms |")
    queued, ended = measure_memory()
    print(f"| Valkey memory of a queued job | {queued / 1000:.1f} kB |")
    print(f"| of one that worked ten seconds and has ended | {ended / 1000:.1f} kB |")


async def measure_workers(arguments: argparse.Namespace) -> None:
    """Measure the throughput of several workers."""
    print("\n| workers | jobs a second | of the ideal |\n|---|--:|--:|")
    for workers in (1, 2, 4, 8):
        rate = await measure_throughput(workers, 5 * workers, arguments.job_seconds)
        print(f"| {workers} | {rate:.2f} | {rate * arguments.job_seconds / workers:.0%} |")


async def measure_panels(arguments: argparse.Namespace) -> None:
    """Draw the dashboards over a burst, with a fixed number of workers; needs `prometheus`."""
    if not shutil.which("prometheus"):
        print("\nThe dashboards are not drawn: prometheus is not installed.")
        return
    arrivals = Arrivals("burst", arguments.seconds, arguments.peak, PROFILES["burst"])
    await record(arrivals, arguments.job_seconds, 2, arguments.out.parent)


PARTS = {
    "autoscaling": measure_autoscaling,
    "cost": measure_costs,
    "ceilings": measure_ceilings,
    "workers": measure_workers,
    "panels": measure_panels,
}


def main() -> None:
    """Measure everything, or one part."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--peak", type=float, default=0.8, help="largest rate, jobs a second")
    parser.add_argument("--seconds", type=float, default=120.0, help="time in which jobs arrive")
    parser.add_argument("--job-seconds", type=float, default=6.0, help="time to render a job")
    parser.add_argument("--most-workers", type=int, default=8)
    parser.add_argument(
        "--speed", type=float, default=10.0, help="how much faster the controller's clock runs"
    )
    parser.add_argument("--out", type=Path, default=Path("out/load/autoscaling.png"))
    arguments = parser.parse_args()
    print(f"\n{machine('cpu')}")
    for name, measure in PARTS.items():
        if arguments.only in (None, name):
            asyncio.run(measure(arguments))


if __name__ == "__main__":
    main()
