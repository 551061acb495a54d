"""Plots of the lips' opening over time: one small plot per clip, one line per method."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from media.audio import FRAME_RATE

COLOURS = {"real": "black", "generated": "tab:red", "static": "lightgrey"}
"""By the first word of a curve's name."""


@dataclass(frozen=True)
class OpeningCurve:
    """The opening `[T]`, in inter-ocular distances, of a clip's lips for the method `name`."""

    clip: str
    name: str
    opening: NDArray[np.float32]


def draw_openings(path: Path, curves: Sequence[OpeningCurve]) -> None:
    """Plot the curves of each clip into one picture."""
    # Imported here because the import takes seconds.
    from matplotlib.figure import Figure

    clips = list(dict.fromkeys(curve.clip for curve in curves))
    figure = Figure(figsize=(9, 2.2 * len(clips)), layout="constrained")
    for axes, clip in zip(figure.subplots(len(clips), squeeze=False)[:, 0], clips, strict=True):
        for curve in curves:
            if curve.clip == clip:
                seconds = np.arange(len(curve.opening)) / FRAME_RATE
                colour = COLOURS[curve.name.split()[0].rstrip(",")]
                axes.plot(seconds, curve.opening, colour, label=curve.name)
        axes.set_title(clip, fontsize=9)
        axes.set_xlabel("s")
        axes.set_ylabel("inter-oculars")
        axes.legend(fontsize=8, loc="upper right")
    figure.savefig(path, dpi=110)
