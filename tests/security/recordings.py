"""Hostile recordings."""

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from io import BytesIO
from itertools import chain
from typing import cast

import av
import numpy as np

from tests.media import babble, recording, video
from tests.security.bait import ADDRESS, URL
from tests.security.boxes import (
    box,
    cluster,
    element,
    flac_block,
    flac_info,
    id3,
    id3_frame,
    matroska,
    number,
    pcm_track,
    rewritten,
    riff_chunk,
    wav,
)
from tests.security.damage import damaged
from tests.security.hostile import ACCEPTED, Hostile, hostile
from tests.security.pictures import PAGE, archive, joined, picture, zip_bomb

UNREADABLE = "audio_unreadable"
NO_STREAM = "no_audio_stream"
TOO_SHORT = "audio_too_short"
TOO_LONG = "audio_too_long"
SILENT = "audio_silent"
TOO_DEMANDING = "audio_too_demanding"

FORMATS = {
    "wav": ("wav", "pcm_s16le", 16_000),
    "wav_float": ("wav", "pcm_f32le", 44_100),
    "wav_adpcm": ("wav", "adpcm_ms", 16_000),
    "mp3": ("mp3", "libmp3lame", 44_100),
    "flac": ("flac", "flac", 48_000),
    "ogg_opus": ("ogg", "libopus", 48_000),
    "ogg_vorbis": ("ogg", "vorbis", 44_100),
    "m4a_aac": ("ipod", "aac", 44_100),
    "m4a_alac": ("ipod", "alac", 44_100),
    "webm_opus": ("webm", "libopus", 48_000),
    "webm_vorbis": ("webm", "vorbis", 44_100),
}


@cache
def speech(name: str, seconds: float = 1.0) -> bytes:
    """Encode voice-like sound in one of the accepted formats."""
    container, codec, rate = FORMATS[name]
    layout = "stereo" if codec == "vorbis" else "mono"
    planes = np.stack([babble(seconds, rate)] * (2 if codec == "vorbis" else 1))
    return recording(planes, container, codec, sample_rate=rate, layout=layout)


def samples(seconds: float = 1.0) -> bytes:
    """Return voice-like sound as 16-bit samples."""
    return (babble(seconds) * 32_767).astype("<i2").tobytes()


# Texts that name addresses


PLAYLISTS = {
    "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{URL}.ts\n#EXT-X-ENDLIST\n",
    "m3u8_with_a_key": f'#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{URL}"\n#EXTINF:1,\n{URL}.ts\n',
    "m3u8_with_a_map": f'#EXTM3U\n#EXT-X-MAP:URI="{URL}"\n#EXTINF:1,\nfile:///etc/passwd\n',
    "m3u8_of_concat": f"#EXTM3U\n#EXTINF:1,\nconcat:{URL}|file:///etc/passwd\n",
    "m3u8_of_subfile": "#EXTM3U\n#EXTINF:1,\nsubfile,,start,0,end,9,,:/etc/passwd\n",
    "ffconcat": f"ffconcat version 1.0\nfile '{URL}'\nfile /etc/passwd\n",
    "concat_protocol": f"concat:{URL}|/etc/passwd\n",
    "sdp": f"v=0\no=- 0 0 IN IP4 {ADDRESS}\ns=x\nc=IN IP4 127.0.0.1\nm=audio 27183 RTP/AVP 0\n",
    "xspf": f"<playlist xmlns='http://xspf.org/ns/0/'><trackList><track><location>{URL}"
    "</location></track></trackList></playlist>",
    "dash": f"<?xml version='1.0'?><MPD type='static'><BaseURL>{URL}</BaseURL><Period><"
    f"AdaptationSet><Representation><SegmentList><SegmentURL media='{URL}'/></SegmentList>"
    "</Representation></AdaptationSet></Period></MPD>",
    "asx": f"<asx version='3.0'><entry><ref href='{URL}'/></entry></asx>",
    "pls": f"[playlist]\nFile1={URL}\nNumberOfEntries=1\n",
    "smil": f"<smil><body><audio src='{URL}'/></body></smil>",
    "ram": f"rtsp://{ADDRESS}/bait\n",
    "url_alone": URL,
    "redirector": f"[Reference]\nRef1={URL}\n",
    "imf": f"<AssetMap xmlns='http://www.smpte-ra.org/schemas/429-9/2007/AM'><Path>{URL}</Path>",
    "cue": f'FILE "{URL}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "lrc": "[00:00.00]words\n",
}


