"""Train both stages at once on a GPU that is available for minutes, from compactly packed data.

    python -m models.training.drill pack --data DIR --out PARTS [--part-mebibytes 34]
    python -m models.training.drill run  --parts PARTS --out OUT --minutes 6 [--vgg FILE]

`pack` writes folders of limited size, PARTS/1, PARTS/2 and so on, to be carried one by one: faces
of 512 px first, then some of 256 px, then speech. Clips whose pictures are left out keep their
sound; the manifest gives them 0 frames. `run` joins the parts to a data folder, prepares it, and
trains from the committed weights. Each training writes its averaged weights and its log to OUT
every minute.
"""

import argparse
import csv
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from models.corpus.manifest import Row, clip_rows, split_of
from models.landmarks_to_video.visual_translator import CHECKPOINT as TRANSLATOR
from models.manifest import WEIGHTS
from models.training.stage_two.face_frames import FINE_SETS, stills_to_train_on

MEBIBYTE = 1 << 20
SEEN_OF_EACH = {"lrcar": 7, "grid": 10}
"""One clip in so many keeps its pictures, of the sets that would not fit."""
LIP_WORKERS = 6
RUNS: dict[str, tuple[str, ...]] = {
    "stage_one": (
        *("-m", "models.training.stage_one.refine_lips", "--cache", "{work}/lips"),
        *("--out", "{out}/stage_one", "--minutes", "{minutes}"),
    ),
    "stage_two": (
        *("-m", "models.training.stage_two.train", "--data", "{work}/data"),
        *("--cache", "{work}/faces", "--weights", str(WEIGHTS / TRANSLATOR), "--batch", "32"),
        *("--out", "{out}/stage_two", "--minutes", "{minutes}", "--save-minutes", "1"),
    ),
}


@dataclass(frozen=True)
class Item:
    """A file to carry: its path in the data folder, and whether only its sound is needed."""

    path: str
    only_sound: bool = False


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("--data", type=Path, required=True)
    packing.add_argument("--out", type=Path, required=True)
    packing.add_argument("--part-mebibytes", type=float, default=34.0)
    packing.add_argument("--lags", type=Path, help="lags.json of a cache, to carry along")
    running = commands.add_parser("run")
    running.add_argument("--parts", type=Path, required=True)
    running.add_argument("--out", type=Path, required=True)
    running.add_argument("--work", type=Path, default=Path("/tmp/drill"))  # noqa: S108
    running.add_argument("--minutes", type=float, required=True)
    running.add_argument("--variants", type=int, default=12, help="augmented copies of the speech")
    running.add_argument("--vgg", type=Path)
    values = vars(parser.parse_args())
    functions: dict[str, Callable[..., None]] = {"pack": pack, "run": run}
    functions[values.pop("command")](**values)


def pack(data: Path, out: Path, part_mebibytes: float, lags: Path | None = None) -> None:
    """Write the parts, each at most so large, and print what they hold.

    Raises:
        ValueError: a single file is larger than a part.
    """
    part, size = out / "1", 0
    items = list(_items(data))
    for item in items:
        made = _make(data, item, out / "made")
        if made.stat().st_size > part_mebibytes * MEBIBYTE:
            raise ValueError(f"{item.path} alone is larger than a part.")
        if size + made.stat().st_size > part_mebibytes * MEBIBYTE:
            part, size = out / str(int(part.name) + 1), 0
        size += made.stat().st_size
        (part / item.path).parent.mkdir(parents=True, exist_ok=True)
        made.replace(part / item.path)
    _write_manifest(data, part, {item.path for item in items if item.only_sound})
    if lags:
        shutil.copy(lags, part / "lags.json")
    for folder in sorted(out.iterdir()):
        files = [path for path in folder.rglob("*") if path.is_file()]
        mebibytes = sum(path.stat().st_size for path in files) / MEBIBYTE
        print(f"{folder}: {len(files)} files, {mebibytes:.1f} MiB")


def _items(data: Path) -> Iterator[Item]:
    """Yield the files to carry, the most useful to stage two first."""
    portraits = sorted(stills_to_train_on(data, scale=2))
    yield from (Item(str(path.relative_to(data))) for path in portraits)
    if portraits:
        yield Item("landmarks/portraits.npz")
    rows = [row for row in clip_rows(data, "train") if split_of(row) == "train"]
    rows.sort(key=lambda row: (row["set"] not in FINE_SETS, row["set"]))
    counted = dict.fromkeys(SEEN_OF_EACH, 0)
    silent: list[Row] = []
    for row in rows:
        step = SEEN_OF_EACH.get(row["set"], 1)
        counted[row["set"]] = counted.get(row["set"], 0) + 1
        if counted[row["set"]] % step == 0 or step == 1:
            yield Item(row["file"])
        elif row["audio"] == "1":
            silent.append(row)
    yield from (Item(row["file"], only_sound=True) for row in silent)
    for name in dict.fromkeys(row["set"] for row in rows):
        yield Item(f"landmarks/{name}_train.npz")


def _make(data: Path, item: Item, made: Path) -> Path:
    """Write the file as it is carried; return its path."""
    made.parent.mkdir(parents=True, exist_ok=True)
    if item.only_sound:
        _copy_sound(data / item.path, made)
    else:
        shutil.copy(data / item.path, made)
    return made


def _copy_sound(clip: Path, path: Path) -> None:
    """Copy a clip's sound without decoding it."""
    with av.open(str(clip)) as source, av.open(str(path), "w", format="mp4") as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)


def _write_manifest(data: Path, part: Path, unseen: Collection[str]) -> None:
    """Write the manifest of the training clips, without the people who are held out."""
    rows = [row for row in clip_rows(data, "train") if split_of(row) == "train"]
    with (part / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, dict.fromkeys([*rows[0], "frames"]))
        writer.writeheader()
        writer.writerows(
            {**row, **({"frames": 0} if row["file"] in unseen else {})} for row in rows
        )


def run(
    parts: Path, out: Path, work: Path, minutes: float, variants: int, vgg: Path | None = None
) -> None:
    """Prepare the data and train both stages side by side.

    Raises:
        CalledProcessError: a preparation or a training failed; its log says why.
    """
    join(parts, work / "data")
    out.mkdir(parents=True, exist_ok=True)
    places = {"work": str(work), "out": str(out), "minutes": str(minutes)}
    lips = _start(out, "lips", _preparation(work, variants))
    video = [word.format(**places) for word in RUNS["stage_two"]]
    runs = [_start(out, "stage_two", video + (["--vgg", str(vgg)] if vgg else []))]
    _finish(lips)
    runs.append(_start(out, "stage_one", [word.format(**places) for word in RUNS["stage_one"]]))
    for training in runs:
        _finish(training)


def join(parts: Path, data: Path) -> None:
    """Put the parts together to one data folder."""
    for part in sorted(parts.iterdir()):
        shutil.copytree(part, data, dirs_exist_ok=True)


def _preparation(work: Path, variants: int) -> list[str]:
    lags = work / "data" / "lags.json"
    module = ["-m", "models.training.stage_one.speech_landmarks", "--lips-only"]
    module += ["--data", str(work / "data"), "--out", str(work / "lips")]
    module += ["--variants", str(variants), "--workers", str(min(variants, LIP_WORKERS))]
    return module + (["--lags", str(lags)] if lags.exists() else [])


def _start(out: Path, name: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    with (out / f"{name}.log").open("wb") as log:
        command = [sys.executable, "-u", *arguments]
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603


def _finish(process: subprocess.Popen[bytes]) -> None:
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, process.args)


if __name__ == "__main__":
    main()
