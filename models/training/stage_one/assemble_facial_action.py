"""Assemble the facial action: the trained flow and the quantities measured from data.

    python -m models.training.stage_one.assemble_facial_action \\
        --data DIR --cache CACHE --flow RUN/flow.pt --out RUN

Measured are the displacement of each action unit (`calibrate_action_units`), the level of each
emotion as different people show it, how lively each style of movement is, and how far speech opens
the lips by emotion and effort. The output folder contains `facial_action.safetensors` and
`facial_action.md`.

Without --flow, only the looks are assembled anew, after a change of `expressions`; all else is
that of the shipped weights.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.emotions import EMOTIONS, Emotion
from models.checkpoints import load_checkpoint, save_checkpoint
from models.corpus.clips import spread
from models.manifest import WEIGHTS
from models.speech_to_landmarks.action_unit_flow import (
    PERFORMED,
    ActionUnitFlow,
    ActionUnitFlowConfig,
    Performance,
)
from models.speech_to_landmarks.facial_action import FILE, FacialAction, FacialActionConfig
from models.speech_to_landmarks.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.training.stage_one.action_units import (
    RECORDED,
    ActedClip,
    UnitMeans,
    is_held_out,
    means_by_actor,
    read_acted_clips,
    read_unit_means,
)
from models.training.stage_one.articulation import fit_articulation, read_articulation
from models.training.stage_one.calibrate_action_units import (
    REGIONS,
    basis,
    calibrate,
    match_spread,
    read_unit_tracks,
)
from models.training.stage_one.emotional_speech import load_recordings
from models.training.stage_one.expressions import Expressions

Array = NDArray[np.float64]

LISTED = {
    Emotion.HAPPINESS: (6, 7, 12),
    Emotion.SADNESS: (1, 4, 15, 17),
    Emotion.ANGER: (4, 5, 7, 17, 23),
    Emotion.FEAR: (1, 2, 4, 5, 20),
    Emotion.DISGUST: (4, 7, 9, 10, 15, 17),
    Emotion.SURPRISE: (1, 2, 5),
}
"""Action units that EMFACS lists for an emotion (Friesen and Ekman, 1983)."""
PEOPLE = 6
"""People kept of each emotion, those who show it most clearly: a third of the actors."""
LIVELY, MOST_ENLIVENED = 0.7, 2.0
"""Least deviation of a drawn unit, over its spread, and the largest factor towards it. The styles
have 0.75 on average; one of them hardly raises its brows.
"""
CLIPS_A_STYLE = 40


def main() -> None:
    """Parse the command line and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--flow", type=Path)
    parser.add_argument("--speech", type=Path, default=WEIGHTS / "landmark_generator.safetensors")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.flow and not options.cache:
        parser.error("--flow needs --cache.")
    if options.flow:
        action, report = assemble(options.data, options.cache, options.flow, options.speech)
    else:
        action, report = assemble_looks(options.data)
    options.out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(options.out / FILE, action.state_dict(), action.config)
    (options.out / "facial_action.md").write_text(report)
    print(report)


@torch.no_grad()
def assemble(data: Path, cache: Path, flow: Path, speech: Path) -> tuple[FacialAction, str]:
    """Return the network with all its buffers, and what was measured as Markdown."""
    trained = torch.load(flow)
    means = read_unit_means(data)
    action = FacialAction(FacialActionConfig(ActionUnitFlowConfig(**trained["sizes"]), PEOPLE))
    action.flow.load_state_dict(trained["flow"])
    action.spreads.copy_(beyond_speech(trained["spreads"]))
    scales = match_spread(data, calibrate(data, means), read_unit_tracks(data))
    action.basis.copy_(basis(data, scales))
    levels = _set_looks(action, data, means)
    recordings = load_recordings(cache / "emotional_clean.pt")
    action.liveliness.copy_(liveliness(action.flow, list(read_acted_clips(data, recordings))))
    articulation = read_articulation(data, recordings, _open_network(speech), means)
    action.opening.copy_(articulation.opening)
    action.gain.copy_(fit_articulation(action.flow, articulation))
    shares = ", ".join(f"{unit} {share:.2f}" for unit, share in scales.items())
    gains = ", ".join(f"{value:.2f}" for value in action.gain.tolist())
    fitted = f"shares of the blendshapes: {shares}\nweights of the gain of articulation: {gains}\n"
    return action.eval(), f"{_levels_table(levels)}\n{fitted}"


@torch.no_grad()
def assemble_looks(data: Path) -> tuple[FacialAction, str]:
    """Return the shipped network with looks assembled anew, and their levels as Markdown."""
    action = FacialAction.load("cpu")
    levels = _set_looks(action, data, read_unit_means(data))
    return action, _levels_table(levels)


def _set_looks(action: FacialAction, data: Path, means: Sequence[UnitMeans]) -> Tensor:
    """Set the looks of a network that has its basis; return the levels they come from."""
    looks = Expressions(data / "landmarks" / "ict68.npz")
    levels = clear_levels(means, action.basis, looks)
    action.looks.copy_(look_of_each(levels, action.basis, looks))
    return levels


