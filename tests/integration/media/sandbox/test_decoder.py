import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from media.audio import SAMPLE_RATE, read_waveform
from media.errors import AudioTooLong, MediaError
from media.picture import MAX_PIXELS, read_portrait
from media.sandbox.decoder import Decoder
from media.sandbox.rehearsal import AVIF, HEIC
from tests.media import babble, recording, video
from tests.processes import child_process, children, is_alive
from tests.waiting import wait_for

EXAMPLES = Path(__file__).parents[4] / "examples"
ORIENTATION, ON_ITS_SIDE = 0x0112, 6

PROGRAM = """
import os, time
from media.sandbox.decoder import Decoder
from media.sandbox.rehearsal import AVIF, HEIC
decoder = Decoder(module="tests.integration.media.sandbox.misdeeds")
decoder.portrait(b"count_secrets")
print(os.getpid(), flush=True)
decoder.portrait(b"sleep")
"""

FORGETFUL_PROGRAM = """
from pathlib import Path
from media.sandbox.decoder import Decoder
from media.sandbox.rehearsal import AVIF, HEIC
decoder = Decoder()
decoder.portrait(Path("examples/portrait.jpg").read_bytes())
print(decoder._server._process.pid)
"""


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as decoder:
        yield decoder


def picture(mode: str, format: str, **options: Any) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (80, 120, 4), np.uint8)
    file = BytesIO()
    Image.fromarray(noise).convert(mode).save(file, format, **options)
    return file.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = ON_ITS_SIDE
    return exif


