"""Recordings with wrong headers."""

import struct
import zlib
from collections.abc import Iterator
from functools import partial

import numpy as np

from tests.media import babble, video
from tests.security.bait import URL
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
from tests.security.formats import (
    NO_STREAM,
    SILENT,
    TOO_DEMANDING,
    TOO_LONG,
    TOO_SHORT,
    UNREADABLE,
    samples,
    speech,
)
from tests.security.hostile import ACCEPTED, Hostile, hostile
from tests.security.pictures import joined, picture


def wavs() -> Iterator[Hostile]:
    """Yield WAVs with wrong headers."""
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
    junk = riff_chunk(b"JUNK", b"") * 50_000
    yield hostile("wav_behind_50000_chunks", ACCEPTED, wav, sound, junk)
    yield hostile("wav_of_64_bits_that_lies", ACCEPTED, rf64, sound)


def rf64(sound: bytes) -> bytes:
    """Write a WAV whose 64-bit sizes exceed any disk."""
    sizes = riff_chunk(b"ds64", struct.pack("<QQQI", 2**63, 2**63 - 1, 2**62, 0))
    return b"RF64" + wav(sound, sizes, size=0xFFFFFFFF)[4:]


def floats() -> Iterator[Hostile]:
    """Yield WAVs with numbers that are not sound."""
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


def tags() -> Iterator[Hostile]:
    """Yield MP3s with wrong or growing tags."""
    mp3 = speech("mp3")
    yield hostile("id3_of_256_megabytes", UNREADABLE, joined, id3(b"", size=2**28 - 1), mp3)
    yield hostile("id3_again_and_again", ACCEPTED, joined, id3(bytes(10)) * 10_000, mp3)
    bomb = zlib.compress(bytes(64 << 20), 9)
    inflating = id3_frame(b"TIT2", b"\x7f\x7f\x7f\x7f" + bomb, flags=0x0009)
    yield hostile("id3_that_inflates", ACCEPTED, joined, id3(inflating * 20), mp3)
    covers = id3_frame(b"APIC", b"\x00image/png\x00\x03\x00" + picture()) * 2_000
    yield hostile("id3_of_2000_covers", ACCEPTED, joined, id3(covers), mp3)
    chapters = id3_frame(b"CHAP", b"a\x00" + bytes(16)) * 50_000
    yield hostile("id3_of_50000_chapters", ACCEPTED, joined, id3(chapters), mp3)
    texts = id3_frame(b"TXXX", b"\x03k\x00" + b"\xff\xfe\xd8\x00") * 10_000
    yield hostile("id3_of_10000_broken_texts", ACCEPTED, joined, id3(texts), mp3)
    yield hostile("id3_alone", UNREADABLE, id3, b"")


def flacs() -> Iterator[Hostile]:
    """Yield FLACs with wrong blocks."""
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


def mp4s() -> Iterator[Hostile]:
    """Yield MP4s with wrong boxes and tables."""
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
    """Make a table of the index claim many more entries than it has."""
    place = 8 if name == b"stsz" else 4

    def lie(body: bytes) -> bytes:
        return box(name, body[:place] + struct.pack(">I", count) + body[place + 4 :])

    return rewritten(speech("m4a_aac"), name, lie)


def mp4_of_equal_samples(count: int) -> bytes:
    """Claim a number of samples that needs no table, because all have one size."""
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


def matroskas() -> Iterator[Hostile]:
    """Yield Matroska files with wrong elements."""
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
