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
    """Parse the command line, prepare, and print the report."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.preparation",
        description=(
            "Convert a published corpus to the clips and landmarks that training reads. An "
            "interrupted run resumes."
        ),
    )
    parser.add_argument("corpus", choices=READERS)
    parser.add_argument("source", type=Path, help="folder of the published corpus")
    parser.add_argument("--out", type=Path, required=True, help="data folder to which it is added")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    try:
        corpus = READERS[options.corpus](options.source)
    except LayoutError as error:
        sys.exit(str(error))
    try:
        prepare(corpus, options.out, options.workers)
    except KeyboardInterrupt:
        sys.exit("Interrupted; run the same command to resume.")
    report = options.out / "preparation" / corpus.name / "report.md"
    print(f"{report.read_text()}\nSee {report} and report.csv next to it for details.")


if __name__ == "__main__":
    main()
