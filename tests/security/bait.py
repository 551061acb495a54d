"""A URL that only hostile files contain, and a listener there that records connections."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread

# An address in 127.0.0.0/8 for this process alone, so that parallel runs do not interfere.
HOST = f"127.{os.getpid() >> 16 & 0x7F | 0x80}.{os.getpid() >> 8 & 0xFF}.{os.getpid() & 0xFF}"
PORT = 27_183
ADDRESS = f"{HOST}:{PORT}"
URL = f"http://{ADDRESS}/bait"


@dataclass
class Listener:
    """Accepts TCP connections and UDP datagrams at the bait's address, and records them."""

    heard: list[str] = field(default_factory=list)


@contextmanager
def listening() -> Iterator[Listener]:
    """Listen within the context; the kernel accepts connections, so that none is missed."""
    listener = Listener()
    with _bound(socket.SOCK_STREAM) as tcp, _bound(socket.SOCK_DGRAM) as udp:
        tcp.listen(100)
        threads = [
            Thread(target=_hear_connections, args=(tcp, listener)),
            Thread(target=_hear_datagrams, args=(udp, listener)),
        ]
        for thread in threads:
            thread.start()
        try:
            yield listener
        finally:
            # Wakes the threads, which closing alone does not.
            tcp.shutdown(socket.SHUT_RDWR)
            udp.sendto(b"", (HOST, PORT))
            for thread in threads:
                thread.join()


def _bound(kind: socket.SocketKind) -> socket.socket:
    bound = socket.socket(socket.AF_INET, kind)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, PORT))
    return bound


def _hear_connections(tcp: socket.socket, listener: Listener) -> None:
    while True:
        try:
            connection, _ = tcp.accept()
        except OSError:
            return
        listener.heard.append("a TCP connection")
        connection.close()


def _hear_datagrams(udp: socket.socket, listener: Listener) -> None:
    while datagram := udp.recv(2048):
        listener.heard.append(f"a datagram {datagram[:40]!r}")
