"""Supervises programs: starts them in order, restarts those that die, stops them in order."""

import time
from _thread import start_new_thread
from collections.abc import Callable, Sequence
from enum import Enum, auto
from queue import Empty, SimpleQueue
from threading import Event

from deploy.standalone.child import POLL_SECONDS, Child, Program
from deploy.standalone.errors import StartFailed
from deploy.standalone.parent_death import Guard

FIRST_DELAY = 0.5  # seconds before a dead program is restarted
LONGEST_DELAY = 30.0
STABLE_SECONDS = 60.0  # uptime after which earlier deaths are forgotten


class ManagedProcess:
    """A supervised program: its child, its restarts, and when it is due to start again."""

    def __init__(self, program: Program, guard: Guard, print_line: Callable[[str], None]) -> None:
        self.program = program
        self.child = Child(program, guard)
        self.is_ready = False
        self.restarts = 0
        self._print_line = print_line
        self._failures = 0  # consecutive
        self._started = 0.0
        self._due: float | None = None
        self._stopping_since: float | None = None

    def start(self) -> None:
        """Start the program without waiting for it."""
        self.child.start()
        self.is_ready = False
        self._started = time.monotonic()
        self._due = None

    def check(self) -> None:
        """Check whether the program has become ready, and report it once.

        Raises:
            StartFailed: it ended, or was not ready in time.
        """
        if self.is_ready:
            return
        self.is_ready = self.child.check_ready(self._age)
        if self.is_ready:
            self._print_line(f"  {self.program.name:<13} ready after {self._age:4.1f} s")

    def supervise(self) -> bool:
        """Do what the program needs now; return whether anything changed."""
        if self._due is not None:
            return self._restart_when_due()
        if not self.child.is_running:
            reason = f"{self.program.name} {self.child.exit_reason()} ({self.program.log})."
            return self._schedule_restart(reason)
        if not self.is_ready:
            try:
                self.check()
            except StartFailed as error:
                return self._schedule_restart(str(error))
            return self.is_ready
        if self._age > STABLE_SECONDS:
            self._failures = 0
        return False

    def _schedule_restart(self, reason: str) -> bool:
        self.child.clean_up()
        self.is_ready = False
        delay = min(FIRST_DELAY * 2**self._failures, LONGEST_DELAY)
        self._failures += 1
        self._due = time.monotonic() + delay
        self._print_line(f"  {reason}\n  Restarting {self.program.name} in {delay:.1f} s.")
        return True

    def _restart_when_due(self) -> bool:
        if self._due is None or time.monotonic() < self._due:
            return False
        self.start()
        self.restarts += 1
        return True

    def has_stopped(self) -> bool:
        """Return whether a program that was asked to stop has ended, killed if it took too long."""
        self._stopping_since = self._stopping_since or time.monotonic()
        is_late = time.monotonic() - self._stopping_since > self.program.stop_seconds
        if self.child.is_running and not is_late:
            return False
        self.child.clean_up()
        return True

    @property
    def _age(self) -> float:
        return time.monotonic() - self._started


class Phase(Enum):
    """How far a supervisor's thread has come."""

    NEW = auto()
    STARTING = auto()
    RUNNING = auto()
    ENDED = auto()


class Supervisor:
    """Keeps tiers of programs running; a tier starts once the previous one is ready.

    One thread starts, monitors and stops all children: Linux kills a child when the thread that
    started it ends, so that thread must live as long as the children.

    A signal may raise KeyboardInterrupt anywhere in the caller's thread. There, nothing waits for a
    lock, because one that is interrupted within Event.wait may stay locked for ever.
    """

    def __init__(
        self,
        tiers: Sequence[Sequence[Program]],
        guard: Guard,
        print_line: Callable[[str], None],
        on_change: Callable[[Sequence[ManagedProcess]], None],
    ) -> None:
        self._tiers = [
            [ManagedProcess(program, guard, print_line) for program in tier] for tier in tiers
        ]
        self._guard, self._print_line = guard, print_line
        self._on_change = on_change
        self._wanted: SimpleQueue[Sequence[Program]] = SimpleQueue()
        self._leaving: list[ManagedProcess] = []
        self._stopping = Event()
        self._phase = Phase.NEW
        self._error: Exception | None = None

    @property
    def processes(self) -> list[ManagedProcess]:
        """All programs, in the order of their start."""
        return [process for tier in self._tiers for process in tier]

    def start(self) -> None:
        """Wait until all programs are ready.

        Raises:
            StartFailed: a program cannot start; all others have been stopped again.
        """
        start_new_thread(self._run, ())  # threading.Thread.start waits for an Event
        while self._phase in (Phase.NEW, Phase.STARTING):
            time.sleep(POLL_SECONDS)
        if self._error:
            raise self._error

    def stop(self) -> None:
        """Stop all programs, those of the last tier first."""
        self._stopping.set()
        while self._phase not in (Phase.NEW, Phase.ENDED):
            time.sleep(POLL_SECONDS)

    def replace_pool(self, programs: Sequence[Program]) -> None:
        """Run exactly these programs of a pool; soon after, those that are new have started and all
        others of the pool have been asked to stop.
        """
        self._wanted.put(programs)

    @property
    def is_running(self) -> bool:
        """Whether the supervisor is still running.

        Raises:
            Exception: the error that ended it.
        """
        if self._error:
            raise self._error
        return self._phase is not Phase.ENDED

    def _run(self) -> None:
        self._phase = Phase.STARTING
        try:
            for tier in self._tiers:
                self._start_tier(tier)
            self._on_change(self.processes)
            self._phase = Phase.RUNNING
            while not self._stopping.wait(POLL_SECONDS):
                changes = [process.supervise() for process in self.processes]
                if any([*changes, self._adjust_pool(), self._drop_stopped()]):
                    self._on_change(self.processes)
        except Exception as error:  # noqa: BLE001 - raised again by start() or wait()
            self._error = error
        finally:
            self._stop_all()
            self._phase = Phase.ENDED

    def _start_tier(self, tier: Sequence[ManagedProcess]) -> None:
        if self._stopping.is_set():
            return
        for process in tier:
            process.start()
        self._on_change(self.processes)
        while not all(process.is_ready for process in tier):
            if self._stopping.wait(POLL_SECONDS):
                return
            for process in tier:
                process.check()

    def _adjust_pool(self) -> bool:
        try:
            programs = {program.name: program for program in self._wanted.get_nowait()}
        except Empty:
            return False
        tier = self._tiers[-1]
        surplus = [each for each in tier if each.program.pool and each.program.name not in programs]
        for process in surplus:
            self._print_line(f"  {process.program.name} is stopping.")
            process.child.ask_to_stop()
            tier.remove(process)
        self._leaving += surplus
        for name in programs.keys() - {process.program.name for process in self.processes}:
            process = ManagedProcess(programs[name], self._guard, self._print_line)
            tier.append(process)
            process.start()
        return True

    def _drop_stopped(self) -> bool:
        """Forget the removed programs that have ended; return whether there were any."""
        ended = [process for process in self._leaving if process.has_stopped()]
        self._leaving = [process for process in self._leaving if process not in ended]
        return bool(ended)

    def _stop_all(self) -> None:
        for tier in reversed(self._tiers):
            for process in reversed(tier):
                process.child.ask_to_stop()
            for process in tier:
                process.child.await_end()
        for process in self._leaving:
            process.child.stop()
