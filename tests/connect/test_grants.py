"""Grants are pure: what is sent, and what odd answers mean."""

from base64 import b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.grants import api_key, authorization_code, basic, client_credentials, pkce, refresh_token
from dragoman_server.connect.grants.model import Client, TokenAnswer, TokenRefusal, TokenRequest
from dragoman_server.connect.grants.token_response import parse
from dragoman_server.providers.model import AuthMode, Credential

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ENTRY: dict[str, Any] = {
    "authorization_url": "https://id.example/authorize",
    "token_url": "https://id.example/token",
    "auth_mode": "OAUTH2",
}
CLIENT = Client("app", "s3cret/+&", ("read", "write"))


def asked(**changes: Any) -> authorization_code.Asked:
    given: dict[str, Any] = {"redirect_uri": "https://d.example/oauth/callback", "state": "st", "verifier": "v" * 43}
    return authorization_code.Asked(**(given | changes))


def url_params(url: str) -> dict[str, str]:
    return {k: v[0] for k, v in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def body_params(request: TokenRequest) -> dict[str, str]:
    assert request.body is not None
    return {k: v[0] for k, v in parse_qs(request.body.decode(), keep_blank_values=True).items()}


def answer_of(body: object, *, entry: dict[str, Any] | None = None, status: int = 200) -> TokenAnswer:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = parse(entry or ENTRY, status, raw, NOW)
    assert isinstance(answer, TokenAnswer)
    return answer


def refusal_of(body: object, *, status: int = 400) -> TokenRefusal:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    answer = parse(ENTRY, status, raw, NOW)
    assert isinstance(answer, TokenRefusal)
    return answer


def test_the_authorization_url_carries_the_s256_challenge_of_the_verifier() -> None:
    params = url_params(authorization_code.authorization_url(ENTRY, CLIENT, asked()))

    expected = urlsafe_b64encode(sha256(b"v" * 43).digest()).rstrip(b"=").decode()
    assert params == {
        "response_type": "code", "client_id": "app", "redirect_uri": "https://d.example/oauth/callback",
        "scope": "read write", "state": "st", "code_challenge": expected, "code_challenge_method": "S256",
    }  # fmt: skip


def test_the_rfc_7636_example_verifier_gives_the_rfc_challenge() -> None:
    assert (
        pkce.challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )


def test_pkce_stays_away_where_the_entry_disables_it() -> None:
    assert not authorization_code.uses_pkce({**ENTRY, "disable_pkce": True})

    assert "code_challenge" not in url_params(authorization_code.authorization_url(ENTRY, CLIENT, asked(verifier=None)))


def test_the_browser_cannot_choose_state_redirect_uri_or_challenge() -> None:
    wishes = {"state": "mine", "redirect_uri": "https://evil.example", "code_challenge": "x", "client_id": "other"}

    params = url_params(authorization_code.authorization_url(ENTRY, CLIENT, asked(authorization_params=wishes)))

    assert params["state"] == "st"
    assert params["redirect_uri"] == "https://d.example/oauth/callback"
    assert params["client_id"] == "app"
    assert params["code_challenge"] != "x"


def test_request_time_parameters_replace_and_remove_the_entrys() -> None:
    entry = {**ENTRY, "authorization_params": {"access_type": "offline", "prompt": "consent"}}
    wishes = {"prompt": "undefined", "access_type": "online"}

    params = url_params(authorization_code.authorization_url(entry, CLIENT, asked(authorization_params=wishes)))

    assert params["access_type"] == "online"
    assert "prompt" not in params


def test_scopes_are_joined_as_the_vendor_wants_and_may_be_overridden() -> None:
    entry = {**ENTRY, "scope_separator": ","}
    config = {"oauth_scopes_override": "one, two"}

    params = url_params(authorization_code.authorization_url(entry, CLIENT, asked(connection_config=config)))

    assert params["scope"] == "one,two"


def test_the_authorization_url_is_filled_from_the_connection_config() -> None:
    entry = {**ENTRY, "authorization_url": "https://${connectionConfig.shop}.example/authorize?x=1"}

    url = authorization_code.authorization_url(entry, CLIENT, asked(connection_config={"shop": "ann"}))

    assert url.startswith("https://ann.example/authorize?x=1&response_type=code")


@pytest.mark.parametrize(
    ("keys", "in_body", "header"),
    [
        ({}, {"client_id": "app", "client_secret": "s3cret/+&"}, None),
        ({"token_request_auth_method": "basic"}, {}, "app:s3cret/+&"),
        ({"authorization_method": "header"}, {}, "app:s3cret%2F%2B%26"),
        ({"token_request_auth_method": "custom"}, {"username": "app", "password": "s3cret/+&"}, None),
    ],
)
def test_the_client_authenticates_as_the_entry_says(
    keys: dict[str, Any], in_body: dict[str, str], header: str | None
) -> None:
    request = authorization_code.token_request(
        {**ENTRY, **keys}, CLIENT, code="c", verifier="v", redirect_uri="https://d.example/cb", connection_config={}
    )

    sent = {
        "grant_type": "authorization_code",
        "code": "c",
        "code_verifier": "v",
        "redirect_uri": "https://d.example/cb",
    }
    assert body_params(request) == sent | in_body
    authorization = dict(request.headers).get("authorization")
    assert (authorization and b64decode(authorization.removeprefix("Basic ")).decode()) == header


def test_a_token_request_prints_no_secret() -> None:
    request = authorization_code.token_request(
        ENTRY,
        CLIENT,
        code="the-code",
        verifier="the-verifier",
        redirect_uri="https://d.example/cb",
        connection_config={},
    )

    assert "s3cret" not in repr((request, CLIENT))
    assert "the-code" not in repr(request)


def test_json_and_query_bodies() -> None:
    as_json = refresh_token.token_request(
        {**ENTRY, "body_format": "json"}, CLIENT, credential=oauth({"refresh_token": "rt"}), connection_config={}
    )
    as_query = refresh_token.token_request(
        {**ENTRY, "body_format": "query"}, CLIENT, credential=oauth({"refresh_token": "rt"}), connection_config={}
    )

    assert msgspec.json.decode(as_json.body or b"")["refresh_token"] == "rt"
    assert dict(as_json.headers)["content-type"] == "application/json"
    assert as_query.body is None
    assert url_params(as_query.url)["refresh_token"] == "rt"


def oauth(values: dict[str, Any]) -> Credential:
    return Credential(AuthMode.OAUTH2, values)


def test_a_refresh_uses_refresh_params_and_the_refresh_url() -> None:
    entry = {
        **ENTRY,
        "refresh_url": "https://id.example/renew",
        "refresh_params": {"grant_type": "refresh", "extra": "${credentials.refresh_token}"},
    }

    request = refresh_token.token_request(
        entry, CLIENT, credential=oauth({"refresh_token": "rt"}), connection_config={}
    )

    assert request.url == "https://id.example/renew"
    assert body_params(request)["grant_type"] == "refresh"
    assert body_params(request)["extra"] == "rt"


def test_a_refresh_without_a_new_refresh_token_keeps_the_old_one() -> None:
    values = refresh_token.renewed_values(
        {"access_token": "a", "refresh_token": "old"}, answer_of({"access_token": "b"})
    )

    assert values["refresh_token"] == "old"
    assert values["access_token"] == "b"


def test_client_credentials_send_the_connections_own_client() -> None:
    credential = Credential(AuthMode.OAUTH2_CC, {"client_id": "mine", "client_secret": "own"})

    request = client_credentials.token_request(
        ENTRY, CLIENT, credential=credential, connection_config={"oauth_scopes": "x,y"}
    )

    assert body_params(request) == {
        "grant_type": "client_credentials",
        "scope": "x y",
        "client_id": "mine",
        "client_secret": "own",
    }


@pytest.mark.parametrize("expires_in", [3600, "3600", 3600.0, "3600.0"])
def test_expires_in_may_be_a_number_or_text(expires_in: object) -> None:
    assert answer_of({"access_token": "a", "expires_in": expires_in}).life == timedelta(hours=1)


@pytest.mark.parametrize("nonsense", ["soon", None, True, -5, 0, [], "nan", "inf", 1e300])
def test_a_nonsensical_life_counts_as_unstated(nonsense: object) -> None:
    body = {"access_token": "a", "expires_in": nonsense}

    assert answer_of(body).life is None


def test_a_form_encoded_answer_is_read() -> None:
    answer = answer_of(b"access_token=a&refresh_token=r&expires_in=60&scope=x")

    assert (answer.access_token, answer.refresh_token, answer.life) == ("a", "r", timedelta(seconds=60))


def test_an_error_with_status_200_is_a_refusal() -> None:
    refusal = refusal_of({"error": "bad_verification_code"}, status=200)

    assert refusal.error == "bad_verification_code"
    assert not refusal.grant_is_dead


def test_invalid_grant_is_a_dead_grant_and_a_5xx_may_have_happened() -> None:
    assert refusal_of({"error": "invalid_grant"}).grant_is_dead
    assert refusal_of(b"<html>", status=502).may_have_happened


def test_the_message_of_a_refusal_shows_no_body() -> None:
    refusal = refusal_of({"error": "invalid_grant", "error_description": "token abc123 is spent"})

    assert "abc123" not in refusal.sentence()
    assert "abc123" not in repr(refusal)


def test_the_token_may_be_elsewhere_in_the_answer() -> None:
    entry = {**ENTRY, "alternate_access_token_response_path": "authed_user"}

    answer = answer_of({"ok": True, "authed_user": {"access_token": "xoxp", "scope": "s"}}, entry=entry)

    assert answer.access_token == "xoxp"


def test_only_listed_texts_and_booleans_become_connection_config() -> None:
    entry = {**ENTRY, "token_response_metadata": ["instance_url", "team.id", "ok", "deep"]}
    body = {
        "access_token": "a",
        "instance_url": "https://x",
        "team": {"id": "T1"},
        "ok": True,
        "deep": {"a": 1},
        "other": "no",
    }

    assert answer_of(body, entry=entry).metadata == {"instance_url": "https://x", "id": "T1", "ok": True}


@given(st.binary(max_size=200), st.integers(100, 599))
def test_no_answer_whatever_breaks_the_parser(body: bytes, status: int) -> None:
    answer = parse(ENTRY, status, body, NOW)

    assert isinstance(answer, TokenAnswer | TokenRefusal)


@given(
    st.dictionaries(
        st.sampled_from(["access_token", "expires_in", "expires_at", "refresh_token", "error"]),
        st.none()
        | st.booleans()
        | st.floats(allow_nan=True)
        | st.integers()
        | st.text(max_size=20)
        | st.lists(st.integers(), max_size=2),
    )
)
def test_no_json_answer_breaks_the_parser(body: dict[str, Any]) -> None:
    raw = msgspec.json.encode(body)

    assert isinstance(parse(ENTRY, 200, raw, NOW), TokenAnswer | TokenRefusal)


def test_the_issuer_is_compared_exactly() -> None:
    entry = {**ENTRY, "issuer": "https://id.example"}

    assert not authorization_code.issuer_is_wrong(entry, {}, "https://id.example")
    assert authorization_code.issuer_is_wrong(entry, {}, "https://id.example/")
    assert not authorization_code.issuer_is_wrong(entry, {}, None)
    assert authorization_code.issuer_is_wrong(
        {**entry, "authorization_response_iss_parameter_supported": True}, {}, None
    )


@pytest.mark.parametrize("bad", [{}, {"apiKey": ""}, {"apiKey": 5}, {"apiKey": "x" * 1025}, {"apiKey": "a\nb"}])
def test_a_bad_api_key_is_refused_by_field(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidCredentialsError) as caught:
        api_key.values(ENTRY, bad)

    assert caught.value.issues[0].path == ("credentials", "apiKey")


def test_an_api_key_has_to_match_the_entrys_pattern() -> None:
    entry = {**ENTRY, "credentials": {"apiKey": {"pattern": "^sk_", "example": "sk_123"}}}

    with pytest.raises(InvalidCredentialsError, match="sk_123"):
        api_key.values(entry, {"apiKey": "pk_1"})

    assert api_key.values(entry, {"apiKey": "sk_1"}) == {"apiKey": "sk_1"}


def test_either_half_of_basic_may_be_blank_but_not_both() -> None:
    assert basic.values(ENTRY, {"username": "key"}) == {"username": "key", "password": ""}

    with pytest.raises(InvalidCredentialsError):
        basic.values(ENTRY, {"username": "", "password": ""})
