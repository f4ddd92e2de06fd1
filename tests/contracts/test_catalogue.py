"""Every entry we ship, against the schema and against what an entry promises."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from jsonschema import Draft202012Validator

from dragoman_server.providers import checks
from dragoman_server.providers.catalogue import OWN_ENTRIES, load_catalogue
from dragoman_server.providers.model import AuthMode, Credential, Field, Provider
from dragoman_server.providers.pagination import pagination_of
from dragoman_server.providers.rendering import OutboundRequest, RequestScope, build_request, own_origins
from dragoman_server.providers.retry import wait_before_retry
from dragoman_server.providers.templating import Moment, parse_template, render
from dragoman_server.providers.urls import origin_of, render_url
from dragoman_server.providers.verification import verification_calls

CATALOGUE = load_catalogue()
NAMES = CATALOGUE.names()
NOW = datetime(2030, 1, 1, tzinfo=UTC)
SECRETS = {
    "access_token": "SECRETaccess", "refresh_token": "SECRETrefresh", "token": "SECRETtoken", "apiKey": "SECRETkey",
    "username": "SECRETuser", "password": "SECRETpass", "client_id": "public-client", "client_secret": "SECRETclient",
    "session_id": "SECRETsession", "dev_key": "SECRETdev", "token_id": "SECRETtokenid", "token_secret": "SECRETtbasecret",
    "oauth_token": "SECREToauth1", "oauth_token_secret": "SECREToauth1secret", "access_key_id": "AKIDexample",
    "secret_access_key": "SECRETaws", "session_token": "SECRETawssession", "region": "eu-central-1", "service": "s3",
}  # fmt: skip
FIELDS_OF: dict[AuthMode, tuple[str, ...]] = {
    AuthMode.OAUTH2: ("access_token", "refresh_token"),
    AuthMode.OAUTH2_CC: ("token", "client_id", "client_secret"),
    AuthMode.API_KEY: ("apiKey",),
    AuthMode.BASIC: ("username", "password"),
    AuthMode.NONE: (),
    AuthMode.TWO_STEP: ("token",),
    AuthMode.MCP_OAUTH2: ("access_token", "refresh_token"),
    AuthMode.BILL: ("session_id", "dev_key"),
    AuthMode.SIGNATURE: ("token",),
    AuthMode.TBA: ("token_id", "token_secret"),
    AuthMode.OAUTH1: ("oauth_token", "oauth_token_secret"),
    AuthMode.JWT: ("token",),
    AuthMode.APP: ("access_token",),
    AuthMode.CUSTOM: ("access_token",),
    AuthMode.MCP_OAUTH2_GENERIC: ("access_token", "refresh_token"),
    AuthMode.AWS_SIGV4: ("access_key_id", "secret_access_key", "session_token", "region", "service"),
}
ENOUGH_OF: dict[AuthMode, int] = {
    AuthMode.OAUTH2: 200,
    AuthMode.OAUTH2_CC: 45,
    AuthMode.API_KEY: 110,
    AuthMode.BASIC: 55,
    AuthMode.NONE: 1,
}
NO_API = {"unauthenticated"}
"""Entries for which only the caller knows where the API is."""


def fill(field: Field) -> str:
    """A value a person could give."""
    if field.enum:
        return str(field.enum[0])
    if field.default_value:
        return field.default_value
    if field.example:
        return field.example
    return {
        "uri": "https://acme.example.com",
        "hostname": "acme.example.com",
        "uuid": "1324a887-45db-1bf4-1e99-ef0ff456d421",
        "email": "jane@acme.com",
    }.get(field.format or "", "acme")


def scope_of(provider: Provider) -> RequestScope:
    values = {name: SECRETS[name] for name in FIELDS_OF[provider.auth_mode]}
    return RequestScope(
        connection_config={name: fill(field) for name, field in provider.connection_config.items()},
        credential=Credential(provider.auth_mode, values),
        integration={"client_id": "public-client", "client_secret": "SECRETclient"},
    )


def request_of(provider: Provider) -> OutboundRequest:
    return build_request(
        provider, scope_of(provider), method="GET", endpoint="/some/path", query=[("a", "b")], headers=[],
        base_url_override=None, allowed_origins=[], moment=Moment(lambda: NOW, lambda: "id"),
    )  # fmt: skip


@pytest.fixture(params=NAMES)
def provider(request: pytest.FixtureRequest) -> Provider:
    return CATALOGUE.require(request.param)


def with_api(names: list[str]) -> list[str]:
    return [name for name in names if name not in NO_API]


def test_there_are_enough_of_every_mode() -> None:
    modes = [entry.auth_mode for entry in CATALOGUE.all()]

    assert {mode: modes.count(mode) >= enough for mode, enough in ENOUGH_OF.items()} == dict.fromkeys(ENOUGH_OF, True)


def test_the_schema_is_one_itself_and_closed() -> None:
    Draft202012Validator.check_schema(checks.schema())

    assert checks.schema()["additionalProperties"] is False


def test_every_key_of_the_schema_says_what_it_is_for() -> None:
    schema = checks.schema()
    described = {
        **schema["properties"],
        **schema["$defs"]["field"]["properties"],
        **schema["properties"]["proxy"]["properties"],
    }

    assert [key for key, value in described.items() if not value.get("description")] == []


def test_an_entry_passes_the_check_that_operators_entries_pass(provider: Provider) -> None:
    CATALOGUE.check([provider.name])


def test_an_entrys_file_is_plain_and_named_by_it(provider: Provider) -> None:
    text = (OWN_ENTRIES / f"{provider.name}.yaml").read_text()

    assert text.endswith("\n")
    assert "\t" not in text
    assert set(yaml.safe_load(text)) & {"display_name"}


def test_an_entry_says_what_it_is_and_where_that_is_documented(provider: Provider) -> None:
    assert provider.display_name.strip() == provider.display_name != ""
    assert provider.categories
    assert provider.get("confidence") in {"high", "medium"}
    assert urlsplit(provider.docs).scheme == "https"


@pytest.mark.parametrize("name", with_api(NAMES))
def test_an_entry_renders_an_authorized_request_to_https(name: str) -> None:
    request = request_of(CATALOGUE.require(name))

    assert request.url.startswith("https://")
    assert "${" not in request.url + str(request.headers)
    assert urlsplit(request.url).path.endswith("/some/path")
    assert origin_of(request.url) in request.credential_origins
    assert all(origin.startswith("https://") for origin in request.credential_origins)


@pytest.mark.parametrize("name", with_api(NAMES))
def test_the_credential_is_in_a_header_and_not_in_the_url(name: str) -> None:
    request = request_of(CATALOGUE.require(name))

    import base64

    headers = str(request.headers) + "".join(
        base64.b64decode(value.removeprefix("Basic ")).decode()
        for _, value in request.headers
        if value.startswith("Basic ")
    )
    assert "SECRET" in headers
    assert "SECRET" not in request.url
    assert "SECRETclient" not in headers
    assert "SECRETrefresh" not in headers
    assert "SECRETtbasecret" not in headers


@pytest.mark.parametrize("name", [p.name for p in CATALOGUE.all() if p.auth_mode is AuthMode.OAUTH2])
def test_an_authorization_url_is_well_formed(name: str) -> None:
    entry = CATALOGUE.require(name)
    scope = {"connectionConfig": dict(scope_of(entry).connection_config), "clientId": "c"}

    urls = [render_url(entry.authorization_url or "", scope), render_url(entry.token_url() or "", scope)]
    urls += [render_url(entry.get("refresh_url"), scope)] if entry.get("refresh_url") else []

    for url in urls:
        parts = urlsplit(url)
        assert (parts.scheme, parts.username, parts.fragment) == ("https", None, "")
        assert origin_of(url)
        assert not {"client_id", "redirect_uri", "state", "scope", "response_type"} & set(dict(parse_qsl(parts.query)))
    for value in entry.get("authorization_params", {}).values():
        assert render(str(value), scope)
    assert all(entry.scope_separator not in scope for scope in entry.default_scopes)


@pytest.mark.parametrize("name", [p.name for p in CATALOGUE.all() if p.auth_mode is AuthMode.OAUTH2])
def test_no_person_who_connects_can_choose_where_an_apps_secret_is_sent(name: str) -> None:
    entry = CATALOGUE.require(name)

    for template in (entry.token_url() or "", entry.get("refresh_url") or ""):
        host = template.removeprefix("https://").partition("/")[0]
        for field in entry.connection_config.values():
            if field.enum:  # the vendor's own data centres: nothing else is taken
                host = host.replace(f"${{connectionConfig.{field.name}}}", str(field.enum[0]))
        assert template == "" or re.search(r"(^|})[a-z0-9.-]*\.[a-z0-9-]+\.?[a-z]+$", host), template
        assert not host.endswith("}")


@pytest.mark.parametrize("name", [p.name for p in CATALOGUE.all() if p.auth_mode is AuthMode.OAUTH2_CC])
def test_a_client_credentials_entry_has_a_token_url(name: str) -> None:
    entry = CATALOGUE.require(name)

    url = render_url(entry.token_url() or "", {"connectionConfig": dict(scope_of(entry).connection_config)})

    assert url.startswith("https://")
    assert entry.get("token_params", {}).get("grant_type", "client_credentials") in {
        "client_credentials",
        "account_credentials",
    }


@pytest.mark.parametrize("name", [p.name for p in CATALOGUE.all() if p.proxy.verification])
def test_a_verification_call_stays_inside_the_entrys_own_origins(name: str) -> None:
    entry = CATALOGUE.require(name)

    calls = verification_calls(entry, scope_of(entry), moment=Moment(lambda: NOW, lambda: "id"))

    assert calls
    for call in calls:
        assert origin_of(call.request.url) in own_origins(entry, scope_of(entry))
        assert "SECRET" not in call.request.url
        assert call.body is None or call.request.method != "GET"


@pytest.mark.parametrize("name", [p.name for p in CATALOGUE.all() if p.proxy.paginate])
def test_how_an_entry_pages_is_complete(name: str) -> None:
    settings = pagination_of(CATALOGUE.require(name))

    assert settings.limit is None or settings.limit_name_in_request


def test_rate_limit_hints_name_headers_and_give_a_wait(provider: Provider) -> None:
    hints = provider.proxy.retry
    named: list[str] = []
    for key in ("at", "after", "remaining"):
        value: str | list[str] = hints.get(key) or []
        named += [value] if isinstance(value, str) else value

    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in named)
    assert wait_before_retry(
        provider, 429, [(name, "5") for name in named if "remaining" not in name], None, 0, NOW
    ) in {3.0, 5.0}


def test_a_form_field_explains_itself_and_takes_its_own_example(provider: Provider) -> None:
    for field in [*provider.connection_config.values(), *provider.credentials.values()]:
        assert field.title, field.name
        if field.pattern and not field.secret and (field.example or field.default_value):
            assert re.search(field.pattern, fill(field)), field.name
        if field.pattern:
            assert field.pattern.startswith("^")
            assert field.pattern.endswith("$")


def test_secret_inputs_are_marked_and_every_placeholder_is_asked_for(provider: Provider) -> None:
    if provider.auth_mode is AuthMode.API_KEY:
        assert provider.credentials["apiKey"].secret
    if provider.auth_mode is AuthMode.BASIC:
        assert any(field.secret for field in provider.credentials.values())

    text = str(provider.raw)
    asked = set(re.findall(r"connectionConfig\.(\w+)", text))
    assert asked <= set(provider.connection_config)


def test_templates_use_only_names_we_know(provider: Provider) -> None:
    known = {
        "connectionConfig",
        "credentials",
        "integrationConfig",
        "accessToken",
        "apiKey",
        "clientId",
        "clientSecret",
        "username",
        "password",
    }
    hints = provider.proxy

    for template in (*hints.base_urls, *hints.headers.values(), *hints.query.values(), *hints.origins):
        assert parse_template(template).roots <= known


def test_a_revocation_endpoint_is_https_at_the_vendors(provider: Provider) -> None:
    revocation = provider.get("revocation")
    if revocation is None:
        return

    scope = {"connectionConfig": dict(scope_of(provider).connection_config)}
    vendor = ".".join((urlsplit(render_url(provider.token_url() or "", scope)).hostname or "").split(".")[-2:])

    assert revocation["url"].startswith("https://")
    assert "." in vendor


def test_the_public_shape_is_json_and_holds_what_clients_read(provider: Provider) -> None:
    import json

    shown = json.loads(json.dumps(provider.public()))

    assert shown["name"] == provider.name
    assert {"display_name", "auth_mode", "logo_url", "docs", "categories"} <= set(shown)


def test_the_whole_catalogue_loads_in_a_blink() -> None:
    def cpu_seconds() -> float:
        started = time.process_time()
        load_catalogue().all()
        return time.process_time() - started

    assert min(cpu_seconds() for _ in range(5)) < 0.15


def test_no_entry_is_left_out_of_the_folder() -> None:
    assert sorted(path.stem for path in Path(OWN_ENTRIES).glob("*")) == NAMES
