"""Hostile portraits."""

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from io import BytesIO
from itertools import chain
from typing import Any
from zipfile import ZipFile

import numpy as np
from PIL import Image

from tests.security.bait import URL
from tests.security.damage import damaged
from tests.security.hostile import ACCEPTED, Hostile, hostile

UNREADABLE = "portrait_unreadable"
TOO_MANY_PIXELS = "portrait_too_many_pixels"
TOO_SMALL = "portrait_too_small"
TOO_DEMANDING = "portrait_too_demanding"

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def picture(format: str = "PNG", mode: str = "RGB", side: int = 128, **options: Any) -> bytes:
    """Encode a picture of coloured squares."""
    small = np.random.default_rng(1).integers(0, 256, (8, 8, 3), np.uint8)
    image = Image.fromarray(small).resize((side, side), Image.Resampling.NEAREST).convert(mode)
    return encoded(image, format, **options)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def blank(format: str, mode: str, width: int, height: int, **options: Any) -> bytes:
    """Encode a picture of one colour with hardly any data."""
    return encoded(Image.new(mode, (width, height), 0), format, **options)


# PNG


def chunk(name: bytes, body: bytes, *, length: int | None = None, crc: int | None = None) -> bytes:
    """Write a PNG chunk, whose length and checksum may be wrong."""
    size = len(body) if length is None else length
    check = zlib.crc32(name + body) if crc is None else crc
    return struct.pack(">I", size) + name + body + struct.pack(">I", check)


def png_with(*chunks: bytes, picture: bytes = picture()) -> bytes:
    """Insert chunks after the header of a valid PNG."""
    end = len(PNG_MAGIC) + 25
    return picture[:end] + b"".join(chunks) + picture[end:]


