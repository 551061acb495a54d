"""Small files of every format, decoded in advance."""

from base64 import b64decode
from io import BytesIO
from struct import Struct

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from media.audio import SAMPLE_RATE, read_waveform
from media.picture import read_portrait

_ON_ITS_SIDE = 6
# 64 x 64 pixels each; encoding them here would start threads, which the sandbox does not allow.
HEIC = b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAVZtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAA"
    "AAAAAAAAACJpbG9jAAAAAERAAAEAAQAAAAABegABAAAAAAAAABgAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABo"
    "dmMxAAAAAA5waXRtAAAAAAABAAAA1mlwcnAAAAC3aXBjbwAAAHhodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEA"
    "GEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQArQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbqSSmubgIaDAgAAAMAyAAA"
    "AwAIQGIAAQAHRAHBcrAiQAAAABNjb2xybmNseAABAA0ABoAAAAAUaXNwZQAAAAAAAABAAAAAQAAAABBwaXhpAAAAAAMI"
    "CAgAAAAXaXBtYQAAAAAAAAABAAEEgQIDBAAAACBtZGF0AAAAFCgBrxmA93yFN//zJl/jwv1AV4tH"
)
AVIF = b64decode(
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAA"
    "AAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAKQAAAChpaW5mAAAAAAABAAAA"
    "GmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAQcGl4aQAA"
    "AAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJuY2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAMW1kYXQS"
    "AAoJGBV//aICGg0IMhocR4eF3dNNNMLAAADPyinHlH5fJL5pu25WgA=="
)
_WAV = Struct("<4sI4s4sIHHIIHH4sI")


def rehearse() -> None:
    """Decode one picture of each format and a recording.

    The libraries import many modules on first use, which has to happen before a process is forked.
    This also shows that decoding works in the forks.
    """
    # All of them: Pillow opens a JPEG with several pictures, as from phones, with a separate
    # plugin.
    Image.init()
    for format in ("JPEG", "PNG", "WEBP"):
        read_portrait(_picture(format))
    for encoded in (HEIC, AVIF):
        read_portrait(encoded)
    read_waveform(_recording(np.arange(SAMPLE_RATE, dtype="<i2")))


def _picture(format: str) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = _ON_ITS_SIDE
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = BytesIO()
    Image.new("RGB", (64, 64)).save(file, format, exif=exif, icc_profile=profile)
    return file.getvalue()


def _recording(samples: NDArray[np.int16]) -> bytes:
    """Return a WAV file, 16 bits, mono."""
    header = _WAV.pack(
        *(b"RIFF", samples.nbytes + _WAV.size - 8, b"WAVE", b"fmt ", 16, 1, 1),
        *(SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16, b"data", samples.nbytes),
    )
    return header + samples.tobytes()
