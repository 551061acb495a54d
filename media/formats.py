"""Names of file formats, so that an error can state what was given."""

from typing import NamedTuple


class _Signature(NamedTuple):
    offset: int
    magic: bytes
    name: str


_SIGNATURES = tuple(
    _Signature(offset, magic, name)
    for offset, magic, name in (
        (0, b"\xff\xd8\xff", "a JPEG picture"),
        (0, b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (8, b"WEBP", "a WEBP picture"),
        (0, b"GIF8", "a GIF picture"),
        (0, b"II*\0", "a TIFF or camera raw picture"),
        (0, b"MM\0*", "a TIFF or camera raw picture"),
        (0, b"BM", "a BMP picture"),
        (0, b"8BPS", "a Photoshop document"),
        (0, b"\0\0\x01\0", "an icon"),
        (0, b"\xff\x0a", "a JPEG XL picture"),
        (4, b"JXL ", "a JPEG XL picture"),
        (4, b"jP  ", "a JPEG 2000 picture"),
        (4, b"ftypavi", "an AVIF picture"),
        *((4, b"ftyp" + brand, "a HEIC picture") for brand in (b"hei", b"hev", b"mif1", b"msf1")),
        (4, b"ftyp", "an MP4, M4A or MOV file"),
        *((4, box, "a MOV file") for box in (b"moov", b"mdat", b"wide", b"free", b"skip")),
        (8, b"WAVE", "a WAV recording"),
        (8, b"AVI ", "an AVI video"),
        (0, b"fLaC", "a FLAC recording"),
        (0, b"OggS", "an OGG recording"),
        (0, b"ID3", "an MP3 recording"),
        (0, b"\x1aE\xdf\xa3", "a WEBM or Matroska file"),
        (0, b"#!AMR", "an AMR recording"),
        (0, b"0&\xb2u\x8ef\xcf\x11", "a WMA or WMV file"),
        (8, b"AIFF", "an AIFF recording"),
        (8, b"AIFC", "an AIFF recording"),
        (0, b"caff", "a CAF recording"),
        (0, b".snd", "an AU recording"),
        (0, b"\x0bw", "an AC-3 recording"),
        (0, b"MThd", "a MIDI file, which contains notes and no sound"),
        (0, b"FLV", "an FLV video"),
        (0, b"\0\0\x01\xba", "an MPEG video"),
        # The first packet is a table of programs or of services (ISO/IEC 13818-1, ETSI EN 300 468).
        *((0, b"G@" + table + b"\x10", "an MPEG-TS video") for table in (b"\0", b"\x11")),
        (0, b"riff.\x91\xcf\x11", "a Wave64 recording"),
        (0, b".RMF", "a RealMedia file"),
        (0, b"MAC ", "a Monkey's Audio recording"),
        (0, b"wvpk", "a WavPack recording"),
        (0, b"%PDF", "a PDF document"),
        (0, b"%!PS", "a PostScript document"),
        (0, b"PK\x03\x04", "a ZIP archive or an office document"),
        (0, b"\x1f\x8b", "a gzip archive"),
        (0, b"Rar!", "a RAR archive"),
        (0, b"7z\xbc\xaf", "a 7-Zip archive"),
        (0, b"#EXTM3U", "a playlist"),
        (0, b"[playlist]", "a playlist"),
    )
)
WEB_PAGE = "a web page"
_MARKUP = (
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", WEB_PAGE),
    (b"<html", WEB_PAGE),
    (b"<head", WEB_PAGE),
    (b"<?xml", "an XML document"),
    (b"{", "a JSON document"),
)

CODECS = {
    "aac_latm": "AAC in LATM",
    "ac3": "AC-3 (Dolby Digital)",
    "adpcm_ima_qt": "ADPCM",
    "amrnb": "AMR",
    "amrwb": "AMR-WB",
    "ape": "Monkey's Audio",
    "apac": "APAC (Apple Positional Audio Codec)",
    "dca": "DTS",
    "eac3": "E-AC-3 (Dolby Digital Plus)",
    "g722": "G.722",
    "gsm": "GSM",
    "gsm_ms": "GSM",
    "mp2": "MP2",
    "mp2float": "MP2",
    "samr": "AMR",
    "sawb": "AMR-WB",
    "truehd": "Dolby TrueHD",
    "wmav1": "WMA",
    "wmav2": "WMA",
    "wmapro": "WMA Pro",
    "wmavoice": "WMA Voice",
}
"""Codecs that are not decoded, by FFmpeg's name or by their tag in MP4 and MOV."""


ANIMATIONS = {
    "an animated PNG picture": "a PNG picture",
    "an animated WEBP picture": "a WEBP picture",
    "an animated AVIF picture": "an AVIF picture",
}
"""The names of animations, and those of their formats."""
_WEBP_ANIMATED = 0x02


def animation_name(head: bytes) -> str | None:
    """Return what a file is by its first bytes, with its article, if it is an animation."""
    if head.startswith(b"\x89PNG") and b"acTL" in head.partition(b"IDAT")[0]:
        return "an animated PNG picture"  # acTL comes before the first data (PNG, third edition)
    # WebP Container Specification, "Extended File Format": flags follow the chunk's size.
    if head[8:16] == b"WEBPVP8X" and head[20:21] and head[20] & _WEBP_ANIMATED:
        return "an animated WEBP picture"
    return "an animated AVIF picture" if head[4:12] == b"ftypavis" else None


def with_animation(sentence: str, file: bytes) -> str:
    """Return a sentence about a picture's face, with another one if its file is an animation."""
    if (name := animation_name(file)) is None:
        return sentence
    return f"{sentence} The file is {name}, and only one frame was used; send a still picture."


def format_name(head: bytes) -> str | None:
    """Return what a file is by its first bytes, with its article, or None if that is unknown."""
    if animation := animation_name(head):
        return animation
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for start, name in _MARKUP:
        if text.startswith(start):
            return name
    for offset, magic, name in _SIGNATURES:
        if head[offset:].startswith(magic):
            return name
    return None


def describe_given(head: bytes, accepted: frozenset[str]) -> str:
    """Return a predicate that says why a file cannot be used, to follow its name in a sentence.

    Args:
        head: its first bytes.
        accepted: the names, as of `format_name`, of formats that would have been usable.
    """
    if not head:
        return "is empty"
    name = format_name(head)
    if name is None:
        return "is damaged or has an unsupported format"
    if name == WEB_PAGE:
        return "is a web page; if it came from a URL, the URL leads to a page instead of a file"
    if ANIMATIONS.get(name) in accepted:
        return f"is {name}, and damaged or incomplete"
    return "is damaged or incomplete" if name in accepted else f"is {name}, which is not supported"