def _playlists() -> Iterator[Hostile]:
    for name, text in PLAYLISTS.items():
        playlist = text.encode()
        yield hostile(f"audio_as_{name}", UNREADABLE, joined, playlist)
        yield hostile(f"wav_of_{name}", TOO_SHORT, wav, playlist)
        yield hostile(f"id3_before_{name}", UNREADABLE, joined, id3(b""), playlist)
    m3u8 = PLAYLISTS["m3u8"].encode()
    yield hostile("flac_of_m3u8", UNREADABLE, joined, b"fLaC", m3u8)
    yield hostile("ogg_of_m3u8", UNREADABLE, joined, b"OggS", m3u8)
    yield hostile("mp4_of_m3u8", UNREADABLE, joined, box(b"ftyp", b"M4A "), m3u8)
    yield hostile("matroska_of_m3u8", UNREADABLE, joined, b"\x1aE\xdf\xa3", m3u8)


def _links() -> Iterator[Hostile]:
    """Yield good sound with addresses in its metadata, where a player may look for more."""
    mp3, flac, url = speech("mp3"), speech("flac"), URL.encode()
    cover = b"\x00-->\x00\x03\x00" + url
    frames = id3_frame(b"APIC", cover) + id3_frame(b"WXXX", b"\x00\x00" + url)
    yield hostile("mp3_with_a_cover_elsewhere", ACCEPTED, joined, id3(frames), mp3)
    linked = struct.pack(">II3sI", 3, 3, b"-->", 0) + bytes(16) + struct.pack(">I", len(url)) + url
    block = flac_block(6, linked)
    yield hostile("flac_with_a_cover_elsewhere", ACCEPTED, joined, flac[:42], block, flac[42:])
    for kind in (b"url ", b"urn ", b"alis", b"rsrc"):
        name = kind.decode().strip()
        expected = TOO_SHORT if kind == b"alis" else ACCEPTED
        yield hostile(f"mp4_with_its_sound_at_a_{name}", expected, mp4_elsewhere, kind)
    yield hostile("mp4_that_refers_to_a_movie", NO_STREAM, mp4_reference)


def mp4_elsewhere(kind: bytes) -> bytes:
    """Say that the samples of a good MP4 lie in another file."""
    path = b"/etc/passwd\x00"
    alias = bytes(150) + struct.pack(">HH", 2, len(path)) + path + struct.pack(">HH", 0xFFFF, 0)
    target = alias if kind == b"alis" else URL.encode() + b"\x00"
    entry = box(kind, bytes(4), target)
    references = box(b"dref", bytes(4), struct.pack(">I", 1), entry)
    return rewritten(speech("m4a_aac"), b"dref", lambda _: references)


def mp4_reference() -> bytes:
    """Write QuickTime's movie that only says where the movie is."""
    target = box(b"rdrf", bytes(4), b"url ", struct.pack(">I", len(URL)), URL.encode())
    return box(b"ftyp", b"qt  ", bytes(4)) + box(b"moov", box(b"rmra", box(b"rmda", target)))


# Headers that lie


