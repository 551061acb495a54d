"""Jobs arrive, and the controller starts and stops workers."""

import asyncio
import time
from dataclasses import dataclass
from statistics import median

from benchmarks.load.arrivals import Arrivals
from benchmarks.load.controller import Controller, Rule
from benchmarks.load.system import System, patient_client, submit, system
from jobs.job import Job, JobStatus


@dataclass(frozen=True)
class Look:
    """The system at one time, in seconds from the start."""

    at: float
    open_jobs: int
    wanted: int
    ready: int


@dataclass(frozen=True)
class Run:
    """What happened.

    Attributes:
        needed: seconds of work of a job; times the rate, the workers that are needed.
        arrived: when each job was sent, in seconds from the start.
        jobs: the jobs in the end, in the same order.
    """

    arrivals: Arrivals
    needed: float
    looks: list[Look]
    arrived: list[float]
    jobs: list[Job]

    @property
    def waits(self) -> list[float]:
        """Seconds of each job from its acceptance to the attempt that made its video."""
        return [
            (job.claimed_at - job.created_at).total_seconds()
            for job in self.jobs
            if job.claimed_at is not None
        ]

    @property
    def lost(self) -> int:
        """Number of jobs without a video."""
        return sum(job.status is not JobStatus.SUCCEEDED for job in self.jobs)

    def demand(self, at: float) -> float:
        """Return the number of workers that the jobs arriving at a time keep busy."""
        progress = at / self.arrivals.seconds
        share = self.arrivals.share(progress) if progress < 1 else 0.0
        return self.needed * self.arrivals.peak * share


async def run(arrivals: Arrivals, job_seconds: float, most: int, speed: float) -> Run:
    """Let jobs arrive, with as many workers as the controller wants, until all have gone."""
    controller = Controller(Rule.of_scaled_object(most=most, speed=speed))
    times = list(arrivals.times(seed=1))
    with system(job_seconds, workers=controller.rule.fewest) as target:
        began, looks = time.monotonic(), list[Look]()
        control = asyncio.create_task(_control(target, controller, began, looks))
        job_ids = await _send(target, times, began)
        while target.open_jobs() or looks[-1].ready > controller.rule.fewest:
            await asyncio.sleep(controller.rule.poll)
        control.cancel()
        jobs = [target.store.get(job_id) for job_id in job_ids]
    return Run(arrivals, job_seconds, looks, times, jobs)


async def _send(target: System, times: list[float], began: float) -> list[str]:
    async with patient_client() as client:

        async def send(at: float) -> str:
            await asyncio.sleep(max(0.0, began + at - time.monotonic()))
            return await submit(client, target.url)

        return await asyncio.gather(*(send(at) for at in times))


async def _control(target: System, controller: Controller, began: float, looks: list[Look]) -> None:
    while True:
        now = time.monotonic() - began
        open_jobs = await asyncio.to_thread(target.open_jobs)
        before = controller.current
        wanted = controller.decide(now, open_jobs)
        if wanted != before:
            target.standalone.scale(wanted)
        looks.append(Look(now, open_jobs, wanted, target.num_workers()))
        await asyncio.sleep(controller.rule.poll)


def print_runs(runs: list[Run]) -> None:
    """Print the results as a table."""
    print(
        "\n| arrivals | jobs | lost | handed back | wait: median | 95% | longest "
        "| workers: needed at the peak | at most | in the end |\n" + "|---|" + "--:|" * 9
    )
    for each in runs:
        waits = sorted(each.waits)
        print(
            f"| {each.arrivals.name} | {len(each.jobs)} | {each.lost} "
            f"| {sum(job.handed_back for job in each.jobs)} | {median(waits):.1f} s "
            f"| {waits[int(len(waits) * 0.95)]:.1f} s | {waits[-1]:.1f} s "
            f"| {each.needed * each.arrivals.peak:.1f} "
            f"| {max(look.ready for look in each.looks)} | {each.looks[-1].ready} |"
        )
