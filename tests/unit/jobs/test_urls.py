from ipaddress import ip_address

import pytest

from jobs.errors import UrlRefused
from jobs.urls import MAX_LENGTH, UrlRules, is_public

RULES = UrlRules()
LOCAL = UrlRules(local=True)


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "151.101.1.69",
        "2606:4700::1111",
        "2a00:1450:4001::200e",
        "64:ff9b::808:808",  # NAT64 of 8.8.8.8
        "2002:808:808::1",  # 6to4 of 8.8.8.8
        "::ffff:8.8.8.8",
    ],
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3"),
        *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
        *("169.254.169.254", "169.254.0.1"),  # cloud metadata and its neighbours
        *("100.64.0.1", "100.100.100.200", "100.127.255.255"),  # carrier-grade NAT
        *("224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
        *("192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1"),
        *("168.63.129.16", "192.88.99.1"),
        *(
            "::",
            "::1",
            "::2",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ),
        *("100::1", "2001:db8::1", "3fff::1", "4000::1", "5f00::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
        *("::127.0.0.1", "::10.0.0.1"),
        *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::a00:1", "64:ff9b:1::1"),
        *("2002:7f00:1::", "2002:a00:1::1", "2002:c0a8:101::1", "2002:a9fe:a9fe::"),
        *("2001:0:7f00:1::", "2001:0:808:808::"),  # Teredo
    ],
)
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not RULES.allow(address)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com/portrait.jpg?signature=abc",
        "HTTPS://Example.COM:443/a",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]/",
        "https://bücher.example/",
        "https://example.com./",
        "https://files.example.com/@user/a.jpg",
        "https://x1.0x.example/",
    ],
)
def test_a_usual_url_is_accepted(url: str) -> None:
    RULES.check(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://example.com", "ftp://example.com", "file:///etc/passwd", "gopher://example.com"),
        *("data:text/plain,x", "javascript:alert(1)", "//example.com/x", "example.com", ""),
        *("https://", "https:///x", "https:example.com"),
        *("https://user@example.com", "https://user:secret@example.com", "https://:x@example.com"),
        *("https://8.8.8.8:secret@127.0.0.1/", "https://example.com\\@127.0.0.1/"),
        *("https://example.com:80", "https://example.com:6379", "https://example.com:8443"),
        *("https://example.com:99999", "https://example.com:x"),
        *("https://127.0.0.1/", "https://10.0.0.1/", "https://169.254.169.254/latest/meta-data"),
        *("https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/"),
        *("https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[::ffff:7f00:1]/"),
        *("https://0x7f.1/", "https://0x7f000001/", "https://2130706433/", "https://127.1/"),
        *("https://0177.0.0.1/", "https://127.0.0.1./", "https://0/", "https://1.2.3.0x4/"),
        *("https://１２７.0.0.1/", "https://①②⑦.⓪.⓪.①/", "https://%31%32%37.0.0.1/"),
        *("https://127.0.0.1%00.example.com/", "https://exam ple.com/", "https://exa\tmple.com"),
        *("https://xn--/", "https://xn--a/", "https://xn--a_/", "https://[/", "https://]["),
        "https://example.com/\nHost: evil",
        "https://example.com/" + "a" * MAX_LENGTH,
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(UrlRefused):
        RULES.check(url)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/a", "https://localhost:1/", "http://[::1]/", "http://example.com"],
)
def test_in_development_http_and_loopback_are_accepted_too(url: str) -> None:
    LOCAL.check(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://10.0.0.1/", "http://169.254.169.254/", "http://[fe80::1]/", "file:///etc/passwd"),
        *("http://user@127.0.0.1/", "http://0x7f.1/", "http://0.0.0.0/"),
    ],
)
def test_in_development_nothing_else_is(url: str) -> None:
    with pytest.raises(UrlRefused):
        LOCAL.check(url)


def test_a_refusal_does_not_quote_the_query() -> None:
    with pytest.raises(UrlRefused) as refusal:
        RULES.check("http://example.com/a?signature=secret")
    assert "example.com/a" in str(refusal.value)
    assert "secret" not in str(refusal.value)


def test_a_fragment_is_not_sent() -> None:
    assert str(RULES.check("https://example.com/a#b")) == "https://example.com/a"
