"""A Python module that runs as a process of its own and answers over its standard input."""

import socket
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

_ROOT = Path(__file__).parents[1]


class ConnectedProcess:
    """A process whose standard input is a socket to this one; it ends with the socket.

    So it also ends with this process, however that ends.

    Attributes:
        connection: our end of the socket.
    """

    def __init__(self, module: str, env: Mapping[str, str] | None = None) -> None:
        """Start the Python module of this name, by default with this process's environment."""
        ours, theirs = socket.socketpair()
        self.connection = Connection(ours.detach())
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - the command is our own
                [sys.executable, "-m", module], stdin=theirs.fileno(), cwd=_ROOT, env=env
            )

    def close(self) -> None:
        """Stop the process."""
        self._process.kill()
        self.connection.close()
        self._process.wait()
