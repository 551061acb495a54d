"""Strikes at a step of a process, and the files with which a test arms them.

Before or after the n-th call of a step from then on, once:

    kill    SIGKILL to the process itself
    stop    SIGSTOP to the process itself
    tell    the process waits until the test has injected another fault and releases it
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
"""How long a step waits for its release before it continues by itself."""


@dataclass(frozen=True)
class Strike:
    """The call of a step at which something happens.

    Attributes:
        step: the function's name, such as `JobStore.accept`.
        when: before or after the real function runs.
        deed: the action.
        call: number of the call, the next being 1; only calls that match `about` count.
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
    """Where a test arms a strike, and where its target processes find it.

    Its name is that of one process, `worker-2.child`, or of all of the same kind, `worker.child`:
    then only the first that reaches the step strikes.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._armed = folder / f"{name}.armed"
        self._struck = folder / f"{name}.struck"

    def arm(self, strike: Strike) -> None:
        """Arm a strike for one call."""
        self.disarm()
        draft = self._armed.with_suffix(".draft")
        draft.write_text(json.dumps({"id": uuid4().hex, **asdict(strike)}))
        draft.replace(self._armed)

    def disarm(self) -> None:
        """Disarm the trap, and release waiting processes."""
        self._armed.unlink(missing_ok=True)
        self._struck.unlink(missing_ok=True)

    @property
    def struck_by(self) -> str | None:
        """The process that has reached the step; None if none has, or it was released."""
        try:
            return self._struck.read_text()
        except FileNotFoundError:
            return None

    @property
    def is_struck(self) -> bool:
        """Whether a process has reached the step and was not released."""
        return self.struck_by is not None

    def release(self) -> None:
        """Release a process that waits at its step."""
        self._struck.unlink(missing_ok=True)

    def read(self) -> tuple[str, Strike] | None:
        """Return the armed strike and its id."""
        try:
            fields = json.loads(self._armed.read_text())
        except FileNotFoundError:
            return None
        return fields.pop("id"), Strike(**fields)

    def spring(self, deed: Deed, process: str) -> None:
        """Record that this process, with this name, has reached the step; then carry out the
        action.
        """
        mine = self._struck.with_suffix(f".{process}")
        try:
            self._armed.replace(mine)
        except FileNotFoundError:
            return  # disarmed, or struck by another process
        mine.write_text(process)
        mine.replace(self._struck)
        if deed == "tell":
            deadline = time.monotonic() + PATIENCE_SECONDS
            while self._struck.exists() and time.monotonic() < deadline:
                time.sleep(0.005)
        else:
            os.kill(os.getpid(), signal.SIGKILL if deed == "kill" else signal.SIGSTOP)
