"""Assemble the facial action: the trained flow and the quantities measured from data.

    python -m models.training.stage_one.assemble_facial_action \\
        --data DIR --cache CACHE --flow RUN/flow.pt --out RUN

Measured are the displacement of each action unit (`calibrate_action_units`), the level of each
emotion as different people show it, how lively each style of movement is, and how far speech opens
the lips by emotion and effort. The output folder contains `facial_action.safetensors` and
`facial_action.md`.
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
from models.training.stage_one.expressions import ACTIONS, Expressions

Array = NDArray[np.float64]

SHOWN = 0.9
"""Share of EMFACS' look, along its direction, that every person's look has at least."""
UNLIKE_SADNESS = ("AU10", "AU14", "AU20")
"""Units that raise or widen the lips. EMFACS lists none of them for sadness."""
LEAST_GROWN, MOST_GROWN = 0.6, 1.8
UPPER_FACE = [*range(17, 48), *range(68, 79)]
LOWER_FACE = [*range(17), *range(48, 68)]
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
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--flow", type=Path, required=True)
    parser.add_argument("--speech", type=Path, default=WEIGHTS / "landmark_generator.safetensors")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    action, report = assemble(options.data, options.cache, options.flow, options.speech)
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
    looks = Expressions(data / "landmarks" / "ict68.npz")
    levels = clear_levels(means, action.basis, looks)
    action.looks.copy_(top_up(levels, action.basis, looks))
    recordings = load_recordings(cache / "emotional_clean.pt")
    action.liveliness.copy_(liveliness(action.flow, list(read_acted_clips(data, recordings))))
    articulation = read_articulation(data, recordings, _open_network(speech), means)
    action.opening.copy_(articulation.opening)
    action.gain.copy_(fit_articulation(action.flow, articulation))
    return action.eval(), _report(action, levels, scales)


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

    Clear is what resembles the look that EMFACS describes: the cosine of the two displacements,
    times the root of the person's size. Row p holds the p-th clearest of each emotion. Smiles are
    read in lips stretched by sadness or fear, too: there they are left out. In sadness so is what
    else widens lips and bares teeth: it took the place of the lowered corners.
    """
    table = torch.zeros(PEOPLE, len(EMOTIONS), len(PERFORMED))
    for emotion in EMOTIONS[1:-1]:
        rows = torch.from_numpy(_levels(means, emotion)).float()
        if "mouthSmile" not in ACTIONS[emotion]:
            rows[:, PERFORMED.index("AU12")] = 0.0
        if emotion is Emotion.SADNESS:
            rows[:, [PERFORMED.index(unit) for unit in UNLIKE_SADNESS]] = 0.0
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


def top_up(levels: Tensor, basis: Tensor, looks: Expressions) -> Tensor:
    """Return `[P, 8, 79, 2]` people's levels as displacements, topped up to EMFACS' looks.

    Intensities read off video are drawn to their mean, the more so the subtler the expression: a
    smile comes out as far as a posed one, anger and surprise at a quarter. So in each region of
    the face a level grows or shrinks by a common factor within limits; what it then still lacks
    along EMFACS' look to SHOWN of that look's size is taken from the look itself. Contempt, which
    nobody acted, is all look. People differ by the rest.
    """
    moved = torch.einsum("aek,skpc->aepc", levels, basis)
    shown = torch.zeros_like(moved)
    for index, emotion in enumerate(EMOTIONS):
        look = torch.from_numpy(looks.show(emotion))
        for points in (UPPER_FACE, LOWER_FACE):
            shown[:, index, points] = _topped_up(moved[:, index, points], look[points])
    return shown


def _topped_up(moved: Tensor, look: Tensor) -> Tensor:
    """Return displacements `[A, N, 2]` grown and topped up towards a look `[N, 2]`."""
    wanted = SHOWN * look.norm()
    size = moved.mean(0).norm()
    if float(look.norm()) < 1e-6:
        return moved
    growth = (wanted / size.clamp(min=1e-6)).clamp(LEAST_GROWN, MOST_GROWN)
    grown = growth * moved
    along = torch.einsum("apc,pc->a", grown, look) / look.square().sum()
    lacking = (SHOWN - along).clamp(min=0.0)
    shown: Tensor = grown + lacking[:, None, None] * look
    return shown


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


def _report(action: FacialAction, levels: Tensor, scales: dict[str, float]) -> str:
    lines = ["| unit | share of the blendshape | " + " | ".join(EMOTIONS[1:-1]) + " |"]
    lines.append("|---" * (len(EMOTIONS)) + "|")
    mean = levels.mean(0)
    for index, unit in enumerate(PERFORMED):
        shown = " | ".join(f"{float(mean[e, index]):.2f}" for e in range(1, len(EMOTIONS) - 1))
        lines.append(f"| {unit} | {scales[unit]:.2f} | {shown} |")
    gains = ", ".join(f"{value:.2f}" for value in action.gain.tolist())
    return "\n".join([*lines, "", f"weights of the gain of articulation: {gains}", ""])


if __name__ == "__main__":
    main()
