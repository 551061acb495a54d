"""From a published corpus to the packed layout: split, track, synchronize, pack, and report."""

import signal
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from media.faces.landmarks import LandmarkDetector
from models.training.preparation.corpora.takes import Corpus, Take
from models.training.preparation.lip_lag import pooled_lag
from models.training.preparation.packing import pack_clip, pack_speech
from models.training.preparation.records import Outcome, Record, Records
from models.training.preparation.rejection import Reason, Rejected
from models.training.preparation.report import write_report
from models.training.preparation.splitting import split_takes
from models.training.preparation.tables import clip_path, speech_path, write_tables
from models.training.preparation.tracking import track_take

Job = Callable[[], None]


def prepare(corpus: Corpus, data: Path, workers: int) -> list[Outcome]:
    """Add a corpus to the data folder, without repeating what an earlier run did.

    Returns:
        The outcome of each take, as in preparation/CORPUS/report.md.
    """
    records = Records(data / "preparation" / corpus.name)
    split = split_takes(corpus.takes)
    useful = [take for take in corpus.takes if split[take.name] and not take.flaw]
    fresh = [partial(track, take, records) for take in useful if records.read(take.name) is None]
    _in_parallel("track", fresh, workers)
    tracked = [Outcome(take, split[take.name], _read(records, take)) for take in useful]
    _in_parallel("pack", list(_to_pack(corpus.name, data, records, tracked)), workers)
    outcomes = [_outcome(take, split[take.name], records) for take in corpus.takes]
    kept = [outcome for outcome in outcomes if outcome.record.reason is None]
    write_tables(data, corpus, kept, records)
    write_report(records.folder, corpus.name, outcomes)
    return outcomes


def track(take: Take, records: Records) -> None:
    """Track one take and save its record, whatever the outcome."""
    try:
        record, landmarks = track_take(take, _detector())
        records.write_landmarks(take.name, landmarks)
    except Rejected as rejected:
        record = Record(reason=rejected.reason, detail=rejected.detail)
    records.write(take.name, record)


def pack(take: Take, records: Records, lag: int, clip: Path, speech: Path | None) -> None:
    """Write one take's clip, its lips moved by `lag` frames, and its speech; update its record."""
    record = _read(records, take)
    try:
        record = pack_clip(take, record, lag, clip)
        if speech is not None:
            pack_speech(take, speech)
    except Rejected as rejected:
        record = replace(record, reason=rejected.reason, detail=rejected.detail)
    records.write(take.name, record)


def _to_pack(
    corpus: str, data: Path, records: Records, tracked: Iterable[Outcome]
) -> Iterator[Job]:
    """Yield the takes that passed and are not written yet."""
    passed = [outcome for outcome in tracked if outcome.record.reason is None]
    lags = _lags(outcome for outcome in passed if outcome.record.has_sound)
    for outcome in passed:
        take, lag = outcome.take, lags[outcome.take.person]
        clip = data / clip_path(corpus, outcome.split or "", take.name)
        speech = data / "speech" / speech_path(corpus, take.name)
        if outcome.record.lag != lag or not clip.exists():
            wanted = speech if outcome.is_labelled_speech else None
            yield partial(pack, take, records, lag, clip, wanted)


def _lags(heard: Iterable[Outcome]) -> defaultdict[str, int]:
    """Return each person's lag in frames; 0 without sound."""
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
        raise FileNotFoundError(f"The record of {take.name} is missing from {records.folder}.")
    return record


@cache
def _detector() -> LandmarkDetector:
    """Return this process's detector, which lives as long as the process does."""
    return LandmarkDetector()


def _in_parallel(verb: str, jobs: Sequence[Job], workers: int) -> None:
    """Run jobs in separate processes, with a progress bar; stop at the first error."""
    if not jobs:
        return
    # Spawned, because MediaPipe's threads do not survive a fork.
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _leave_interrupts_to_parent)
    try:
        futures = {pool.submit(job): job for job in jobs}
        for future in tqdm(as_completed(futures), desc=verb, total=len(futures), unit="take"):
            error = future.exception()
            if error is not None:
                error.add_note(f"It came up in {futures[future]}.")
                raise error
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
