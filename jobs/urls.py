"""Which URLs of callers are allowed: their form, and the addresses of their hosts.

A caller's URL is requested from inside our network, where it must not reach anything that the
caller could not reach from outside.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

from jobs.errors import UrlRefused

HTTPS_PORT = 443
MAX_LENGTH = 2048
"""Maximum number of characters."""

_HOST = re.compile(r"[a-z0-9._:-]{1,253}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# RFC 4291: all other unicast addresses are local or unassigned.
_IPV6_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
# Not public, although the standard library of some Python 3.11 versions says so.
_HIDDEN = (
    IPv4Network("192.0.0.0/24"),  # RFC 6890; metadata service of Oracle Cloud
    IPv6Network("3fff::/20"),  # documentation, RFC 9637
    IPv4Network("168.63.129.16/32"),  # host agent in Azure
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
)


@dataclass(frozen=True)
class UrlRules:
    """Which URLs are accepted.

    Attributes:
        local: also accept http, any port and this machine's loopback; for development.
    """

    local: bool = False

    def check(self, text: str) -> httpx.URL:
        """Check the form of a URL and return it; the host is not resolved.

        Raises:
            UrlRefused: the URL is not allowed.
        """
        url = _parse(text)
        if url.scheme not in (("https", "http") if self.local else ("https",)):
            raise _refused(url, "does not use https, which is required")
        if url.userinfo:
            raise _refused(url, "contains a user name, which is not accepted")
        if url.port not in (None, HTTPS_PORT) and not self.local:
            raise _refused(url, f"uses port {url.port}; only {HTTPS_PORT} is accepted")
        host = url.raw_host.decode("ascii")
        if not _HOST.fullmatch(host) or not _is_usual(host):
            raise _refused(url, "has a host in a non-standard notation")
        if _is_literal(host) and not self.allow(host):
            raise _refused(url, "points to an address that is not public")
        return url.copy_with(fragment=None)

    def allow(self, address: str) -> bool:
        """Return whether connections to an IP address are allowed."""
        ip = ip_address(address)
        return is_public(ip) or (self.local and ip.is_loopback)


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether the address can be reached from the public internet.

    An IPv6 address that represents an IPv4 address is treated like it.
    """
    if isinstance(address, IPv6Address):
        if embedded := _embedded(address):
            return is_public(embedded)
        if address not in _IPV6_UNICAST:
            return False
    is_hidden = any(address in network for network in _HIDDEN)
    return address.is_global and not address.is_multicast and not is_hidden


def _embedded(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


def _parse(text: str) -> httpx.URL:
    if len(text) > MAX_LENGTH:
        raise UrlRefused(f"The URL has {len(text)} characters; at most {MAX_LENGTH} are accepted.")
    try:
        url = httpx.URL(text)
        host = url.host
    # An invalidly encoded host raises ValueError.
    except (httpx.InvalidURL, ValueError) as error:
        raise UrlRefused(f"The URL {text[:60]!r} cannot be parsed: {error}.") from error
    if not host:
        raise UrlRefused(f"The URL {text[:60]!r} has no host.")
    return url


def _is_usual(host: str) -> bool:
    """Return whether a host is a name or a plain address; 0x7f.1 and 2130706433 are neither."""
    last = host.rstrip(".").rpartition(".")[2]
    return _is_literal(host) or not (":" in host or _NUMBER.fullmatch(last))


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _refused(url: httpx.URL, reason: str) -> UrlRefused:
    # A query may contain a signature, and rejected URLs are often quoted.
    shown = f"{url.scheme}://{url.host}{url.path}"
    return UrlRefused(f"The URL {shown[:100]} {reason}.")
