"""From a published corpus to the packed layout: split, track, put in step, pack, and report."""

import signal
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from models.landmarks import LandmarkDetector
from models.training.preparation.lip_lag import pooled_lag
from models.training.preparation.packing import pack_clip, pack_speech
from models.training.preparation.records import Outcome, Record, Records
from models.training.preparation.rejection import Reason, Rejected
from models.training.preparation.report import write_report
from models.training.preparation.splitting import split_takes
from models.training.preparation.tables import clip_path, speech_path, write_tables
from models.training.preparation.takes import Corpus, Take
from models.training.preparation.tracking import track_take

Order = TypeVar("Order")


@dataclass(frozen=True)
class TrackOrder:
    """A take to look at."""

    take: Take
    records: Records


@dataclass(frozen=True)
class PackOrder:
    """A take to write, its lips' lag in frames, and where to: speech only if it is labelled."""

    take: Take
    records: Records
    lag: int
    clip: Path
    speech: Path | None


def prepare(corpus: Corpus, data: Path, workers: int) -> list[Outcome]:
    """Make a corpus part of the data folder; what an earlier run did is not done again.

    Returns:
        What became of each take, as told in preparation/CORPUS/report.md.
    """
    records = Records(data / "preparation" / corpus.name)
    split = split_takes(corpus.takes)
    useful = [take for take in corpus.takes if split[take.name] and not take.flaw]
    fresh = [TrackOrder(take, records) for take in useful if records.read(take.name) is None]
    _in_parallel("track", track, fresh, workers)
    tracked = [Outcome(take, split[take.name], _read(records, take)) for take in useful]
    _in_parallel("pack", pack, _pack_orders(corpus.name, data, records, tracked), workers)
    outcomes = [_outcome(take, split[take.name], records) for take in corpus.takes]
    kept = [outcome for outcome in outcomes if outcome.record.reason is None]
    write_tables(data, corpus, kept, records)
    write_report(records.folder, corpus.name, outcomes)
    return outcomes


def track(order: TrackOrder) -> None:
    """Track one take and keep its record, whatever comes of it."""
    try:
        record, landmarks = track_take(order.take, _detector())
        order.records.write_landmarks(order.take.name, landmarks)
    except Rejected as rejected:
        record = Record(reason=rejected.reason, detail=rejected.detail)
    order.records.write(order.take.name, record)


def pack(order: PackOrder) -> None:
    """Write one take's clip and speech, and note it in its record."""
    record = _read(order.records, order.take)
    try:
        record = pack_clip(order.take, record, order.lag, order.clip)
        if order.speech is not None:
            pack_speech(order.take, order.speech)
    except Rejected as rejected:
        record = replace(record, reason=rejected.reason, detail=rejected.detail)
    order.records.write(order.take.name, record)


def _pack_orders(
    corpus: str, data: Path, records: Records, tracked: Sequence[Outcome]
) -> list[PackOrder]:
    """Return what is still to be written of the takes that passed."""
    passed = [outcome for outcome in tracked if outcome.record.reason is None]
    lags = _lags([outcome for outcome in passed if outcome.record.has_sound])
    orders = []
    for outcome in passed:
        take, lag = outcome.take, lags[outcome.take.person]
        clip = data / clip_path(corpus, outcome.split or "", take.name)
        speech = data / "speech" / speech_path(corpus, take.name)
        if outcome.record.lag != lag or not clip.exists():
            labelled = speech if outcome.is_labelled_speech else None
            orders.append(PackOrder(take, records, lag, clip, labelled))
    return orders


def _lags(heard: Sequence[Outcome]) -> defaultdict[str, int]:
    """Return each person's lag in frames; 0 where nothing was heard."""
    takes = defaultdict(list)
    for outcome in heard:
        record = outcome.record
        takes[outcome.take.person].append((record.tracked, record.correlations))
    return defaultdict(int, {person: pooled_lag(evidence) for person, evidence in takes.items()})


def _outcome(take: Take, split: str | None, records: Records) -> Outcome:
    if take.flaw:
        return Outcome(take, split, Record(reason=Reason.KNOWN_FLAW, detail=take.flaw))
    if split is None:
        return Outcome(take, split, Record(reason=Reason.HALF_HELD_OUT))
    return Outcome(take, split, _read(records, take))


def _read(records: Records, take: Take) -> Record:
    record = records.read(take.name)
    if record is None:
        raise FileNotFoundError(f"The record of {take.name} has vanished from {records.folder}.")
    return record


@cache
def _detector() -> LandmarkDetector:
    """Return this process's detector, which lives as long as the process does."""
    return LandmarkDetector()


def _in_parallel(
    verb: str, work: Callable[[Order], None], orders: Sequence[Order], workers: int
) -> None:
    """Carry out orders in processes of their own, with a progress bar; stop at the first error."""
    if not orders:
        return
    # Spawned, for MediaPipe's threads do not survive a fork.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _leave_interrupts_to_parent)
    try:
        futures = [pool.submit(work, order) for order in orders]
        for future in tqdm(as_completed(futures), desc=verb, total=len(futures), unit="take"):
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