def _riff() -> Iterator[Hostile]:
    sound = samples()
    yield hostile("wav_of_4_gigabytes", ACCEPTED, partial(wav, sound, size=0xFFFFFFFF))
    yield hostile("wav_of_0_channels", UNREADABLE, partial(wav, sound, channels=0))
    yield hostile("wav_of_65535_channels", UNREADABLE, partial(wav, sound, channels=65_535))
    yield hostile("wav_of_512_channels", UNREADABLE, partial(wav, sound, channels=512, align=1024))
    for rate in (0, 1, 3_999, 384_001, 2**31 - 1, 2**32 - 1):
        yield hostile(f"wav_of_{rate}_hertz", UNREADABLE, partial(wav, sound, rate=rate))
    for rate in (4_001, 11_127, 383_999):
        expected = TOO_SHORT if rate > 100_000 else ACCEPTED
        yield hostile(f"wav_of_{rate}_hertz", expected, partial(wav, sound, rate=rate))
    for align in (0, 1, 65_535):
        yield hostile(f"wav_aligned_to_{align}", ACCEPTED, partial(wav, sound, align=align))
    for bits, expected in ((0, UNREADABLE), (1, ACCEPTED), (7, ACCEPTED), (65_535, UNREADABLE)):
        yield hostile(f"wav_of_{bits}_bits", expected, partial(wav, sound, bits=bits))
    for tag in (0, 0x02, 0x11, 0x31, 0x55, 0x161, 0xFFFE, 0xFFFF):
        yield hostile(f"wav_tagged_{tag:#x}", UNREADABLE, partial(wav, sound, tag=tag))
    yield hostile("wav_of_nothing", TOO_SHORT, wav, b"")
    yield hostile("wav_without_data", UNREADABLE, joined, wav(b"")[:36])
    lying = riff_chunk(b"LIST", b"", size=0xFFFFFFF0)
    yield hostile("wav_with_a_lying_list", UNREADABLE, wav, sound, lying)
    junk = riff_chunk(b"JUNK", b"") * 200_000
    yield hostile("wav_behind_200000_chunks", ACCEPTED, wav, sound, junk)
    yield hostile("wav_of_64_bits_that_lies", ACCEPTED, rf64, sound)


def rf64(sound: bytes) -> bytes:
    """Write a WAV whose 64-bit sizes reach beyond any disk."""
    sizes = riff_chunk(b"ds64", struct.pack("<QQQI", 2**63, 2**63 - 1, 2**62, 0))
    return b"RF64" + wav(sound, sizes, size=0xFFFFFFFF)[4:]


def _floats() -> Iterator[Hostile]:
    values = {
        "nan": np.nan,
        "infinity": np.inf,
        "minus_infinity": -np.inf,
    }
    for name, value in values.items():
        yield hostile(f"wav_with_a_{name}", UNREADABLE, float_wav, value, 1)
        yield hostile(f"wav_all_{name}", UNREADABLE, float_wav, value, 16_000)
    yield hostile("wav_all_denormal", SILENT, float_wav, 1e-42, 16_000)
    yield hostile("wav_with_the_largest_number", ACCEPTED, float_wav, 3.4e38, 1)
    yield hostile("wav_with_a_number_of_64_bits", UNREADABLE, double_wav, 1e308)


def float_wav(value: float, count: int) -> bytes:
    sound = babble(1.0)
    sound[:count] = value
    return wav(sound.tobytes(), tag=3, align=4, bits=32)


def double_wav(value: float) -> bytes:
    sound = babble(1.0).astype(np.float64)
    sound[:5] = value
    return wav(sound.tobytes(), tag=3, align=8, bits=64)


