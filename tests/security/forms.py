"""Hostile forms."""

from collections.abc import Iterator
from functools import partial

from tests.security.bait import URL
from tests.security.hostile import ACCEPTED
from tests.security.messages import (
    FORM_TYPE,
    INCOMPLETE,
    MALFORMED,
    HostileRequest,
    form,
    good_parts,
    hostile,
    part,
    post_form,
    post_parts,
    request,
)
from tests.service_examples import portrait

FILE_NAMES = {
    "of_a_parent": b"../../../../etc/passwd",
    "of_a_drive": b"C:\\windows\\..\\..\\system.ini",
    "of_a_playlist": b"x.m3u8",
    "of_an_address": URL.encode() + b".m3u8",
    "of_a_protocol": b"concat:" + URL.encode() + b"|/etc/passwd",
    "of_a_device": b"/dev/zero",
    "of_a_command": b"| touch /tmp/owned; `id` $(id)",
    "of_markup": b"<script src=//x></script>.jpg",
    "written_backwards": "\u202egpj.exe".encode(),
    "of_many_marks": ("a" + "\u0301" * 500).encode(),
    "of_broken_text": b"\xff\xfe\xc3\x28",
    "of_dots": b"." * 200,
    "of_a_format_string": b"%s%s%n{0.__class__}",
    "of_nothing": b"",
}


def file_names() -> Iterator[HostileRequest]:
    """Yield valid forms whose files have unusual names and types."""
    for name, given in FILE_NAMES.items():
        yield hostile(f"file_name_{name}", ACCEPTED, _named, b'filename="%s"' % given)
    yield hostile("file_name_of_a_nul", ACCEPTED, _named, b'filename="a\x00.jpg"')
    yield hostile("file_name_of_two_lines", ACCEPTED, _named, b'filename="a\r\nX-Injected: 1"')
    yield hostile("file_name_of_a_bare_newline", ACCEPTED, _named, b'filename="a\nb"')
    yield hostile(
        "file_name_of_10_kilobytes", MALFORMED, _named, b'filename="%s"' % (b"a" * 10_000)
    )
    yield hostile(
        "file_name_encoded", "not_a_file", _named, b"filename*=UTF-8''..%2f..%2fetc%2fpasswd"
    )
    yield hostile("file_name_twice", ACCEPTED, _named, b'filename="a"; filename="/etc/passwd"')
    yield hostile("file_name_without_an_end", ACCEPTED, _named, b'filename="a')
    yield hostile("file_type_of_html", ACCEPTED, _typed, b"Content-Type: text/html")
    yield hostile("file_type_of_two_lines", ACCEPTED, _typed, b"Content-Type: a\r\nX-Injected: 1")
    yield hostile("file_in_base64", "portrait_unreadable", _in_base64)


def _named(file_name: bytes) -> bytes:
    named = part(b'name="portrait"; ' + file_name, portrait())
    return post_parts(named, *good_parts()[1:])


def _typed(header: bytes) -> bytes:
    typed = part(b'name="portrait"; filename="a"', portrait(), header)
    return post_parts(typed, *good_parts()[1:])


def _in_base64() -> bytes:
    encoded = part(
        b'name="portrait"; filename="a"', b"iVBORw0KGgo=", b"Content-Transfer-Encoding: base64"
    )
    return post_parts(encoded, *good_parts()[1:])


# Forms


CHARSETS = (
    *(b"undefined", b"idna", b"punycode", b"utf-7", b"unicode_escape", b"raw_unicode_escape"),
    *(b"utf-16", b"utf-32", b"zip", b"bz2", b"rot13", b"hex", b"base64", b"uu", b"mbcs", b"cp037"),
    *(b"../../etc/passwd", b"a" * 1_000, b'"\xff"', b'""', b"utf_8_sig", b"oem", b"palmos"),
)


def forms() -> Iterator[HostileRequest]:
    """Yield malformed forms."""
    bare = b"Content-Type: multipart/form-data"
    for name, type in {
        "without_a_boundary": bare,
        "with_an_empty_boundary": bare + b"; boundary=",
        "with_another_boundary": bare + b"; boundary=elsewhere",
        "with_a_boundary_of_5_kilobytes": bare + b"; boundary=" + b"b" * 5_000,
        "with_a_boundary_of_newlines": bare + b'; boundary="\\r\\n"',
    }.items():
        yield HostileRequest(f"form_{name}", partial(post_form, type=type), MALFORMED)
    many = part(b'name="seed"', b"1")
    yield hostile("form_of_100000_parts", MALFORMED, post_parts, *[many] * 100_000)
    file = part(b'name="x"; filename="x"', b"")
    yield hostile("form_of_1000_files", "unknown_option", post_parts, *[file] * 1_000)
    yield hostile("form_of_nothing", "consent_required", post_parts)
    yield hostile("form_with_a_part_twice", "repeated_part", post_form, good_parts()[0])
    for count in (1, 5_000_000):
        header = b"X-Long: " + b"a" * count
        expected = ACCEPTED if count == 1 else MALFORMED
        yield hostile(f"form_with_a_header_of_{count}_bytes", expected, _typed, header)
    yield hostile("form_with_100000_headers", MALFORMED, _typed, b"\r\n".join([b"A: b"] * 100_000))
    nested = part(b'name="audio"; filename="b"', form(*good_parts()), FORM_TYPE)
    parts = (good_parts()[0], nested, good_parts()[2])
    yield hostile("form_in_a_form", "repeated_part", post_parts, *parts)
    for name, disposition in {
        "without_a_name": b'filename="a"',
        "with_a_name_of_5_kilobytes": b'name="%s"' % (b"a" * 5_000),
    }.items():
        yield hostile(f"part_{name}", MALFORMED, post_form, part(disposition, b"x"))
    for name, given in {
        "of_brackets": b"portrait[]",
        "written_backwards": "\u202etiartrop".encode(),
        "of_broken_text": b"\xff\xfe",
        "of_a_prototype": b"__proto__",
        "of_an_attribute": b"options.seed",
    }.items():
        odd = part(b'name="%s"' % given, b"x")
        yield hostile(f"part_named_{name}", "unknown_option", post_form, odd)
    large = part(b'name="metadata"', b"a" * 100_000)
    yield hostile("part_of_100_kilobytes_of_text", MALFORMED, post_form, large)
    yield hostile("form_cut_short", INCOMPLETE, _cut_form)
    yield hostile("form_behind_a_preamble", MALFORMED, _preamble)
    yield hostile("form_of_bare_newlines", MALFORMED, _newlines)
    for charset in CHARSETS:
        name = repr(charset[:30])[2:-1]
        type = FORM_TYPE + b"; charset=" + charset
        text = part(b'name="metadata"', rb'{"note": "\ud800 \\N{DIGIT ONE} +2AA- x..y"}')
        made = partial(post_form, text, type=type)
        yield HostileRequest(f"form_in_the_charset_{name}", made, MALFORMED)


def _cut_form() -> bytes:
    return request(FORM_TYPE, body=form(*good_parts())[:-10])


def _preamble() -> bytes:
    return request(FORM_TYPE, body=b"x" * 1_000_000 + b"\r\n" + form(*good_parts()))


def _newlines() -> bytes:
    return request(FORM_TYPE, body=form(*good_parts()).replace(b"\r\n", b"\n"))
