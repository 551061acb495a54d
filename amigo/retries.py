"""Which calls are made again, and after which pause."""

from collections.abc import Callable
from typing import TypedDict

from tenacity import (
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)
from tenacity.retry import retry_base

from amigo.calls import Call
from amigo.errors import ApiProblem, Unreachable

ATTEMPTS = 9
"""How often a call is made at most: a service that is away for half a minute is waited for."""

ATTEMPTS_AT_A_STRANGER = 3
"""The same while nothing has ever answered: the address may be wrong."""

LONGEST_PAUSE = 120.0
"""Seconds; who is asked to stay away for longer is told so at once."""

PASSING_STATUS = frozenset({429, 502, 503, 504})
PASSING_CODE = "idempotency_in_progress"

_backoff = wait_exponential_jitter(multiplier=0.25, max=8.0, jitter=0.25)


class Policy(TypedDict):
    """What tenacity, in both its colours, is told."""

    stop: Callable[[RetryCallState], bool]
    retry: retry_base
    wait: Callable[[RetryCallState], float]
    reraise: bool


class Retries:
    """The patience of one client; `has_answered` says whether the service ever did."""

    def __init__(self) -> None:
        self.has_answered = False

    def policy(self, call: Call) -> Policy:
        """Return how often and when a call is made again.

        A call that makes something new each time is made once.
        """
        return {
            "stop": self._is_enough if call.may_repeat else stop_after_attempt(1),
            "retry": retry_if_exception(may_pass),
            "wait": _pause,
            "reraise": True,
        }

    def _is_enough(self, state: RetryCallState) -> bool:
        attempts = ATTEMPTS if self.has_answered else ATTEMPTS_AT_A_STRANGER
        return state.attempt_number >= attempts


def may_pass(error: BaseException) -> bool:
    """Whether the same call may fare better in a while."""
    if isinstance(error, ApiProblem):
        passing = error.status in PASSING_STATUS or error.code == PASSING_CODE
        return passing and (error.retry_after or 0) <= LONGEST_PAUSE
    return isinstance(error, Unreachable) and error.may_pass


def _pause(state: RetryCallState) -> float:
    """Return the seconds that the service asked for, or ever longer ones."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ApiProblem) and error.retry_after is not None:
        return error.retry_after
    return _backoff(state)
