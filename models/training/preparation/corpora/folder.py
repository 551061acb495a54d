"""A plain folder of talking-face videos, one person per subfolder or per file."""

from pathlib import Path

from models.training.preparation.corpora.takes import Corpus, Take, find_files

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm")


def read_folder(root: Path) -> Corpus:
    """List every video under `root`, as a corpus named after the folder.

    Raises:
        LayoutError: there is none, or two would have the same name.
    """
    root = root.resolve()
    videos = find_files(root, "**/*", SUFFIXES)
    return Corpus(root.name, "", "the owner's", tuple(_take(root, video) for video in videos))


def _take(root: Path, video: Path) -> Take:
    parts = video.relative_to(root).with_suffix("").parts
    return Take(
        name="_".join(parts),
        person=f"{root.name}_{parts[0]}",
        sentence=None,
        video=video,
        sound=video,
    )
