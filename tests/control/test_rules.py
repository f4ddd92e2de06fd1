from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.control.errors import InvalidValueError
from dragoman_server.control.model import EndUser, Organization
from dragoman_server.control.rules import (
    check_connection_id,
    check_environment_name,
    check_integration_credentials,
    check_integration_key,
    check_json,
    check_origin,
    check_tags,
    combine_tags,
    end_user_of_tags,
    is_email,
    merge_shallow,
    normalize_tags,
    tags_of_end_user,
)

tag_keys = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_\-./]{0,63}", fullmatch=True).filter(
    lambda key: key.lower() != "end_user_email"
)
tag_values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=255)
good_tags = st.dictionaries(tag_keys, tag_values, max_size=10).filter(
    lambda tags: len({key.lower() for key in tags}) == len(tags)
)
any_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(good_tags)
def test_good_tags_are_stored_in_lower_case_and_storing_them_again_changes_nothing(tags: dict[str, str]) -> None:
    stored = normalize_tags(tags)

    assert stored == {key.lower(): value for key, value in tags.items()}
    assert normalize_tags(stored) == stored


@given(st.dictionaries(st.text(st.characters()), st.text(st.characters()), max_size=15))
def test_any_tags_are_taken_whole_or_refused_with_a_place(tags: dict[str, str]) -> None:
    issues = check_tags(tags)

    if issues:
        assert all(issue.path[0] == "tags" and issue.message for issue in issues)
        with pytest.raises(InvalidValueError):
            normalize_tags(tags)
    else:
        assert len(normalize_tags(tags)) == len(tags)


@pytest.mark.parametrize(
    "tags",
    [
        {str(n) + "a": "x" for n in range(2)},
        {f"k{n}": "x" for n in range(11)},
        {"A": "x", "a": "y"},
        {"k": ""},
        {"k": "x" * 256},
        {"k" * 65: "x"},
        {"k\n": "x"},
        {"end_user_email": "nobody"},
        {"END_USER_EMAIL": "nobody"},
        {"k": "a\0b"},
    ],
)
def test_bad_tags_are_refused(tags: dict[str, str]) -> None:
    assert check_tags(tags)


@given(
    st.builds(
        EndUser,
        tag_values,
        st.none() | st.just("a@b.co"),
        st.none() | tag_values,
        organization=st.none() | st.builds(Organization, tag_values, st.none() | tag_values),
    )
)
def test_an_end_user_survives_the_way_through_tags(end_user: EndUser) -> None:
    assert end_user_of_tags(tags_of_end_user(end_user)) == end_user


def test_given_tags_win_over_the_end_users() -> None:
    user = EndUser("u1", "a@b.co", None, organization=Organization("o1", "Org"))

    assert combine_tags({"Organization_Id": "mine", "x": "y"}, user) == {
        "end_user_id": "u1",
        "end_user_email": "a@b.co",
        "organization_id": "mine",
        "organization_display_name": "Org",
        "x": "y",
    }


@given(any_json)
def test_accepted_json_holds_nothing_that_postgres_refuses(value: Any) -> None:
    if not check_json(value):
        assert "\0" not in str(value).encode().decode()
        assert "nan" not in repr(value).lower() or isinstance(value, str | dict | list)


def test_bottomless_json_is_refused() -> None:
    value: Any = {}
    for _ in range(2000):
        value = {"a": value}

    assert check_json(value)[0].code == "too_big"


@pytest.mark.parametrize("value", ["\0", {"a\0": 1}, ["\ud800"], {"a": [float("nan")]}, 10**400])
def test_unstorable_json_is_named(value: Any) -> None:
    assert check_json(value)


@given(st.dictionaries(st.text(), st.integers()), st.dictionaries(st.text(), st.integers()))
def test_merging_twice_is_merging_once(old: dict[str, int], new: dict[str, int]) -> None:
    once = merge_shallow(old, new)

    assert merge_shallow(once, new) == once
    assert once.keys() == old.keys() | new.keys()


@pytest.mark.parametrize("value", ["", "a" * 256, "a\n", "a/b", "ü", "a\0"])
def test_bad_integration_keys_are_refused(value: str) -> None:
    assert check_integration_key(value)


@pytest.mark.parametrize("value", ["github", "My app-1.2~:@_", "a" * 255])
def test_good_integration_keys_are_taken(value: str) -> None:
    assert not check_integration_key(value)


def test_connection_ids_take_the_odd_characters_of_the_contract() -> None:
    assert not check_connection_id(""",.;:=+~[]|@${}"'\\/_ -aZ9""")
    assert check_connection_id("a#b")
    assert check_connection_id("a\n")


def test_environment_names_are_lower_case() -> None:
    assert not check_environment_name("prod-eu_1")
    assert check_environment_name("Prod")


@pytest.mark.parametrize(
    ("origin", "fine"),
    [
        ("https://eu.example.com", True),
        ("http://localhost:8080", True),
        ("https://example.com/path", False),
        ("https://user@example.com", False),
        ("ftp://example.com", False),
        ("example.com", False),
        ("https://example.com:99999", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(origin: str, fine: bool) -> None:
    assert (not check_origin(origin, ("allowed_origins", 0))) is fine


def test_emails_are_plausible() -> None:
    assert is_email("a.b+c@mail.example.com")
    assert not is_email("a@b")
    assert not is_email("a b@c.de")
    assert not is_email("a@b.co\n")


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"type": "OAUTH1", "client_id": "a"}, ("credentials", "client_secret")),
        ({"type": "OAUTH2", "client_id": "a", "client_secret": ""}, ("credentials", "client_secret")),
        ({"type": "OAUTH2", "client_id": "a" * 256, "client_secret": "b"}, ("credentials", "client_id")),
        ({"type": "OAUTH2", "client_id": "a", "client_secret": "b", "scopes": "a b"}, ("credentials", "scopes")),
        ({"type": "OAUTH2", "client_id": "a", "client_secret": "b", "x": "y"}, ("credentials",)),
        ({"type": "APP", "app_id": "1", "app_link": "l", "private_key": "no"}, ("credentials", "private_key")),
        ({"type": "NOPE"}, ("credentials", "type")),
    ],
)
def test_bad_integration_credentials_are_named_without_their_value(values: dict[str, str], place: tuple[str]) -> None:
    [issue] = check_integration_credentials(values)

    assert issue.path == place


def test_good_integration_credentials_are_taken() -> None:
    values = {
        "type": "OAUTH2",
        "client_id": "a",
        "client_secret": "b",
        "scopes": "read,write:all",
        "webhook_secret": "s",
    }

    assert check_integration_credentials(values) == []
