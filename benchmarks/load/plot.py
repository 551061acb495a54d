"""A picture of the runs with autoscaling."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmarks.load.autoscaling import Run

BLUE, ORANGE, GREY = "#4878a8", "#c05a30", "0.55"


def plot_runs(runs: list[Run], path: Path) -> None:
    """Draw open jobs, workers and waits over time, one column for each run."""
    figure = Figure(figsize=(4.2 * len(runs), 6.2), layout="constrained")
    grid = figure.subplots(3, len(runs), sharex="col", sharey="row", squeeze=False)
    for run, column in zip(runs, grid.T, strict=True):
        _plot_run(run, column)
    for axes, label in zip(grid[:, 0], ("open jobs", "workers", "wait, s"), strict=True):
        axes.set_ylabel(label)
    for axes in grid.flat:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylim(bottom=0)
    handles, labels = grid[1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, ncols=3, loc="outside lower center")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)


def _plot_run(run: Run, axes: Any) -> None:
    jobs, workers, waits = axes
    at = [look.at for look in run.looks]
    jobs.set_title(run.arrivals.name)
    jobs.fill_between(at, [look.open_jobs for look in run.looks], step="post", color=BLUE)
    workers.plot(at, [run.demand(each) for each in at], color=GREY, ls=":", label="kept busy")
    workers.step(at, [look.wanted for look in run.looks], where="post", color=GREY, label="wanted")
    workers.step(at, [look.ready for look in run.looks], where="post", color=ORANGE, label="ready")
    waits.scatter(run.arrived, run.waits, s=10, color=BLUE)
    waits.set_xlabel("seconds")
