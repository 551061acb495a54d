"""Hostile recordings."""

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from itertools import chain
from typing import cast

import av
import numpy as np

from tests.media import babble, video
from tests.security.boxes import wav
from tests.security.damage import damaged
from tests.security.formats import (
    FORMATS,
    NO_STREAM,
    SILENT,
    TOO_LONG,
    TOO_SHORT,
    UNREADABLE,
    speech,
)
from tests.security.hostile import ACCEPTED, Hostile, hostile
from tests.security.lying_headers import flacs, floats, matroskas, mp4s, tags, wavs
from tests.security.pictures import PAGE, archive, joined, picture, zip_bomb
from tests.security.playlists import PLAYLISTS, links, playlists


def _bombs() -> Iterator[Hostile]:
    for name in ("flac", "ogg_opus", "webm_opus", "mp3", "m4a_aac", "ogg_vorbis"):
        yield hostile(f"{name}_of_twenty_minutes", TOO_LONG, long_silence, name)
    yield hostile("wav_of_ten_minutes", TOO_LONG, wav, bytes(600 * 32_000))
    yield hostile("mp3_of_changing_rates", SILENT, mp3_of_changing_rates, 4_000)
    yield hostile("zip_bomb_as_audio", UNREADABLE, zip_bomb)
    yield hostile("ogg_of_100_streams", ACCEPTED, joined, *[speech("ogg_opus", 0.3)] * 100)


LONG_PACKETS = {"libopus": {"frame_duration": "60"}}


def long_silence(name: str) -> bytes:
    """Repeat one packet of silence, as long as the codec has it, for twenty minutes."""
    container, codec, _ = FORMATS[name]
    rate = 48_000 if codec == "libopus" else 16_000
    file = BytesIO()
    with av.open(file, "w", format=container) as output:
        layout = "stereo" if codec == "vorbis" else "mono"
        stream = cast(av.AudioStream, output.add_stream(codec, rate=rate, layout=layout))
        stream.codec_context.options = {"strict": "experimental", **LONG_PACKETS.get(codec, {})}
        packet = _silent_packet(stream, rate, layout)
        content, duration = bytes(packet), packet.duration or 1024
        for number in range(1_200 * rate // duration):
            again = av.Packet(content)
            again.stream, again.time_base = stream, packet.time_base
            again.pts = again.dts = number * duration
            again.duration = duration
            output.mux(again)
    return file.getvalue()


def _silent_packet(stream: av.AudioStream, rate: int, layout: str) -> "av.Packet[av.AudioStream]":
    """Return a packet from the middle of a second of silence."""
    planes = np.zeros((2 if layout == "stereo" else 1, rate), np.float32)
    frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
    frame.sample_rate = rate
    frame.pts = 0
    packets = [*stream.encode(frame), *stream.encode(None)]
    return packets[len(packets) // 2]


def mp3_of_changing_rates(frames: int) -> bytes:
    """Alternate between frames of two sample rates, each of which needs its own resampler."""
    # MPEG 2 layer III, 8 kbit/s: 22,050 and 24,000 Hz; 576 samples each.
    lengths = {0x10: 72 * 8_000 // 22_050, 0x14: 72 * 8_000 // 24_000}
    pair = b"".join(
        bytes((0xFF, 0xF3, rate, 0xC4)) + bytes(length - 4) for rate, length in lengths.items()
    )
    return pair * (frames // 2)


# Polyglots, and other formats


def _polyglots() -> Iterator[Hostile]:
    speech_wav, speech_mp3 = speech("wav"), speech("mp3")
    yield hostile("wav_and_mp3", ACCEPTED, joined, speech_wav, speech_mp3)
    yield hostile("mp3_and_zip", ACCEPTED, joined, speech_mp3, archive())
    yield hostile("wav_with_mp3_inside", ACCEPTED, partial(wav, speech_mp3, tag=0x55))
    yield hostile("wav_and_page", ACCEPTED, joined, speech_wav, PAGE)
    yield hostile("flac_and_m3u8", ACCEPTED, joined, speech("flac"), PLAYLISTS["m3u8"].encode())
    yield hostile("zip_and_wav", UNREADABLE, joined, archive(), speech_wav)
    yield hostile("picture_as_audio", UNREADABLE, picture, "JPEG")


OTHER_KINDS = {
    "aiff": b"FORM\x00\x00\x01\x00AIFFCOMM" + bytes(200),
    "au": b".snd\x00\x00\x00\x18" + bytes(200),
    "amr": b"#!AMR\n" + bytes(200),
    "midi": b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x60MTrk" + bytes(200),
    "caf": b"caff\x00\x01\x00\x00desc" + bytes(200),
    "asf": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(200),
    "flv": b"FLV\x01\x05\x00\x00\x00\x09" + bytes(200),
    "avi": b"RIFF\x00\x01\x00\x00AVI LIST" + bytes(200),
    "w64": b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00" + bytes(200),
    "ape": b"MAC \x96\x0f" + bytes(200),
    "dsf": b"DSD \x1c" + bytes(200),
    "mpeg_ts": (b"G\x40\x00\x10" + bytes(184)) * 20,
    "adts_aac": b"\xff\xf1\x50\x80\x01\x3f\xfc" + bytes(200),
    "ac3": b"\x0b\x77" + bytes(200),
    "tracker": b"Extended Module: " + bytes(200),
    "adf_script": b"<script>" + bytes(200),
    "zeros": bytes(4096),
    "one_byte": b"R",
    "gzip": b"\x1f\x8b\x08\x00" + bytes(200),
}


def _others() -> Iterator[Hostile]:
    for name, content in OTHER_KINDS.items():
        yield hostile(f"audio_as_{name}", UNREADABLE, joined, content)


def _damaged() -> Iterator[Hostile]:
    outcomes = (UNREADABLE, NO_STREAM, TOO_SHORT, TOO_LONG, SILENT, ACCEPTED)
    for name in FORMATS:
        yield from damaged(name, partial(speech, name), *outcomes)
    yield from damaged("mp4_video", partial(video, speech=babble(1.0)), *outcomes)


RECORDINGS = tuple(
    chain(
        playlists(),
        links(),
        wavs(),
        floats(),
        tags(),
        flacs(),
        mp4s(),
        matroskas(),
        _bombs(),
        _polyglots(),
        _others(),
        _damaged(),
    )
)

SEEDS: tuple[Callable[[], bytes], ...] = (
    *(partial(speech, name) for name in FORMATS),
    *(file.build for file in chain(links(), wavs(), floats(), matroskas(), _others())),
)
"""Seeds of the fuzzer: small files that are built quickly."""

BAITED = tuple(chain(playlists(), links()))
"""Those with a URL; a decoder that follows it reaches the listener."""