PICTURES = {
    "jpeg": picture("RGB", "JPEG"),
    "progressive jpeg on its side": picture("RGB", "JPEG", progressive=True, exif=turned()),
    "cmyk jpeg": picture("CMYK", "JPEG"),
    "jpeg of two, as phones write": picture(
        "RGB", "MPO", save_all=True, append_images=[Image.new("RGB", (120, 80))]
    ),
    "grey png": picture("L", "PNG"),
    "png of 16 bits": picture("I;16", "PNG"),
    "transparent png": picture("RGBA", "PNG", exif=turned()),
    "png with a palette": picture("P", "PNG", transparency=0),
    "webp": picture("RGB", "WEBP"),
    "animated webp": picture(
        "RGBA", "WEBP", save_all=True, append_images=[Image.new("RGBA", (120, 80))]
    ),
    "heic": HEIC,
    "avif": AVIF,
    "example": (EXAMPLES / "portrait.jpg").read_bytes(),
}
RECORDINGS = {
    "wav": recording(babble(1.0), "wav", "pcm_s16le"),
    "wav, 44.1 kHz": recording(babble(1.0, 44_100), "wav", "pcm_s24le", sample_rate=44_100),
    "mp3": recording(babble(1.0), "mp3", "libmp3lame"),
    "flac": recording(babble(1.0), "flac", "flac"),
    "ogg with opus": recording(babble(1.0, 48_000), "ogg", "libopus", sample_rate=48_000),
    "webm with opus": recording(babble(1.0, 48_000), "webm", "libopus", sample_rate=48_000),
    "m4a": recording(babble(1.0), "ipod", "aac"),
    "video": video(speech=babble(1.0)),
    "example": (EXAMPLES / "speech.wav").read_bytes(),
}
UNUSABLE = {
    "nothing": b"",
    "text": b"It was a dark and stormy night; the rain fell in torrents.",
    "jpeg cut short": PICTURES["example"][:3_000],
    "small picture": picture("RGB", "PNG")[:40],
    "wav cut short": RECORDINGS["wav"][:100],
    "silence": recording(np.zeros(SAMPLE_RATE, np.float32), "wav", "pcm_s16le"),
    "video without sound": video(),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_are_those_of_direct_decoding(decoder: Decoder, name: str) -> None:
    image = decoder.portrait(PICTURES[name]).pixels
    np.testing.assert_array_equal(image, read_portrait(PICTURES[name]))
    assert image.flags.writeable
    decoder.check_portrait(PICTURES[name])


@pytest.mark.parametrize("name", RECORDINGS)
def test_samples_are_those_of_direct_decoding(decoder: Decoder, name: str) -> None:
    waveform = decoder.speech(RECORDINGS[name]).waveform
    np.testing.assert_array_equal(waveform, read_waveform(RECORDINGS[name]))
    assert waveform.dtype == np.float32
    assert decoder.check_speech(RECORDINGS[name]).duration == len(waveform) / SAMPLE_RATE


@pytest.mark.parametrize("name", UNUSABLE)
def test_errors_are_those_of_direct_decoding(decoder: Decoder, name: str) -> None:
    pairs: list[tuple[Callable[[bytes], object], Callable[[bytes], object]]] = [
        (decoder.portrait, read_portrait),
        (decoder.check_portrait, read_portrait),
        (decoder.speech, read_waveform),
        (decoder.check_speech, read_waveform),
    ]
    for confined, direct in pairs:
        with pytest.raises(MediaError) as expected:
            direct(UNUSABLE[name])
        with pytest.raises(expected.type) as told:
            confined(UNUSABLE[name])
        assert str(told.value) == str(expected.value)


def test_the_longest_duration_is_the_callers_choice(decoder: Decoder) -> None:
    assert len(decoder.speech(RECORDINGS["wav"], 1.0).waveform) == SAMPLE_RATE
    with pytest.raises(AudioTooLong, match=r"longer than 0\.5 s"):
        decoder.speech(RECORDINGS["wav"], 0.5)


# Of all formats, WebP needs the most memory to decode.
def test_the_limits_let_the_largest_picture_through(decoder: Decoder) -> None:
    width, height = 10_000, MAX_PIXELS // 10_000
    file = BytesIO()
    Image.new("RGBA", (width, height), (9, 9, 9, 9)).save(file, "WEBP", lossless=True, method=0)
    assert decoder.portrait(file.getvalue()).pixels.shape == (height, width, 3)


def test_the_limits_let_the_longest_recording_through(decoder: Decoder) -> None:
    speech = np.resize(babble(10.0, 48_000), 300 * 48_000)
    file = recording(speech, "wav", "pcm_f32le", sample_rate=48_000)
    assert len(decoder.speech(file).waveform) == 300 * SAMPLE_RATE


def test_many_threads_decode_at_the_same_time(decoder: Decoder) -> None:
    pictures = [file for file in PICTURES.values() for _ in range(3)]
    with ThreadPoolExecutor(8) as threads:
        images = [picture.pixels for picture in threads.map(decoder.portrait, pictures)]
    for image, file in zip(images, pictures, strict=True):
        np.testing.assert_array_equal(image, read_portrait(file))


def test_a_closed_decoder_leaves_no_process_and_starts_another_when_asked() -> None:
    others = children(os.getpid())
    decoder = Decoder()
    decoder.portrait(PICTURES["jpeg"])
    [server] = children(os.getpid()) - others
    decoder.close()
    assert not is_alive(server)
    assert decoder.portrait(PICTURES["jpeg"]).pixels.shape == (80, 120, 3)
    decoder.close()


def test_a_process_that_is_killed_leaves_none_behind() -> None:
    with child_process([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as program:
        assert program.stdout
        parent = int(program.stdout.readline())
        left = wait_for(lambda: two_generations(parent))
        program.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(map(is_alive, left)))


def test_a_program_that_ends_without_closing_its_decoder_leaves_none_behind() -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORGETFUL_PROGRAM],
        check=True,
        capture_output=True,
        text=True,
    )
    assert ended.stderr == ""
    assert not is_alive(int(ended.stdout))


def test_losing_the_server_fails_none_of_many_threads(decoder: Decoder) -> None:
    expected = read_portrait(PICTURES["example"])
    with ThreadPoolExecutor(6) as threads:
        images = [threads.submit(decoder.portrait, PICTURES["example"]) for _ in range(40)]
        wait_for(lambda: sum(image.done() for image in images) > 5)
        assert decoder._server
        decoder._server._process.kill()
        for image in images:
            np.testing.assert_array_equal(image.result().pixels, expected)


def two_generations(parent: int) -> list[int]:
    """Return a process's server and its decoding process, once both exist."""
    servers = children(parent)
    decoding = [child for server in servers for child in children(server)]
    return [*servers, *decoding] if decoding else []
