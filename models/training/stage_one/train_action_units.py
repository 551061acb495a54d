"""Train the flow that draws how a face acts, on action units of acted speech.

    python -m models.training.stage_one.train_action_units \\
        --data DIR --cache CACHE --minutes 20 --out RUN

`models.training.stage_one.emotional_speech` makes the cache once. The output folder
contains `state.pt` (resumable), `curve.csv` and `flow.pt`, the averaged weights with the spreads of
movement. With `--objective regression` the same network learns the mean movement by its absolute
error: the baseline that shows what drawing is for.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from media.emotions import EMOTIONS, Emotion
from models.speech_to_landmarks.action_unit_flow import (
    ActionUnitFlow,
    ActionUnitFlowConfig,
    Performance,
)
from models.speech_to_landmarks.facial_action import spread_at
from models.speech_to_landmarks.speech_encoder import STATES_PER_FRAME
from models.training.common.compute import Compute, open_compute
from models.training.common.session import Session
from models.training.stage_one.action_units import ActedClip, is_held_out, read_acted_clips
from models.training.stage_one.emotional_speech import load_recordings

Objective = Literal["flow", "regression"]

LENGTH = 72
"""Video frames of a training window."""
STATE_NOISE = 0.2
NAMELESS = 0.2
"""Share of windows whose actor is hidden from the network."""
VALIDATE_EVERY = 100


@dataclass(frozen=True)
class Batch:
    """`[B, T, 14]` movement in deviations, what it is drawn for, and `[B, T]` what is real."""

    units: Tensor
    asked: Performance
    real: Tensor


class Spreads:
    """Deviation `[8, 14]` of each unit's movement at full strength, by emotion."""

    def __init__(self, clips: Sequence[ActedClip]) -> None:
        everything = torch.stack([_power(clips, emotion) for emotion in EMOTIONS])
        self.table = everything.sqrt()

    def of(self, emotion: Tensor) -> Tensor:
        """Return deviations `[..., 14]` at emotion vectors `[..., 8]`; see `spread_at`."""
        return spread_at(self.table, emotion)


def _power(clips: Sequence[ActedClip], emotion: Emotion) -> Tensor:
    """Return the mean square `[14]` of strong movement; contempt, never acted, moves as neutral."""
    wanted = Emotion.NEUTRAL if emotion is Emotion.CONTEMPT else emotion
    chosen = [clip for clip in clips if clip.label is wanted]
    strong = [clip for clip in chosen if clip.emotion.max() > 0.9] or chosen
    return torch.stack([clip.units.square().mean(0) for clip in strong]).mean(0)


class Sampler:
    """Draws windows, each emotion as likely."""

    def __init__(
        self, clips: Sequence[ActedClip], spreads: Spreads, rng: np.random.Generator
    ) -> None:
        self.clips = clips
        self.rng = rng
        self._moves = [clip.units / spreads.of(clip.emotion) for clip in clips]
        self._actors = sorted({clip.actor for clip in clips})
        counts = {e: sum(clip.label is e for clip in clips) for e in EMOTIONS}
        shares = np.array([1.0 / counts[clip.label] for clip in clips])
        self._shares = shares / shares.sum()

    def draw(self, count: int) -> Batch:
        """Return `count` windows of LENGTH frames."""
        chosen = self.rng.choice(len(self.clips), count, p=self._shares)
        return collate([self._window(int(index)) for index in chosen])

    def _window(self, index: int) -> tuple[Tensor, Performance]:
        clip, moves = self.clips[index], self._moves[index]
        start = int(self.rng.integers(0, max(1, len(moves) - LENGTH + 1)))
        style = torch.zeros(len(self._actors))
        if self.rng.random() > NAMELESS:
            style[self._actors.index(clip.actor)] = 1.0
        states = clip.states[STATES_PER_FRAME * start : STATES_PER_FRAME * (start + LENGTH)]
        states = states + STATE_NOISE * torch.randn_like(states)
        effort = clip.effort[start : start + LENGTH]
        emotion = clip.emotion.expand(len(effort), -1)
        return moves[start : start + LENGTH], Performance(states, effort, emotion, style)


def collate(windows: Sequence[tuple[Tensor, Performance]]) -> Batch:
    """Join windows of up to LENGTH frames, the shorter ones padded."""
    moves = [move for move, _ in windows]
    asked = [performance for _, performance in windows]
    return Batch(
        units=_pad(moves, LENGTH),
        asked=Performance(
            states=_pad([a.states for a in asked], STATES_PER_FRAME * LENGTH),
            effort=_pad([a.effort for a in asked], LENGTH),
            emotion=_pad([a.emotion for a in asked], LENGTH),
            style=torch.stack([a.style for a in asked]),
        ),
        real=_pad([torch.ones(len(move)) for move in moves], LENGTH),
    )


