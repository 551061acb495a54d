"""A caller's permissions, and the errors when they are missing."""

import pytest

from jobs.valkey.api_keys import Scope
from service.auth import check_scope
from service.caller import ANYONE, Caller
from service.problems import Problem, ProblemType


def check(scope: Scope, caller: Caller) -> None:
    check_scope(caller, scope)


def test_whoever_uses_an_open_system_may_do_everything() -> None:
    assert (ANYONE.tenant, ANYONE.key_id) == ("local", None)
    for scope in Scope:
        check(scope, ANYONE)


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_opens_what_needs_it_and_nothing_else(scope: Scope) -> None:
    caller = Caller("acme", frozenset({scope}), "0" * 16)
    check(scope, caller)
    (other,) = set(Scope) - {scope}
    with pytest.raises(Problem) as refusal:
        check(other, caller)
    assert refusal.value.type is ProblemType.SCOPE_MISSING
    assert refusal.value.detail == f"The API key has the scopes {scope}; {other} is required."
    challenge = refusal.value.headers["WWW-Authenticate"]
    assert challenge == f'Bearer realm="amigo", error="insufficient_scope", scope="{other}"'


def test_a_key_without_scopes_is_told_so() -> None:
    with pytest.raises(Problem, match="the scopes none; jobs:read is required"):
        check(Scope.JOBS_READ, Caller("acme", frozenset(), "0" * 16))
