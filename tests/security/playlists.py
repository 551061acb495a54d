"""Recordings that contain URLs: playlists, scripts, and external references."""

import struct
from collections.abc import Iterator

from tests.security.bait import ADDRESS, URL
from tests.security.boxes import (
    box,
    flac_block,
    id3,
    id3_frame,
    rewritten,
    wav,
)
from tests.security.formats import (
    NO_STREAM,
    TOO_SHORT,
    UNREADABLE,
    speech,
)
from tests.security.hostile import ACCEPTED, Hostile, hostile
from tests.security.pictures import joined

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


def playlists() -> Iterator[Hostile]:
    """Yield texts with URLs, unchanged and behind the magic bytes of sound."""
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


def links() -> Iterator[Hostile]:
    """Yield valid sound with URLs in its metadata, which a player may follow."""
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
    """Make a valid MP4 refer to another file for its samples."""
    path = b"/etc/passwd\x00"
    alias = bytes(150) + struct.pack(">HH", 2, len(path)) + path + struct.pack(">HH", 0xFFFF, 0)
    target = alias if kind == b"alis" else URL.encode() + b"\x00"
    entry = box(kind, bytes(4), target)
    references = box(b"dref", bytes(4), struct.pack(">I", 1), entry)
    return rewritten(speech("m4a_aac"), b"dref", lambda _: references)


def mp4_reference() -> bytes:
    """Write a QuickTime movie that only refers to another movie."""
    target = box(b"rdrf", bytes(4), b"url ", struct.pack(">I", len(URL)), URL.encode())
    return box(b"ftyp", b"qt  ", bytes(4)) + box(b"moov", box(b"rmra", box(b"rmda", target)))
