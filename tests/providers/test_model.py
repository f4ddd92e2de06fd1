"""Credentials and the public shape of a provider."""

import base64

import pytest

from dragoman_server.providers.model import AuthMode, Credential, split_alternatives
from tests.providers.samples import provider


def test_every_secret_of_a_credential_is_named_for_redaction() -> None:
    credential = Credential(
        AuthMode.OAUTH2,
        {
            "access_token": "at-123456", "refresh_token": "rt-123456", "expires_at": "2030-01-01",
            "config_override": {"client_id": "public", "client_secret": "cs-123456"},
            "raw": {"access_token": "at-123456", "id_token": "id-123456", "token_type": "Bearer", "scope": "read", "authed_user": {"access_token": "xoxp-1"}},
        },
    )  # fmt: skip

    assert set(credential.secrets()) == {"at-123456", "rt-123456", "cs-123456", "id-123456", "xoxp-1"}


def test_a_basic_credential_also_hides_the_header_it_makes() -> None:
    credential = Credential(AuthMode.BASIC, {"username": "sk_live_123", "password": ""})

    assert set(credential.secrets()) == {"sk_live_123", base64.b64encode(b"sk_live_123:").decode()}


def test_secrets_come_longest_first_and_too_short_ones_not_at_all() -> None:
    credential = Credential(AuthMode.TWO_STEP, {"token": "abcdef", "password": "X", "secret": "abcdefgh"})

    assert credential.secrets() == ["abcdefgh", "abcdef"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://a", ("https://a",)),
        ("https://${a.b || c.d}.x || https://y", ("https://${a.b || c.d}.x", "https://y")),
        ("", ()),
        ("a||b || c", ("a", "b", "c")),
    ],
)
def test_alternatives_are_split_outside_placeholders(text: str, parts: tuple[str, ...]) -> None:
    assert split_alternatives(text) == parts


def test_the_public_shape_is_the_entry_with_name_and_logo() -> None:
    shown = provider(authorization_url="https://a.com/o", token_url="https://a.com/t", default_scopes=["r"]).public()

    assert shown["name"] == "vendor"
    assert shown["logo_url"] == "/images/template-logos/vendor.svg"
    assert shown["auth_mode"] == "OAUTH2"
    assert shown["default_scopes"] == ["r"]
    assert shown["proxy"]["base_url"] == "https://api.vendor.com/v1"


def test_fields_are_read_in_their_order_and_those_filled_in_by_us_are_not_asked() -> None:
    fields = provider(
        connection_config={
            "b": {"type": "string", "order": 2},
            "c": {"automated": True},
            "a": {"order": 1, "title": "A"},
        }
    ).connection_config

    assert list(fields) == ["a", "b", "c"]
    assert [f.name for f in fields.values() if f.asked] == ["a", "b"]


def test_a_token_url_may_differ_by_mode() -> None:
    entry = provider(token_url={"OAUTH2": "https://a.com/o", "APP": "https://a.com/a"})

    assert entry.token_url() == "https://a.com/o"
    assert entry.token_url(AuthMode.APP) == "https://a.com/a"
    assert provider(token_url="https://a.com").token_url(AuthMode.APP) == "https://a.com"
