"""What a developer must know to try an entry: the app, the connection's settings, what a person types in. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from dragoman_server.providers.model import AuthMode, Field, Provider

Group = Literal["app", "custom", "config", "typed"]


@dataclass(frozen=True, slots=True)
class Question:
    group: Group
    name: str
    title: str
    secret: bool = False
    optional: bool = False
    field: Field | None = None


_CLIENT = (Question("app", "client_id", "Client id"), Question("app", "client_secret", "Client secret", True, True))
_SCOPES = Question("app", "scopes", "Scopes, comma-separated", optional=True)
_LINK = Question("app", "app_link", "App link")
_APP = (Question("app", "app_id", "App id"), _LINK, Question("app", "private_key", "The app's private key", True))
_OWN = {
    AuthMode.OAUTH1: _CLIENT,
    AuthMode.OAUTH2: (*_CLIENT, _SCOPES),
    AuthMode.TBA: _CLIENT,
    AuthMode.APP: _APP,
    AuthMode.CUSTOM: (*_CLIENT, *_APP),
    AuthMode.INSTALL_PLUGIN: (_LINK,),
    AuthMode.AWS_SIGV4: (
        Question("custom", "aws_access_key_id", "Our AWS access key id"),
        Question("custom", "aws_secret_access_key", "Our AWS secret access key", True),
        Question("config", "external_id", "External id"),
    ),
}
_TYPED: Mapping[AuthMode, tuple[tuple[str, bool], ...]] = {
    AuthMode.API_KEY: (("apiKey", True),),
    AuthMode.BASIC: (("username", False), ("password", True)),
    AuthMode.SIGNATURE: (("username", False), ("password", True)),
    AuthMode.OAUTH2_CC: (("client_id", False), ("client_secret", True)),
    AuthMode.TBA: (("token_id", False), ("token_secret", True)),
    AuthMode.BILL: (("username", False), ("password", True), ("organization_id", False), ("dev_key", True)),
    AuthMode.TWO_STEP: (),
    AuthMode.JWT: (),
    AuthMode.AWS_SIGV4: (("role_arn", False), ("region", False)),
}


def questions_of(provider: Provider) -> Iterator[Question]:
    """Yield what is to be asked, the app first."""
    mode = provider.auth_mode
    if mode in {AuthMode.MCP_OAUTH2, AuthMode.MCP_OAUTH2_GENERIC}:
        if provider.get("client_registration") == "static":
            yield from _CLIENT
    else:
        yield from _OWN.get(mode, ())
    for name, field in provider.connection_config.items():
        if not field.automated:
            yield Question("config", name, field.title or name, field.secret, field.optional, field)
    fixed = dict(_TYPED.get(mode, ()))
    declared = {} if mode not in _TYPED else {n: f for n, f in provider.credentials.items() if not f.hidden}
    for name in dict.fromkeys([*fixed, *declared]):
        field = declared.get(name)
        secret = fixed.get(name, True) if field is None else field.secret or fixed.get(name, False)
        hidden = name in provider.credentials and field is None
        if not hidden:
            yield Question(
                "typed", name, (field and field.title) or name, secret, bool(field and field.optional), field
            )
    once = cast("Mapping[str, Any]", provider.get("assertion_option") or {})
    for name in once:
        yield Question("typed", name, f"{name}, used once", True, optional=True)
