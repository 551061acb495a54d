"""The poster: the picture that represents a video before playback."""

from io import BytesIO
from pathlib import Path

from PIL import Image

from media.provenance import Provenance
from media.video import read_frames

QUALITY = 90


def make_poster(
    video: Path,
    provenance: Provenance = Provenance(),  # noqa: B008 (frozen)
) -> bytes:
    """Return a video's first frame as a JPEG, so that nothing jumps when playback starts.

    Like the video, the picture states that it is synthetic.
    """
    file = BytesIO()
    picture = Image.fromarray(next(read_frames(video)))
    comment = provenance.sentence.encode()
    picture.save(file, "JPEG", quality=QUALITY, comment=comment, xmp=provenance.xmp())
    return file.getvalue()
