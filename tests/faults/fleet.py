"""The processes of a system under test: killed, frozen, resumed, stopped and restarted by name.

`worker-1` is the worker's parent, `worker-1.child` the process with its pipeline. Use a fleet only
from the thread that started it: Linux kills a process when the thread that started it ends.
"""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from deploy.standalone import chain
from deploy.standalone.child import Child, Program
from deploy.standalone.parent_death import Guard
from tests.faults.history import Faulted, History, Revived
from tests.waiting import wait_for

CHILD = ".child"


class Fleet:
    """Processes that die with this one; every fault is recorded."""

    def __init__(self) -> None:
        self.history = History()
        self._children: dict[str, Child] = {}
        self._guard: Guard

    @property
    def names(self) -> tuple[str, ...]:
        """All processes that can be struck, including the workers' children."""
        children = (f"{name}{CHILD}" for name in self._children if name.startswith("worker"))
        return (*self._children, *children)

    @property
    def logs(self) -> tuple[Path, ...]:
        """The log of each program."""
        return tuple(child.program.log for child in self._children.values())

    @contextmanager
    def running(self, programs: Iterable[Program]) -> Iterator[None]:
        """Run programs, all of them ready, within the context."""
        with Guard() as self._guard:
            try:
                for program in programs:
                    self._children[program.name] = Child(program, self._guard)
                    self._children[program.name].start()
                for child in self._children.values():
                    child.wait_ready()
                yield
            finally:
                for child in reversed(self._children.values()):
                    child.clean_up()

    def kill(self, name: str, where: str = "") -> None:
        """Send SIGKILL to one process, not to its children or its parent."""
        self._strike("kill", name, signal.SIGKILL, where)

    def freeze(self, name: str) -> None:
        """Send SIGSTOP to one process, or to all parts of SeaweedFS."""
        self._strike("stop", name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Resume a frozen process, which then handles what it missed."""
        self._send(name, signal.SIGCONT)
        self.history.record(Revived(name))

    def thaw_all(self) -> None:
        """Resume everything that may be frozen."""
        for name in filter(self.is_alive, self.names):
            self._send(name, signal.SIGCONT)

    def terminate(self, name: str) -> None:
        """Send SIGTERM, and wait for the end."""
        self.ask_to_stop(name)
        self._children[name].await_end()

    def ask_to_stop(self, name: str) -> None:
        """Send SIGTERM."""
        self.history.record(Faulted("terminate", name))
        self._children[name].ask_to_stop()

    def relaunch(self, *names: str) -> None:
        """Restart dead processes, killing their remains first, without waiting."""
        for name in names:
            self._children[name].clean_up()
            self._children[name].start()

    def revive(self, *names: str) -> None:
        """Restart dead processes, like a supervisor, and wait until they are ready.

        The rest of the process group is killed first. A worker's child is restarted by its parent,
        which is awaited.
        """
        self.relaunch(*(name for name in names if not name.endswith(CHILD)))
        for name in names:
            if name.endswith(CHILD):
                wait_for(partial(self.is_alive, name))
            else:
                self._children[name].wait_ready()
            self.history.record(Revived(name))

    def revive_all(self) -> None:
        """Restart everything that is not running; a frozen process counts as running."""
        self.revive(*(name for name, child in self._children.items() if not child.is_running))

    def restart(self, name: str, **environment: str) -> None:
        """Stop a process in order and start it with other settings."""
        program = self._children[name].program
        self._children[name].stop()
        changed = replace(program, env={**program.env, **environment})
        self._children[name] = Child(changed, self._guard)
        self.revive(name)

    def program(self, name: str) -> Program:
        """Return the command of a process and its settings."""
        return self._children[name].program

    def pid(self, name: str) -> int:
        """Return the id of a process.

        Raises:
            ProcessLookupError: it is not running.
        """
        parent = self._children[name.removesuffix(CHILD)]
        if parent.pid is None or not parent.is_running:
            raise ProcessLookupError(f"{name} does not run.")
        return _spawned_child(parent.pid) if name.endswith(CHILD) else parent.pid

    def is_alive(self, name: str) -> bool:
        """Return whether a process is running, frozen or not."""
        try:
            self.pid(name)
        except ProcessLookupError:
            return False
        return True

    def _strike(self, deed: str, name: str, sign: signal.Signals, where: str = "") -> None:
        self._send(name, sign)
        self.history.record(Faulted(deed, name, where))
        if sign is signal.SIGKILL and not name.endswith(CHILD):
            wait_for(lambda: not self._children[name].is_running)

    def _send(self, name: str, sign: signal.Signals) -> None:
        """Signal a process; what a chain runs are parts of one program and share its fate."""
        pid = self.pid(name)
        is_chain = chain.__name__ in self.program(name.removesuffix(CHILD)).command
        (os.killpg if is_chain else os.kill)(pid, sign)


def _spawned_child(parent: int) -> int:
    """Return the process that a worker's parent started to run the pipeline."""
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        with suppress(FileNotFoundError):
            if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return int(pid)
    raise ProcessLookupError(f"The worker {parent} has no child.")
