"""The retry policy: which calls are retried, and with which delay."""

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
"""Maximum number of tries: enough for an outage of half a minute."""

ATTEMPTS_BEFORE_A_RESPONSE = 3
"""The same if the service has never responded: the URL may be wrong."""

LONGEST_PAUSE = 120.0
"""In seconds; longer requested delays are reported to the caller at once."""

PASSING_STATUS = frozenset({429, 502, 503, 504})
PASSING_CODE = "idempotency_in_progress"

_backoff = wait_exponential_jitter(multiplier=0.25, max=8.0, jitter=0.25)


class Policy(TypedDict):
    """Common arguments for tenacity's synchronous and asynchronous retrying."""

    stop: Callable[[RetryCallState], bool]
    retry: retry_base
    wait: Callable[[RetryCallState], float]
    reraise: bool


class Retries:
    """The retry policy of one client; `has_responded` is whether the service has ever responded."""

    def __init__(self) -> None:
        self.has_responded = False

    def policy(self, call: Call) -> Policy:
        """Return the number of tries and the delays for a call.

        Calls that are not safe to repeat are tried once.
        """
        return {
            "stop": self._is_enough if call.may_repeat else stop_after_attempt(1),
            "retry": retry_if_exception(lambda error: may_pass(error, call)),
            "wait": _pause,
            "reraise": True,
        }

    def _is_enough(self, state: RetryCallState) -> bool:
        attempts = ATTEMPTS if self.has_responded else ATTEMPTS_BEFORE_A_RESPONSE
        return state.attempt_number >= attempts


def may_pass(error: BaseException, call: Call) -> bool:
    """Whether a retry of the same call may succeed.

    A read is repeated after any error of the server: the next process may be a healthy one.
    """
    if isinstance(error, ApiProblem):
        passing = error.status in PASSING_STATUS or error.code == PASSING_CODE
        passing = passing or (call.method == "GET" and error.status >= 500)
        return passing and (error.retry_after or 0) <= LONGEST_PAUSE
    return isinstance(error, Unreachable) and error.may_pass


def _pause(state: RetryCallState) -> float:
    """Return the delay requested by the service, or an increasing one."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ApiProblem) and error.retry_after is not None:
        return error.retry_after
    return _backoff(state)
