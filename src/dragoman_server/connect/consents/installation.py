"""Apps that are installed (GitHub Apps), with or without the person who installs them; plugins likewise.

An installation id in a callback proves nothing: anybody may put another customer's there. It is believed when the
person's own token lists it (CUSTOM), or when the provider says that it was installed or changed just now (APP).
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from dragoman_server.connect.consents.model import EXCHANGE_SECONDS, Arrival, Departure, Leaving, Returning
from dragoman_server.connect.consents.oauth2 import CodeConsent, refuse_error
from dragoman_server.connect.errors import InvalidCredentialsError, StateError, TokenRequestError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import app_installation
from dragoman_server.connect.grants.basic import values as basic_values
from dragoman_server.connect.grants.model import Need, TokenAnswer, TokenRefusal
from dragoman_server.connect.grants.token_request import template_scope
from dragoman_server.connect.grants.token_response import pick
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.providers.templating import render_or_none

JUST_NOW = timedelta(hours=1)
INSTALL_PATH = "/installations/new"


class AppConsent:
    """APP: the provider returns with an installation."""

    def __init__(self, *, exchange: Exchange) -> None:
        self._exchange = exchange

    async def begin(self, leaving: Leaving) -> Departure:
        return Departure(_link(leaving, INSTALL_PATH, "state"))

    async def arrive(self, returning: Returning) -> Arrival:
        refuse_error(returning.query)
        installation = returning.query.get("installation_id", "")
        if not installation:
            asked = returning.query.get("setup_action") == "request"
            raise TokenRequestError(
                "An owner of the organization must approve the installation; connect again once that is done."
                if asked
                else "The provider's answer carries no `installation_id`.",
                public_code="callback_err",
            )
        values = app_installation.values({"app_id": returning.client.app_id, "installation_id": installation})
        need = _need(returning, values)
        seen = await self._exchange.follow(
            app_installation.changed_at(need), seconds=EXCHANGE_SECONDS, operation=returning.operation
        )
        if not isinstance(seen, datetime):  # nobody says when: nothing tells it from another customer's
            raise StateError("The provider does not say when this installation was made; nothing was connected.")
        if returning.now - seen > JUST_NOW:
            raise StateError("This installation was not made just now. Change it at the provider, then connect again.")
        answer = await self._exchange.follow(
            app_installation.flow(need), seconds=EXCHANGE_SECONDS, operation=returning.operation
        )
        if isinstance(answer, TokenRefusal):
            raise TokenRequestError(answer.sentence(), oauth_error=answer.error, public_code="token_err")
        life = answer.life or app_installation.LIFE
        credential = Credential(AuthMode.APP, app_installation.kept(values, answer), returning.now + life)
        return Arrival(credential, {"installation_id": installation, "app_id": values["app_id"]})


class CustomConsent:
    """CUSTOM: the provider returns with the person's code, and with an installation once there is one."""

    def __init__(self, *, exchange: Exchange, codes: CodeConsent) -> None:
        self._exchange = exchange
        self._codes = codes

    async def begin(self, leaving: Leaving) -> Departure:
        if leaving.client.app_link:
            return Departure(_link(leaving, INSTALL_PATH, "state"))
        return await self._codes.begin(leaving)

    async def arrive(self, returning: Returning) -> Arrival:
        entry = returning.target.provider.raw
        person = await self._codes.redeem(returning, entry, returning.client)
        user = app_installation.person(person, returning.now)
        wanted = returning.query.get("installation_id", "")
        values: dict[str, Any] = {"app_id": returning.client.app_id, "user": user}
        need = _need(returning, values)
        answer = await self._exchange.follow(
            app_installation.both(need, wanted=wanted), seconds=EXCHANGE_SECONDS, operation=returning.operation
        )
        if not isinstance(answer, TokenAnswer):
            raise TokenRequestError(answer.sentence(), oauth_error=answer.error, public_code="token_err")
        waiting = not answer.fields.get("installation_id")
        if waiting and wanted:
            raise StateError("The installation named by the callback is not one of this person's.")
        life = answer.life or app_installation.LIFE
        credential = Credential(AuthMode.CUSTOM, app_installation.kept_both(values, answer), returning.now + life)
        config = {**self._codes.config(returning, person), "app_id": values["app_id"], **answer.metadata}
        return Arrival(credential, {**config, "pending": waiting}, waiting)


class PluginConsent:
    """INSTALL_PLUGIN: the provider returns after an installation; `plugin_credentials` says what to sign in with."""

    async def begin(self, leaving: Leaving) -> Departure:
        return Departure(_link(leaving, "", str(leaving.target.provider.get("state_param") or "state")))

    async def arrive(self, returning: Returning) -> Arrival:
        refuse_error(returning.query)
        entry = returning.target.provider.raw
        wanted = list(entry.get("redirect_uri_metadata") or [])
        config = pick(returning.query, wanted)
        missing = [name for name in wanted if name not in config]
        if missing:
            raise TokenRequestError(f"The provider's answer carries no `{missing[0]}`.", public_code="callback_err")
        scope = template_scope(returning.client, {**returning.target.connection_config, **config})
        scope["callback"] = dict(returning.query)
        templates: dict[str, str] = entry.get("plugin_credentials") or {}
        given = {k: render_or_none(str(v), scope) or "" for k, v in templates.items()}
        return Arrival(Credential(AuthMode.BASIC, basic_values(entry, given)), config)


def _need(returning: Returning, values: dict[str, Any]) -> Need:
    target = returning.target
    return Need(target.provider.raw, returning.client, values, target.connection_config, returning.now)


def _link(leaving: Leaving, path: str, name: str) -> str:
    link = leaving.client.app_link.rstrip("/")
    parts = urlsplit(link)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        unique_key = leaving.target.integration.unique_key
        raise InvalidCredentialsError(f"Integration `{unique_key}` has no app link yet.")
    if path and not parts.path.endswith(path):
        link = f"{parts.scheme}://{parts.netloc}{parts.path}{path}"
        parts = urlsplit(link)
    return f"{link}{'&' if parts.query else '?'}{urlencode({name: leaving.state})}"