def _tags() -> Iterator[Hostile]:
    mp3 = speech("mp3")
    yield hostile("id3_of_256_megabytes", UNREADABLE, joined, id3(b"", size=2**28 - 1), mp3)
    yield hostile("id3_again_and_again", ACCEPTED, joined, id3(bytes(10)) * 10_000, mp3)
    bomb = zlib.compress(bytes(64 << 20), 9)
    inflating = id3_frame(b"TIT2", b"\x7f\x7f\x7f\x7f" + bomb, flags=0x0009)
    yield hostile("id3_that_inflates", ACCEPTED, joined, id3(inflating * 20), mp3)
    covers = id3_frame(b"APIC", b"\x00image/png\x00\x03\x00" + picture()) * 2_000
    yield hostile("id3_of_2000_covers", TOO_DEMANDING, joined, id3(covers), mp3)
    chapters = id3_frame(b"CHAP", b"a\x00" + bytes(16)) * 50_000
    yield hostile("id3_of_50000_chapters", ACCEPTED, joined, id3(chapters), mp3)
    texts = id3_frame(b"TXXX", b"\x03k\x00" + b"\xff\xfe\xd8\x00") * 10_000
    yield hostile("id3_of_10000_broken_texts", ACCEPTED, joined, id3(texts), mp3)
    yield hostile("id3_alone", UNREADABLE, id3, b"")


def _flac() -> Iterator[Hostile]:
    head, rest = speech("flac")[:8], speech("flac")[42:]
    info = speech("flac")[8:42]
    for rate in (0, 1, 655_350):
        yield hostile(f"flac_of_{rate}_hertz", TOO_SHORT, flac_that_claims, rate, 0)
    yield hostile("flac_of_2^36_samples", TOO_SHORT, flac_that_claims, 48_000, 2**36 - 1)
    huge = flac_block(6, struct.pack(">II", 3, 0xFFFFFFF0), size=0xFFFFFF)
    yield hostile("flac_with_a_lying_cover", UNREADABLE, joined, head, info, huge, rest)
    padding = flac_block(1, b"", size=0xFFFFFF)
    yield hostile("flac_with_lying_padding", UNREADABLE, joined, head, info, padding, rest)
    comments = flac_block(4, struct.pack("<II", 0, 0xFFFFFFFF))
    yield hostile("flac_of_4_billion_comments", ACCEPTED, joined, head, info, comments, rest)
    empty = flac_block(1, b"") * 500_000
    yield hostile("flac_of_500000_blocks", ACCEPTED, joined, head, info, empty, rest)
    yield hostile("flac_of_nothing", UNREADABLE, joined, head, info)


def flac_that_claims(rate: int, samples: int) -> bytes:
    return b"fLaC" + flac_block(0, flac_info(rate, samples), last=True) + bytes(1000)


def _mp4() -> Iterator[Hostile]:
    good = speech("m4a_aac")
    brand = box(b"ftyp", b"M4A ", bytes(4))
    yield hostile("mp4_of_nothing", UNREADABLE, joined, brand)
    yield hostile("mp4_without_tracks", NO_STREAM, joined, brand, box(b"moov"), box(b"mdat"))
    for size in (2**63 - 1, 2**40, 8):
        yield hostile(f"mp4_with_a_box_of_{size}", NO_STREAM, mp4_with_a_wide_box, size)
    for size in (2**64 - 1, 0):
        yield hostile(f"mp4_with_a_box_of_{size}", UNREADABLE, mp4_with_a_wide_box, size)
    yield hostile("mp4_with_a_box_of_4_bytes", UNREADABLE, joined, brand, box(b"moov", size=4))
    yield hostile("mp4_of_10000_nested_boxes", UNREADABLE, joined, brand, nested(10_000))
    yield hostile(
        "mp4_of_5000_tracks", TOO_DEMANDING, joined, brand, box(b"moov", *_empty_tracks())
    )
    for name, expected in TABLES.items():
        shown = name.decode()
        yield hostile(f"mp4_with_a_lying_{shown}", expected, mp4_lying, name, 0xFFFFFFF)
    yield hostile("mp4_of_billions_of_samples", TOO_SHORT, mp4_of_equal_samples, 0x7FFFFFFF)
    compressed = compressed_movie(2**31 - 1)
    yield hostile("mp4_with_an_index_of_2_gigabytes", TOO_DEMANDING, joined, brand, compressed)
    yield hostile("mp4_with_an_index_that_inflates", NO_STREAM, mp4_that_inflates, 128)
    strings = box(b"udta", box(b"\xa9nam", bytes(4) + bytes(60_000))) * 100
    yield hostile("mp4_of_large_notes", ACCEPTED, joined, good, strings)
    yield hostile("mp4_without_sound", NO_STREAM, video)


