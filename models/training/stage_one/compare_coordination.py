"""Compare runs of stage one that differ in how displayed emotion is coordinated with heard emotion.

    python -m models.training.stage_one.compare_coordination --data DIR --cache CACHE --runs RUNS

RUNS contains one folder per run, named ARM_SEED, as `models.training.stage_one.train` writes it;
the arms share their seeds. Prints the mean of every figure by arm and, for every two arms, their
difference with two 95% intervals: over seeds (Student's t), and over recordings, resampled by actor
(bootstrap).
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.checkpoints import load_checkpoint
from models.speech_to_landmarks.facial_action import FacialAction
from models.speech_to_landmarks.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.training.common.session import STATE
from models.training.stage_one.action_units import actor_of
from models.training.stage_one.coordination_measures import Examination
from models.training.stage_one.train import CHECKPOINT

Array = NDArray[np.float64]
Figures = dict[str, dict[str, float]]

RESAMPLED = 4000


def main() -> None:
    """Parse the command line and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    examination = Examination(options.data, options.cache, FacialAction.load("cpu"))
    runs: dict[str, dict[int, Figures]] = defaultdict(dict)
    for finished in sorted(options.runs.glob("*_*/validation.md")):
        arm, _, seed = finished.parent.name.rpartition("_")
        runs[arm][int(seed)] = examination.measure(averaged_network(finished.parent))
    print(table(runs))


def averaged_network(run: Path) -> LandmarkNetwork:
    """Return the averaged weights at the end of a run, whatever their score."""
    average = torch.load(run / STATE, map_location="cpu")["average"]
    _, sizes = load_checkpoint(run / CHECKPOINT)
    network = LandmarkNetwork(LandmarkNetworkConfig.from_sizes(sizes))
    network.load_state_dict(
        {
            name.removeprefix("network."): value
            for name, value in average.items()
            if name.startswith("network.")
        }
    )
    return network.eval()


def table(runs: dict[str, dict[int, Figures]]) -> str:
    """Return a Markdown table of runs by arm and seed; only seeds that all arms share count."""
    seeds = sorted(set.intersection(*(set(of_arm) for of_arm in runs.values())))
    arms, pairs = list(runs), list(combinations(runs, 2))
    lines = [
        f"{len(seeds)} seeds an arm; differences with intervals of 95% over seeds and recordings.",
        "",
        "| | " + " | ".join([*arms, *(f"{one} - {other}" for one, other in pairs)]) + " |",
        "|---" * (1 + len(arms) + len(pairs)) + "|",
    ]
    for figure, of_recordings in runs[arms[0]][seeds[0]].items():
        names = list(of_recordings)
        values = {
            arm: np.array([[runs[arm][seed][figure][name] for name in names] for seed in seeds])
            for arm in arms
        }
        cells = [f"{values[arm].mean():.3f}" for arm in arms]
        cells += [difference(values[one] - values[other], names) for one, other in pairs]
        lines.append(f"| {figure} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def difference(values: Array, names: Sequence[str]) -> str:
    """Return the mean of differences `[seeds, recordings]` with its intervals."""
    low, high = seed_interval(values.mean(1))
    actors = [actor_of(name) for name in names]
    least, most = recording_interval(values.mean(0), actors)
    return f"{values.mean():+.3f} [{low:+.3f}, {high:+.3f}] [{least:+.3f}, {most:+.3f}]"


def seed_interval(values: Array) -> tuple[float, float]:
    """Return the interval of 95% of the mean of `[seeds]` differences (Student's t)."""
    # Imported here because the import takes seconds.
    from scipy.stats import t  # type: ignore[attr-defined]

    reach = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - reach), float(values.mean() + reach)


def recording_interval(values: Array, actors: Sequence[int]) -> tuple[float, float]:
    """Return the interval of 95% of the mean of `[R]` differences, resampled by actor.

    Actors are resampled, then each one's recordings.
    """
    rng = np.random.default_rng(0)
    groups = [values[np.array(actors) == actor] for actor in sorted(set(actors))]
    means = []
    for _ in range(RESAMPLED):
        chosen = [groups[index] for index in rng.integers(len(groups), size=len(groups))]
        means.append(np.concatenate([rng.choice(group, len(group)) for group in chosen]).mean())
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


if __name__ == "__main__":
    main()
