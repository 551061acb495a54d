"""Prepare a corpus for training: `python -m models.training.preparation mead SOURCE --out DATA`."""

import argparse
import os
import sys
from pathlib import Path

from models.training.preparation.corpora.crema_d import read_crema_d
from models.training.preparation.corpora.folder import read_folder
from models.training.preparation.corpora.mead import read_mead
from models.training.preparation.corpora.takes import LayoutError
from models.training.preparation.prepare import prepare

READERS = {"mead": read_mead, "crema-d": read_crema_d, "folder": read_folder}


def main() -> None:
    """Read the command line, prepare, and print the report."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.preparation",
        description="Cut a corpus as published into the clips and landmarks that training reads. "
        "A run that was interrupted goes on where it was.",
    )
    parser.add_argument("corpus", choices=READERS)
    parser.add_argument("source", type=Path, help="the folder that holds it")
    parser.add_argument("--out", type=Path, required=True, help="the data folder to add it to")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    try:
        corpus = READERS[options.corpus](options.source)
    except LayoutError as error:
        sys.exit(str(error))
    try:
        prepare(corpus, options.out, options.workers)
    except KeyboardInterrupt:
        sys.exit("Interrupted; the same command goes on from here.")
    report = options.out / "preparation" / corpus.name / "report.md"
    print(f"{report.read_text()}\n{report} and report.csv beside it say more.")


if __name__ == "__main__":
    main()
