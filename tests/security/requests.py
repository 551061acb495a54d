"""Hostile requests."""

from collections.abc import Iterator
from functools import partial
from itertools import chain

from tests.security.bodies import addresses, bodies, documents, with_good
from tests.security.forms import file_names, forms
from tests.security.messages import (
    INVALID_REQUEST,
    JOB,
    MALFORMED,
    NOT_FOUND,
    SUCCESS,
    HostileRequest,
    get,
    hostile,
    post_json,
)


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
        made = partial(post_json, with_good(), headers=(b"Idempotency-Key: " + key,))
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
        made = partial(post_json, with_good(), headers=(b"Origin: " + origin,))
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
        file_names(),
        forms(),
        bodies(),
        documents(),
        addresses(),
        _headers(),
        _origins(),
        _lines(),
    )
)
