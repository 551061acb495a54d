"""Train how lips follow speech, and nothing else, from the shipped weights or from scratch.

    python -m models.training.stage_one.refine_lips --cache DIR --minutes 5 --out RUN [--fresh]

`models.training.stage_one.speech_landmarks --lips-only` writes the cache. The last averaged weights
are kept, whatever they score: the validation set chooses nothing. `curve.csv` contains the loss,
`validation.md` the scores before and after.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch

from models.checkpoints import load_checkpoint, save_checkpoint
from models.manifest import WEIGHTS
from models.precision import mixed_precision
from models.speech_to_landmarks.landmark_network import LandmarkNetwork, LandmarkNetworkConfig
from models.speech_to_landmarks.speech_motion import SpeechMotion
from models.training.common.compute import Compute, open_compute
from models.training.common.session import Session
from models.training.stage_one.lip_windows import LONG, SHORT, LipSampler, silence, silent_clip
from models.training.stage_one.losses import speech_losses
from models.training.stage_one.speech_input import open_speech_input
from models.training.stage_one.speech_landmarks import SpeechClip, load_clips
from models.training.stage_one.train import CHECKPOINT, SILENCES
from models.training.stage_one.validation import HeldOut, score_held_out

SAVE_EVERY = 500
"""Steps."""


@dataclass(frozen=True)
class LipOptions:
    """The arguments of a run."""

    cache: Path
    out: Path
    minutes: float
    weights: Path = WEIGHTS / CHECKPOINT
    fresh: bool = False
    rate: float = 5e-4
    batch: int = 64
    seed: int = 0


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--weights", type=Path, default=LipOptions.weights)
    parser.add_argument("--fresh", action="store_true", help="train the lips from scratch")
    parser.add_argument("--rate", type=float, default=LipOptions.rate)
    parser.add_argument("--batch", type=int, default=LipOptions.batch)
    parser.add_argument("--seed", type=int, default=LipOptions.seed)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    values = vars(parser.parse_args())
    with open_compute(values.pop("device"), values.pop("threads")) as compute:
        refine(LipOptions(**values), compute)


def refine(options: LipOptions, compute: Compute) -> LandmarkNetwork:
    """Train for the given minutes; return the network with the averaged weights."""
    rng = compute.randomness(options.seed)
    clean = load_clips(options.cache / "clean.pt")
    encoder = open_speech_input("whisper", str(compute.device))
    resting = [silent_clip(silence(rng), encoder) for _ in range(SILENCES)]
    lips = LipSampler(_training_clips(clean, options.cache), resting, rng)
    session = _open_session(options, compute)
    held_out = HeldOut([clip for clip in clean if clip.split != "train"], [])
    _report(session, held_out)
    while session.progress < 1.0:
        terms = _step(session, lips, options.batch)
        if compute.leads and session.step % SAVE_EVERY == 0:
            session.record(terms)
            _save(session)
    if compute.leads:
        _save(session)
        _report(session, held_out)
    return session.average


def _training_clips(clean: list[SpeechClip], cache: Path) -> list[SpeechClip]:
    """Return the training clips as they are, and joined in each disturbed variant."""
    clips = [clip for clip in clean if clip.split == "train"]
    for path in sorted(cache.glob("joined_*.pt")):
        clips += load_clips(path)
    return clips


def _open_session(options: LipOptions, compute: Compute) -> Session[LandmarkNetwork]:
    state, sizes = load_checkpoint(options.weights)
    network = LandmarkNetwork(LandmarkNetworkConfig.from_sizes(sizes))
    network.load_state_dict(state)
    if options.fresh:
        network.speech = SpeechMotion(network.config.speech)
    network.to(compute.device)
    optimizer = torch.optim.AdamW(network.speech.parameters(), options.rate, weight_decay=0.02)
    return Session(network, optimizer, options.out, options.minutes, compute)


def _step(session: Session[LandmarkNetwork], lips: LipSampler, batch: int) -> dict[str, float]:
    session.network.train()
    long = session.step % 4 == 3
    said = lips.draw(batch // 3 if long else batch, LONG if long else SHORT)
    said = said.to(session.compute.device)
    with mixed_precision(session.compute.device):
        spoken = session.network.speech_motion(said.states)
    terms = speech_losses(spoken.float(), said.motion)
    session.descend(torch.stack(list(terms.values())).sum())
    return {name: value.item() for name, value in terms.items()}


def _save(session: Session[LandmarkNetwork]) -> None:
    session.save()
    network = session.average
    save_checkpoint(session.folder / CHECKPOINT, network.state_dict(), network.config)


def _report(session: Session[LandmarkNetwork], held_out: HeldOut) -> None:
    table = score_held_out(session.average, held_out).table()
    with (session.folder / "validation.md").open("a") as file:
        file.write(f"{session.seconds / 60:.1f} min, {session.step} steps\n\n{table}\n\n")
    print(session.step, table, sep="\n", flush=True)


if __name__ == "__main__":
    main()