TABLES = {
    b"stsz": UNREADABLE,
    b"stco": ACCEPTED,
    b"stsc": UNREADABLE,
    b"stts": TOO_DEMANDING,
    b"elst": ACCEPTED,
}


def mp4_with_a_wide_box(size: int) -> bytes:
    return box(b"ftyp", b"M4A ", bytes(4)) + box(b"moov", bytes(64), wide=size)


def mp4_that_inflates(megabytes: int) -> bytes:
    index = compressed_movie(megabytes << 20, bytes(megabytes << 20))
    return box(b"ftyp", b"qt  ", bytes(4)) + index


def nested(depth: int) -> bytes:
    inner = b""
    for name in (b"moov", b"trak", b"mdia", b"minf", b"udta") * (depth // 5):
        inner = box(name, inner)
    return inner


def _empty_tracks() -> list[bytes]:
    return [box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", box(b"hdlr", bytes(24))))] * 5_000


def mp4_lying(name: bytes, count: int) -> bytes:
    """Let a table of the index claim many more entries than it has."""
    place = 8 if name == b"stsz" else 4

    def lie(body: bytes) -> bytes:
        return box(name, body[:place] + struct.pack(">I", count) + body[place + 4 :])

    return rewritten(speech("m4a_aac"), name, lie)


def mp4_of_equal_samples(count: int) -> bytes:
    """Claim a count of samples that needs no table: all have one size."""
    sizes = box(b"stsz", bytes(4), struct.pack(">II", 1, count))
    times = box(b"stts", bytes(4), struct.pack(">III", 1, count, 1024))
    chunks = box(b"stsc", bytes(4), struct.pack(">IIII", 1, 1, count, 1))
    file = speech("m4a_aac")
    for table in (sizes, times, chunks):
        file = rewritten(file, table[4:8], partial(_exactly, table))
    return file


def _exactly(table: bytes, _: bytes) -> bytes:
    return table


def compressed_movie(claimed: int, index: bytes = bytes(100)) -> bytes:
    """Write QuickTime's compressed index."""
    data = box(b"cmvd", struct.pack(">I", claimed), zlib.compress(index, 9))
    return box(b"moov", box(b"cmov", box(b"dcom", b"zlib"), data))


def _matroska() -> Iterator[Hostile]:
    sound = samples()
    good = cluster(sound)
    track = element(0x1654AE6B, pcm_track())
    yield hostile("matroska_by_hand", ACCEPTED, matroska, track, good)
    yield hostile("matroska_of_nothing", UNREADABLE, matroska)
    yield hostile("matroska_of_unknown_size", ACCEPTED, matroska, track + _unknown(sound))
    for size in (2**56 - 2, 2**40, 2**31):
        lying = element(0x1654AE6B, pcm_track(), size=size)
        yield hostile(f"matroska_with_tracks_of_{size}", ACCEPTED, matroska, lying, good)
    yield hostile("matroska_of_5000_tracks", ACCEPTED, matroska, _tracks(5_000), good)
    for rate in (0.0, -1.0, float("nan"), float("inf"), 1e300):
        odd = element(0x1654AE6B, pcm_track(rate=rate))
        expected = UNREADABLE if rate == 0 else ACCEPTED
        yield hostile(f"matroska_of_{rate}_hertz", expected, matroska, odd, good)
    for channels in (0, 65_535, 2**31, 2**63):
        odd = element(0x1654AE6B, pcm_track(channels=channels))
        yield hostile(f"matroska_of_{channels}_channels", UNREADABLE, matroska, odd, good)
    deep = pcm_track(element(0x6D80, _compression(0)))
    bomb = cluster(*[zlib.compress(bytes(8 << 20), 9)] * 50)
    yield hostile("matroska_that_inflates", TOO_LONG, matroska, element(0x1654AE6B, deep), bomb)
    encrypted = pcm_track(element(0x6D80, element(0x6240, number(0x5033, 1), element(0x5035))))
    locked = element(0x1654AE6B, encrypted)
    yield hostile("matroska_encrypted", ACCEPTED, matroska, locked, good)
    attached = element(0x1941A469, *[_attachment(URL.encode())] * 1_000)
    yield hostile("matroska_of_1000_attachments", ACCEPTED, matroska, track, attached, good)
    linked = element(0x1549A966, element(0x3EB923, bytes(16)), element(0x3E83BB, URL.encode()))
    yield hostile("matroska_that_goes_on_elsewhere", ACCEPTED, matroska, linked, track, good)
    crowd = cluster(*[b"\x01"] * 50_000)
    yield hostile("matroska_of_50000_damaged_packets", UNREADABLE, matroska, track, crowd)


def _unknown(sound: bytes) -> bytes:
    return element(0x1F43B675, number(0xE7, 0), element(0xA3, b"\x81\x00\x00\x80", sound), size=-1)


def _tracks(count: int) -> bytes:
    return element(0x1654AE6B, *[pcm_track()] * count)


def _compression(algorithm: int) -> bytes:
    return element(0x6240, number(0x5032, 1), element(0x5034, number(0x4254, algorithm)))


def _attachment(name: bytes) -> bytes:
    mime = element(0x4660, b"text/plain")
    return element(0x61A7, element(0x466E, name), mime, element(0x465C, b"x"), number(0x46AE, 1))


# Much from little


def _bombs() -> Iterator[Hostile]:
    for name in ("flac", "ogg_opus", "webm_opus", "mp3", "m4a_aac", "ogg_vorbis"):
        yield hostile(f"{name}_of_twenty_minutes", TOO_LONG, long_silence, name)
    yield hostile("wav_of_ten_minutes", TOO_LONG, wav, bytes(600 * 32_000))
    yield hostile("mp3_of_changing_rates", SILENT, mp3_of_changing_rates, 4_000)
    yield hostile("zip_bomb_as_audio", UNREADABLE, zip_bomb)
    yield hostile("ogg_of_300_streams", ACCEPTED, joined, *[speech("ogg_opus", 0.3)] * 300)


def long_silence(name: str) -> bytes:
    """Repeat one packet of silence for twenty minutes."""
    container, codec, rate = FORMATS[name]
    file = BytesIO()
    with av.open(file, "w", format=container) as output:
        layout = "stereo" if codec == "vorbis" else "mono"
        stream = cast(av.AudioStream, output.add_stream(codec, rate=rate, layout=layout))
        stream.codec_context.options = {"strict": "experimental"}
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
    """Alternate between frames of two sample rates, so that each needs a resampler of its own."""
    # MPEG 2 layer III, 8 kbit/s: 22,050 and 24,000 Hz; 576 samples each.
    lengths = {0x10: 72 * 8_000 // 22_050, 0x14: 72 * 8_000 // 24_000}
    pair = b"".join(
        bytes((0xFF, 0xF3, rate, 0xC4)) + bytes(length - 4) for rate, length in lengths.items()
    )
    return pair * (frames // 2)


# Two kinds in one, and other kinds


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
        _playlists(),
        _links(),
        _riff(),
        _floats(),
        _tags(),
        _flac(),
        _mp4(),
        _matroska(),
        _bombs(),
        _polyglots(),
        _others(),
        _damaged(),
    )
)

SEEDS: tuple[Callable[[], bytes], ...] = (
    *(partial(speech, name) for name in FORMATS),
    *(file.build for file in chain(_links(), _riff(), _floats(), _matroska(), _others())),
)
"""What a fuzzer begins with: small files that are quickly built."""

BAITED = tuple(chain(_playlists(), _links()))
"""Those that name an address; a decoder that follows it takes the bait."""