def _open_network(weights: Path) -> LandmarkNetwork:
    state, sizes = load_checkpoint(weights)
    network = LandmarkNetwork(LandmarkNetworkConfig.from_sizes(sizes))
    network.load_state_dict(state)
    return network.eval()


def liveliness(flow: ActionUnitFlow, clips: Sequence[ActedClip]) -> Tensor:
    """Return factors `[S, 14]`, 1 to MOST_ENLIVENED, that make every style move by LIVELY at least.

    Measured is the deviation over time of what each style draws for training people's recordings.
    """
    heard = spread([clip for clip in clips if not is_held_out(clip.actor)], CLIPS_A_STYLE)
    rows = []
    for style in torch.eye(flow.config.styles):
        drawn = [
            flow.draw(asked_of(clip, style), torch.Generator().manual_seed(number))[0].std(dim=0)
            for number, clip in enumerate(heard)
        ]
        rows.append(LIVELY / torch.stack(drawn).mean(dim=0))
    return torch.stack(rows).clamp(1.0, MOST_ENLIVENED)


def asked_of(clip: ActedClip, style: Tensor) -> Performance:
    """Return the recording as a batch of one, to be performed in a style `[S]`."""
    emotion = clip.emotion.expand(len(clip.effort), -1)
    return Performance(clip.states[None], clip.effort[None], emotion[None], style[None])


def clear_levels(means: Sequence[UnitMeans], basis: Tensor, looks: Expressions) -> Tensor:
    """Return levels `[P, 8, 14]` above one's own neutral of the people who show each most clearly.

    Clear is what resembles the emotion's look: the cosine of the two displacements, times the root
    of the person's size. Row p holds the p-th clearest of each emotion. Speech and neighbouring
    units are read as units, too: only those that EMFACS lists for the emotion count.
    """
    table = torch.zeros(PEOPLE, len(EMOTIONS), len(PERFORMED))
    for emotion, listed in LISTED.items():
        measured = torch.from_numpy(_levels(means, emotion)).float()
        columns = [PERFORMED.index(f"AU{unit:02d}") for unit in listed]
        rows = torch.zeros_like(measured)
        rows[:, columns] = measured[:, columns]
        moved = torch.einsum("ak,skpc->apc", rows, basis).flatten(1)
        look = torch.from_numpy(looks.show(emotion)).flatten()
        size = moved.norm(dim=1)
        likeness = moved @ look / (size.sqrt() * look.norm())
        clearest = likeness.argsort(descending=True)[:PEOPLE]
        table[:, EMOTIONS.index(emotion)] = rows[clearest]
    return table


def beyond_speech(spreads: Tensor) -> Tensor:
    """Return spreads `[8, 14]` whose mouth units keep what an emotion adds to neutral speech.

    Speech motion moves the mouth already; neutral movement on top would be counted twice.
    """
    beyond = spreads.clone()
    mouth = [PERFORMED.index(unit) for unit in REGIONS["mouth"][0]]
    power = spreads[:, mouth].square()
    beyond[:, mouth] = (power - power[EMOTIONS.index(Emotion.NEUTRAL)]).clamp(min=0.0).sqrt()
    return beyond


def look_of_each(levels: Tensor, basis: Tensor, looks: Expressions) -> Tensor:
    """Return `[P, 8, 79, 2]`: the look of each emotion, and around it how people differ.

    Intensities read off video are drawn to their mean, the more so the subtler the expression:
    anger and surprise come out at a quarter. So they tell only the differences between people.
    Contempt, which no actor showed, is the same for everybody.
    """
    moved = torch.einsum("aek,skpc->aepc", levels, basis)
    shown = torch.from_numpy(np.stack([looks.show(emotion) for emotion in EMOTIONS]))
    return shown + moved - moved.mean(dim=0)


def _levels(means: Sequence[UnitMeans], emotion: Emotion) -> Array:
    """Return levels `[A, 14]` above neutral, one row an actor, of strong intensity."""
    groups = means_by_actor(means)
    columns = [RECORDED.index(unit) for unit in PERFORMED]
    rows = []
    for actor in sorted({actor for actor, _ in groups if not is_held_out(actor)}):
        strong = [clip.units for clip in groups[actor, emotion] if clip.strength == 1.0]
        plain = [clip.units for clip in groups[actor, Emotion.NEUTRAL] if not clip.calm]
        if strong and plain:
            rows.append(np.mean(strong, axis=0)[columns] - np.mean(plain, axis=0)[columns])
    return np.array(rows, np.float64)


def _levels_table(levels: Tensor) -> str:
    lines = ["| unit | " + " | ".join(EMOTIONS[1:-1]) + " |", "|---" * (len(EMOTIONS) - 1) + "|"]
    mean = levels.mean(0)
    for index, unit in enumerate(PERFORMED):
        shown = " | ".join(f"{float(mean[e, index]):.2f}" for e in range(1, len(EMOTIONS) - 1))
        lines.append(f"| {unit} | {shown} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