def png_that_claims(width: int, height: int, inflated: int = 64) -> bytes:
    """Write a PNG of zeros, as many as given, whatever its header claims."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(inflated), 1)
    parts = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return PNG_MAGIC + b"".join(chunk(*part) for part in parts)


def png_with_text_bomb(name: bytes, count: int, megabytes: int) -> bytes:
    """Compress texts of many megabytes into a few kilobytes."""
    text = zlib.compress(bytes(megabytes << 20), 9)
    heads = {
        b"zTXt": b"Comment\x00\x00",
        b"iTXt": b"Comment\x00\x01\x00\x00\x00",
        b"iCCP": b"profile\x00\x00",
    }
    return png_with(*[chunk(name, heads[name] + text)] * count)


def png_of_many_chunks(count: int) -> bytes:
    return png_with(chunk(b"teSt", b"") * count)


def animated(format: str, frames: int, side: int = 64) -> bytes:
    """Encode an animation of the given number of pictures, each different."""
    pictures = [Image.new("RGB", (side, side), (n % 256, n // 256, 0)) for n in range(frames)]
    options = {"lossless": True} if format == "WEBP" else {}
    return encoded(
        pictures[0], format, save_all=True, append_images=pictures[1:], duration=10, **options
    )


def apng_that_claims(frames: int) -> bytes:
    return png_with(chunk(b"acTL", struct.pack(">II", frames, 0)))


# JPEG


def segment(marker: int, body: bytes, *, length: int | None = None) -> bytes:
    size = len(body) + 2 if length is None else length
    return struct.pack(">BBH", 0xFF, marker, size) + body


def jpeg_with(*segments: bytes) -> bytes:
    """Insert segments after the start of a valid JPEG."""
    good = picture("JPEG")
    return good[:2] + b"".join(segments) + good[2:]


def jpeg_that_claims(width: int, height: int, *, progressive: bool = False) -> bytes:
    file = bytearray(picture("JPEG", progressive=progressive))
    frame = file.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    file[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(file)


def jpeg_of_scans(count: int, side: int) -> bytes:
    """Repeat the last scan of a progressive JPEG: each one processes the whole picture again."""
    file = blank("JPEG", "L", side, side, progressive=True)
    last = file.rindex(b"\xff\xda")
    return file[:last] + file[last:-2] * count + file[-2:]


def exif(entries: bytes, *, count: int | None = None, next: int = 0) -> bytes:
    """Write an EXIF block of 12-byte entries, whose number and successor may be wrong."""
    number = len(entries) // 12 if count is None else count
    head = b"Exif\x00\x00II*\x00\x08\x00\x00\x00"
    return head + struct.pack("<H", number) + entries + struct.pack("<I", next)


def exif_entry(tag: int, type: int, count: int, value: int) -> bytes:
    return struct.pack("<HHII", tag, type, count, value)


def mpo(count: int) -> bytes:
    """Put several JPEGs into one file."""
    pictures = [Image.new("RGB", (64, 64), (n, 0, 0)) for n in range(count)]
    return encoded(pictures[0], "MPO", save_all=True, append_images=pictures[1:])


# WEBP


def riff(*chunks: tuple[bytes, bytes], size: int | None = None, form: bytes = b"WEBP") -> bytes:
    """Write a RIFF file, whose size may be wrong."""
    body = form + b"".join(
        name + struct.pack("<I", len(data)) + data + b"\x00" * (len(data) % 2)
        for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def webp_with_canvas(width: int, height: int, flags: int = 0) -> bytes:
    """Put a small picture onto a canvas that claims to be huge."""
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    good = picture("WEBP")
    return riff((b"VP8X", bytes((flags, 0, 0, 0)) + sides), (good[12:16], good[20:]))


def webp_with_size(size: int) -> bytes:
    file = bytearray(picture("WEBP"))
    file[4:8] = struct.pack("<I", size)
    return bytes(file)


def webp_that_claims(width: int, height: int) -> bytes:
    file = bytearray(picture("WEBP", lossless=True))
    start = file.index(b"VP8L") + 9
    bits = width - 1 | (height - 1) << 14
    file[start : start + 4] = struct.pack("<I", bits)
    return bytes(file)


# Polyglots


def archive() -> bytes:
    file = BytesIO()
    with ZipFile(file, "w") as entries:
        entries.writestr("../../etc/passwd", "root::0:0::/:/bin/sh\n")
    return file.getvalue()


@cache
def zip_bomb(megabytes: int = 64) -> bytes:
    file = BytesIO()
    with ZipFile(file, "w", 8) as entries:
        entries.writestr("zeros", bytes(megabytes << 20))
    return file.getvalue()


def joined(*parts: bytes) -> bytes:
    return b"".join(parts)


PAGE = f"<html><script src='{URL}'></script><img src='{URL}'></html>".encode()
SVG = (
    f"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM '{URL}'>]><svg width='99' height='99' "
    f"xmlns='http://www.w3.org/2000/svg'><image href='{URL}'/><text>&x;</text></svg>"
).encode()
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(/etc/passwd) (r) file\n"
PDF = f"%PDF-1.7\n1 0 obj<</OpenAction<</S/URI/URI({URL})>>>>endobj\ntrailer<<>>".encode()
OTHER_FORMATS = (
    *("GIF", "BMP", "TIFF", "ICO", "ICNS", "PPM", "TGA", "PCX", "JPEG2000", "DDS", "PDF"),
)
OTHER_KINDS = {
    "svg_with_an_external_entity": SVG,
    "svg_behind_a_byte_order_mark": b"\xef\xbb\xbf" + SVG,
    "postscript": POSTSCRIPT,
    "pdf_with_an_action": PDF,
    "page": PAGE,
    "photoshop": b"8BPS\x00\x01" + bytes(200),
    "windows_metafile": b"\xd7\xcd\xc6\x9a" + bytes(200),
    "xbm": b"#define x_width 64\n#define x_height 64\nstatic char x_bits[] = {0x00};",
    "heic": b"\x00\x00\x00\x18ftypheic" + bytes(200),
    "elf": b"\x7fELF\x02\x01\x01" + bytes(200),
    "pickle": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
    "playlist": f"#EXTM3U\n{URL}\n".encode(),
    "imagemagick_script": f"push graphic-context\nimage over 0,0 0,0 '{URL}'\n".encode(),
}

_GOOD = {
    "png": partial(picture, "PNG"),
    "png_palette": partial(picture, "PNG", "P", transparency=0),
    "jpeg": partial(picture, "JPEG"),
    "jpeg_progressive": partial(picture, "JPEG", progressive=True),
    "webp": partial(picture, "WEBP"),
    "webp_lossless": partial(picture, "WEBP", lossless=True),
}
_EXIF = {
    "with_a_loop": exif(exif_entry(0x8769, 4, 1, 8), next=8),
    "with_a_huge_count": exif(exif_entry(0x0112, 3, 0xFFFFFFFF, 0)),
    "with_65535_entries": exif(exif_entry(0x0112, 3, 1, 6), count=0xFFFF),
    "with_an_absurd_orientation": exif(exif_entry(0x0112, 3, 1, 0xFFFF)),
    "with_an_orientation_of_text": exif(exif_entry(0x0112, 2, 4, 0x41414141)),
    "with_rational_zero": exif(exif_entry(0x0112, 5, 1, 0)),
}


def _claims() -> Iterator[Hostile]:
    for width, height in ((2**31 - 1, 2**31 - 1), (65_535, 65_535), (50_000_001, 1)):
        name = f"png_that_claims_{width}x{height}"
        yield hostile(name, TOO_MANY_PIXELS, png_that_claims, width, height)
    yield hostile("png_that_claims_0x0", UNREADABLE, png_that_claims, 0, 0)
    yield hostile("png_that_claims_1x1", TOO_SMALL, png_that_claims, 1, 1)
    yield hostile("png_that_claims_50_million_and_holds_none", UNREADABLE, png_that_claims, *_5_10)
    yield hostile("jpeg_that_claims_65535x65535", TOO_MANY_PIXELS, jpeg_that_claims, *_FULL)
    yield hostile("jpeg_that_claims_7000x7000", ACCEPTED, jpeg_that_claims, 7000, 7000)
    yield hostile("jpeg_that_claims_0x0", UNREADABLE, jpeg_that_claims, 0, 0)
    yield hostile("webp_that_claims_16383x16383", TOO_MANY_PIXELS, webp_that_claims, *_WEBP)
    yield hostile("webp_that_claims_7000x7000", UNREADABLE, webp_that_claims, 7000, 7000)
    yield hostile("webp_on_a_canvas_of_2^24", TOO_MANY_PIXELS, webp_with_canvas, 2**24, 2**24)
    yield hostile("webp_on_a_canvas_of_7000", UNREADABLE, webp_with_canvas, 7000, 7000)
    yield hostile("webp_animation_of_nothing", UNREADABLE, webp_with_canvas, 7000, 7000, 2)
    yield hostile("webp_of_4_gigabytes", UNREADABLE, webp_with_size, 0xFFFFFFFF)
    yield hostile("webp_of_no_bytes", UNREADABLE, webp_with_size, 0)


_5_10, _FULL, _WEBP = (5_000, 10_000), (65_535, 65_535), (16_383, 16_383)


def _bombs() -> Iterator[Hostile]:
    yield hostile("png_of_50_million_clear_pixels", ACCEPTED, blank, "PNG", "RGBA", *_5_10)
    yield hostile("png_of_50_million_deep_pixels", ACCEPTED, blank, "PNG", "I;16", *_5_10)
    yield hostile("jpeg_of_50_million_pixels", ACCEPTED, blank, "JPEG", "CMYK", *_5_10)
    webp = partial(blank, "WEBP", "RGB", *_5_10, method=0)
    yield hostile("webp_of_50_million_pixels", ACCEPTED, webp)
    yield hostile("png_of_51_million_pixels", TOO_MANY_PIXELS, blank, "PNG", "1", 5_100, 10_000)
    yield hostile("png_strip_of_50_million", ACCEPTED, blank, "PNG", "1", 781_250, 64)
    yield hostile("png_that_inflates_to_much_more", ACCEPTED, png_that_claims, 64, 64, 64 << 20)
    yield hostile("jpeg_of_2000_scans", TOO_DEMANDING, jpeg_of_scans, 2_000, 7_000)
    yield hostile("apng_of_1000_pictures", ACCEPTED, animated, "PNG", 1_000)
    yield hostile("webp_of_1000_pictures", ACCEPTED, animated, "WEBP", 1_000)
    yield hostile("apng_that_claims_2^31_pictures", ACCEPTED, apng_that_claims, 2**31 - 1)
    for name in (b"zTXt", b"iTXt", b"iCCP"):
        yield hostile(f"png_{name.decode()}_bomb", UNREADABLE, png_with_text_bomb, name, 1, 64)
    yield hostile("png_of_many_texts", UNREADABLE, png_with_text_bomb, b"zTXt", 10_000, 1)
    yield hostile("png_of_100000_chunks", ACCEPTED, png_of_many_chunks, 100_000)
    yield hostile("zip_bomb_as_portrait", UNREADABLE, zip_bomb)


def _headers() -> Iterator[Hostile]:
    big = segment(0xE1, b"Exif\x00\x00" + bytes(65_000))
    yield hostile("jpeg_of_many_exif_blocks", ACCEPTED, jpeg_with, big * 200)
    yield hostile("jpeg_of_many_comments", ACCEPTED, jpeg_with, segment(0xFE, b"") * 100_000)
    yield hostile("jpeg_of_many_profiles", ACCEPTED, jpeg_with, *map(_profile, range(255)))
    yield hostile("jpeg_with_a_lying_segment", ACCEPTED, jpeg_with, segment(0xE5, b"", length=1))
    yield hostile("jpeg_of_many_pictures", ACCEPTED, mpo, 50)
    for name, block in _EXIF.items():
        yield hostile(f"jpeg_exif_{name}", ACCEPTED, jpeg_with, segment(0xE1, block))
        yield hostile(f"png_exif_{name}", ACCEPTED, png_with, chunk(b"eXIf", block[6:]))
    lying = chunk(b"tEXt", b"a\x00b", length=0xFFFFFFFF)
    yield hostile("png_with_a_chunk_of_4_gigabytes", UNREADABLE, png_with, lying)
    yield hostile("png_with_a_false_checksum", UNREADABLE, png_with, chunk(b"PLTE", b"abc", crc=0))
    yield hostile("png_with_a_second_header", ACCEPTED, png_with, picture()[8:33])


def _profile(number: int) -> bytes:
    return segment(0xE2, b"ICC_PROFILE\x00" + bytes((number + 1, 255)) + bytes(10_000))


def _polyglots() -> Iterator[Hostile]:
    jpeg, png, gif = picture("JPEG"), picture("PNG"), picture("GIF")
    yield hostile("jpeg_and_zip", ACCEPTED, joined, jpeg, archive())
    yield hostile("png_and_page", ACCEPTED, joined, png, PAGE)
    yield hostile("png_with_a_page_inside", ACCEPTED, png_with, chunk(b"tEXt", b"a\x00" + PAGE))
    yield hostile("jpeg_with_a_script", ACCEPTED, jpeg_with, segment(0xFE, b"<?php system(1)?>"))
    yield hostile("gif_and_jar", UNREADABLE, joined, gif, archive())
    yield hostile("pdf_and_jpeg", UNREADABLE, joined, PDF, jpeg)
    yield hostile("webp_and_wav", UNREADABLE, riff, (b"fmt ", bytes(16)), (b"data", bytes(99)))


def _others() -> Iterator[Hostile]:
    for format in OTHER_FORMATS:
        yield hostile(f"portrait_as_{format.lower()}", UNREADABLE, picture, format)
    for name, content in OTHER_KINDS.items():
        yield hostile(f"portrait_as_{name}", UNREADABLE, joined, content)


def _damaged() -> Iterator[Hostile]:
    for name, build in _GOOD.items():
        yield from damaged(name, build, UNREADABLE, TOO_MANY_PIXELS, TOO_SMALL, ACCEPTED)


PICTURES = tuple(chain(_claims(), _bombs(), _headers(), _polyglots(), _others(), _damaged()))

SEEDS: tuple[Callable[[], bytes], ...] = (
    *_GOOD.values(),
    *(file.build for file in chain(_claims(), _polyglots(), _others()) if "7000" not in file.name),
)
"""Seeds of the fuzzer: small files that are built and parsed quickly."""
