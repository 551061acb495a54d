"""Strikes at a step of a process, and the files by which a harness arms them.

Before or after the n-th call of a step from then on, and once:

    kill    SIGKILL to the process itself
    stop    SIGSTOP to the process itself
    tell    the process waits until the harness has broken something else and lets it go on
"""

import json
import os
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

Deed = Literal["kill", "stop", "tell"]
When = Literal["before", "after"]

PATIENCE_SECONDS = 60.0
"""How long a step waits to be let go before it goes on by itself."""


@dataclass(frozen=True)
class Strike:
    """At which call of which step what shall happen.

    Attributes:
        step: the function's name, as `JobStore.accept`.
        when: before or after the real function runs.
        deed: what then happens.
        call: which call, the next being 1; only those count in which `about` occurs.
        about: a text in any argument of the call.
    """

    step: str
    when: When = "before"
    deed: Deed = "kill"
    call: int = 1
    about: str = ""

    def __str__(self) -> str:
        about = f"({self.about})" if self.about else ""
        return f"{self.when} {self.step}{about}" + (f" #{self.call}" if self.call > 1 else "")


class Trap:
    """Where a harness arms a strike, and where the processes that it is meant for find it.

    Its name is that of one process, `worker-2.child`, or of all that do the same, `worker.child`:
    then the first of them to come by strikes, and no other.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._armed = folder / f"{name}.armed"
        self._struck = folder / f"{name}.struck"

    def arm(self, strike: Strike) -> None:
        """Let a process strike, once."""
        self.disarm()
        draft = self._armed.with_suffix(".draft")
        draft.write_text(json.dumps({"id": uuid4().hex, **asdict(strike)}))
        draft.replace(self._armed)

    def disarm(self) -> None:
        """Let nothing happen any more, and whoever waits go on."""
        self._armed.unlink(missing_ok=True)
        self._struck.unlink(missing_ok=True)

    @property
    def struck_by(self) -> str | None:
        """The process that has come to the step; None: none has, or it was released."""
        try:
            return self._struck.read_text()
        except FileNotFoundError:
            return None

    @property
    def is_struck(self) -> bool:
        """Whether a process has come to the step and was not released."""
        return self.struck_by is not None

    def release(self) -> None:
        """Let a process go on that told of its step."""
        self._struck.unlink(missing_ok=True)

    def read(self) -> tuple[str, Strike] | None:
        """Return what is armed and the id of its arming."""
        try:
            fields = json.loads(self._armed.read_text())
        except FileNotFoundError:
            return None
        return fields.pop("id"), Strike(**fields)

    def spring(self, deed: Deed, process: str) -> None:
        """Mark that this process, which is called so, has come to the step; then do the deed."""
        mine = self._struck.with_suffix(f".{process}")
        try:
            self._armed.replace(mine)
        except FileNotFoundError:
            return  # disarmed, or struck by another
        mine.write_text(process)
        mine.replace(self._struck)
        if deed == "tell":
            deadline = time.monotonic() + PATIENCE_SECONDS
            while self._struck.exists() and time.monotonic() < deadline:
                time.sleep(0.005)
        else:
            os.kill(os.getpid(), signal.SIGKILL if deed == "kill" else signal.SIGSTOP)