def _pad(rows: Sequence[Tensor], length: int) -> Tensor:
    padded = rows[0].new_zeros(len(rows), length, *rows[0].shape[1:])
    for place, row in zip(padded, rows, strict=True):
        place[: len(row)] = row
    return padded


def flow_loss(flow: ActionUnitFlow, batch: Batch) -> Tensor:
    """Return the squared error of the velocity on straight paths (Lipman et al., 2023, eq. 23)."""
    noise = flow.noise(len(batch.real), batch.real.shape[1], None)
    time = torch.rand(len(noise), device=noise.device)
    at = time[:, None, None]
    reached = (1.0 - at) * noise + at * batch.units
    velocity = flow(reached, time, flow.conditions(batch.asked))
    return _mean((velocity - (batch.units - noise)).square(), batch.real)


def regression_loss(flow: ActionUnitFlow, batch: Batch) -> Tensor:
    """Return the absolute error of the movement that the network sees without noise."""
    return _mean((mean_movement(flow, batch.asked) - batch.units).abs(), batch.real)


def mean_movement(flow: ActionUnitFlow, asked: Performance) -> Tensor:
    """Return movement `[B, T, 14]` as a network trained by regression gives it."""
    nothing = asked.effort.new_zeros(*asked.effort.shape[:2], flow.config.units)
    out: Tensor = flow(nothing, nothing.new_zeros(len(nothing)), flow.conditions(asked))
    return out


def _mean(errors: Tensor, real: Tensor) -> Tensor:
    return (errors.mean(-1) * real).sum() / real.sum()


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--objective", choices=get_args(Objective), default="flow")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with open_compute(options.device, options.threads) as compute:
        train(options, compute)


def train(options: argparse.Namespace, compute: Compute) -> None:
    """Train for the given minutes."""
    rng = compute.randomness(options.seed)
    recordings = load_recordings(options.cache / "emotional_clean.pt")
    clips = list(read_acted_clips(options.data, recordings))
    learnt = [clip for clip in clips if not is_held_out(clip.actor)]
    held_out = [clip for clip in clips if is_held_out(clip.actor)]
    spreads = Spreads(learnt)
    flow = ActionUnitFlow(ActionUnitFlowConfig(styles=len({clip.actor for clip in learnt})))
    measure(flow, learnt, spreads)
    optimizer = torch.optim.AdamW(flow.parameters(), options.rate, weight_decay=0.05)
    session = Session(
        flow.to(compute.device), optimizer, options.out, options.minutes, compute, decay=0.995
    )
    if options.resume:
        session.resume()
    loss_of = flow_loss if options.objective == "flow" else regression_loss
    sampler, judged = Sampler(learnt, spreads, rng), Sampler(held_out, spreads, rng)
    unseen = [nameless(judged.draw(64), flow.config.styles) for _ in range(4)]
    losses: list[float] = []
    while session.progress < 1.0:
        session.network.train()
        loss = loss_of(session.network, sampler.draw(options.batch))
        session.descend(loss)
        losses.append(float(loss.detach()))
        if session.step % VALIDATE_EVERY == 0:
            with torch.no_grad():
                unheard = np.mean([float(loss_of(session.average, batch)) for batch in unseen])
            scores = {"train": float(np.mean(losses)), "val": float(unheard)}
            session.record(scores)
            print(session.step, f"{session.seconds:.0f} s", scores, flush=True)
            losses.clear()
            session.save()
            keep(session, spreads)
    session.save()
    keep(session, spreads)


def nameless(batch: Batch, styles: int) -> Batch:
    """Return a batch of somebody whose manner the flow does not know."""
    asked = batch.asked
    nobody = asked.style.new_zeros(len(asked.style), styles)
    return Batch(
        batch.units, Performance(asked.states, asked.effort, asked.emotion, nobody), batch.real
    )


def keep(session: Session[ActionUnitFlow], spreads: Spreads) -> None:
    """Write the averaged weights."""
    torch.save(
        {
            "flow": session.average.state_dict(),
            "sizes": asdict(session.average.config),
            "spreads": spreads.table,
        },
        session.folder / "flow.pt",
    )


def measure(flow: ActionUnitFlow, clips: Sequence[ActedClip], spreads: Spreads) -> None:
    """Fill in the buffers: how smooth movement is, what goes together, what voices are like."""
    moves = [clip.units / spreads.of(clip.emotion) for clip in clips]
    power = torch.cat(moves).square().mean(0)
    speed = torch.cat([move[1:] - move[:-1] for move in moves]).square().mean(0)
    flow.tempo.copy_((power / (2.0 * speed)).sqrt())
    together = torch.corrcoef(torch.cat(moves).T)
    flow.mixing.copy_(torch.linalg.cholesky(together + 1e-3 * torch.eye(len(together))))
    efforts = torch.cat([clip.effort for clip in clips])
    flow.effort_mean.copy_(efforts.mean(0))
    flow.effort_scale.copy_(efforts.std(0))


if __name__ == "__main__":
    main()
