"""What a person types into the fields of an entry."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.connect.target import check_config
from dragoman_server.kit.errors import InvalidInputError
from dragoman_server.providers.model import Field

FIELDS = {
    "shop": Field("shop", title="Shop", pattern="^[a-z0-9-]+$", prefix="https://", suffix=".example.com"),
    "kind": Field("kind", title="Kind", enum=("a", "b"), default_value="a"),
    "note": Field("note", title="Note", optional=True),
    "host": Field("host", title="Host", format="hostname", optional=True),
    "filled": Field("filled", automated=True),
    "extra": Field("extra", title="Extra", visible_when={"field": "kind", "equals": "b"}),
}


def test_a_pasted_prefix_and_suffix_are_cut_off_and_defaults_filled_in() -> None:
    assert check_config(FIELDS, {"shop": " https://ann.example.com "}) == {"shop": "ann", "kind": "a"}


@pytest.mark.parametrize(
    ("given_config", "path"),
    [
        ({}, ("params", "shop")),
        ({"shop": "Ann!"}, ("params", "shop")),
        ({"shop": "ann", "kind": "c"}, ("params", "kind")),
        ({"shop": "ann", "kind": "b"}, ("params", "extra")),
        ({"shop": "ann", "filled": "x"}, ("params", "filled")),
        ({"shop": "ann", "host": "a b"}, ("params", "host")),
        ({"shop": "ann", "host": "evil.example/path"}, ("params", "host")),
        ({"shop": "ann", "unknown": "x"}, ("params",)),
        ({"shop": "ann", "note": "a\nb"}, ("params", "note")),
        ({"shop": "ann", "note": "x" * 8193}, ("params", "note")),
        ({"shop": 5}, ("params", "shop")),
    ],
)
def test_every_wrong_field_is_named(given_config: dict[str, Any], path: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_config(FIELDS, given_config)

    assert caught.value.public_code == "invalid_query_params"
    assert path in [issue.path for issue in caught.value.issues]


@given(st.dictionaries(st.sampled_from([*FIELDS, "unknown", "oauth_scopes"]), st.text() | st.integers() | st.none()))
def test_nothing_typed_in_breaks_the_check(typed: dict[str, Any]) -> None:
    try:
        config = check_config(FIELDS, typed)
    except InvalidInputError:
        return

    assert config["shop"]
