from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.control.scopes import ACCOUNT_SCOPES, ALL_SCOPES, ENVIRONMENT_SCOPES, implies, unknown

scopes = st.sampled_from(sorted(ALL_SCOPES))
sets = st.frozensets(scopes, max_size=5)


def test_there_are_43_environment_and_6_account_scopes() -> None:
    assert len(set(ENVIRONMENT_SCOPES)) == 43
    assert len(set(ACCOUNT_SCOPES)) == 6


@given(sets, scopes)
def test_what_is_granted_is_implied(granted: frozenset[str], wanted: str) -> None:
    assert implies(granted | {wanted}, wanted)


@given(sets, sets, scopes)
def test_more_scopes_never_allow_less(granted: frozenset[str], more: frozenset[str], wanted: str) -> None:
    assert implies(granted | more, wanted) >= implies(granted, wanted)


@given(scopes)
def test_nothing_implies_nothing(wanted: str) -> None:
    assert not implies(frozenset(), wanted)


@given(scopes, scopes)
def test_a_single_scope_never_reaches_outside_its_own_family(one: str, wanted: str) -> None:
    if implies({one}, wanted):
        assert wanted.startswith(one.removesuffix("*").removesuffix("_credentials"))


@given(st.sampled_from(ENVIRONMENT_SCOPES))
def test_the_environment_wildcard_covers_its_environment_and_no_account(wanted: str) -> None:
    assert implies({"environment:*"}, wanted)
    assert not any(implies({"environment:*"}, scope) for scope in ACCOUNT_SCOPES)


def test_reading_credentials_implies_reading_and_not_the_reverse() -> None:
    assert implies({"environment:connections:read_credentials"}, "environment:connections:read")
    assert not implies({"environment:connections:read"}, "environment:connections:read_credentials")
    assert implies({"environment:connections:*"}, "environment:connections:read_credentials")


def test_a_family_wildcard_covers_nested_verbs() -> None:
    assert implies({"environment:syncs:*"}, "environment:syncs:variant:create")
    assert not implies({"environment:syncs:*"}, "environment:*")
    assert not implies({"environment:syncs:read"}, "environment:syncs:*")


def test_a_key_cannot_have_scopes_of_the_other_kind() -> None:
    assert unknown(["account:*", "environment:mcp"], "environment") == ["account:*"]
    assert unknown(["account:*", "environment:mcp"], "account") == ["environment:mcp"]
