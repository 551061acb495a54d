"""HTTP calls of tests to servers on this machine."""

import ssl

import httpx

from tests.waiting import PATIENCE

loopback = httpx.Client(
    timeout=PATIENCE,
    trust_env=False,
    limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    # Loading the trusted certificates takes a tenth of a second, and loopback needs none.
    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
)
"""A client for single calls, each on a connection of its own."""
