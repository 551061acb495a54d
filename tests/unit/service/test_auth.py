"""A caller's permissions, and the errors when they are missing."""

import pytest

from jobs.valkey.api_keys import Scope
from service.auth import check_scope
from service.caller import ANYONE, Caller
from service.problems import Problem, ProblemType


def check(scope: Scope, caller: Caller) -> None:
    check_scope(caller, scope)


def test_an_open_system_allows_everything() -> None:
    assert (ANYONE.tenant, ANYONE.key_id) == ("local", None)
    for scope in Scope:
        check(scope, ANYONE)


@pytest.mark.parametrize("scope", list(Scope))
def test_a_scope_allows_only_what_requires_it(scope: Scope) -> None:
    caller = Caller("acme", frozenset({scope}), "0" * 16)
    check(scope, caller)
    (other,) = set(Scope) - {scope}
    with pytest.raises(Problem) as refusal:
        check(other, caller)
    assert refusal.value.type is ProblemType.SCOPE_MISSING
    assert refusal.value.detail == f"The API key has the scopes {scope}; {other} is required."
    challenge = refusal.value.headers["WWW-Authenticate"]
    assert challenge == f'Bearer realm="amigo", error="insufficient_scope", scope="{other}"'


def test_a_key_without_scopes_is_rejected_with_the_reason() -> None:
    with pytest.raises(Problem, match="has no scopes; jobs:read is required"):
        check(Scope.JOBS_READ, Caller("acme", frozenset(), "0" * 16))
