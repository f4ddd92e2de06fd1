"""OAuth 2 authorization codes, for every mode that ends in one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dragoman_server.connect.consents.model import EXCHANGE_SECONDS, Arrival, Departure, Leaving, Returning
from dragoman_server.connect.errors import InvalidCredentialsError, StateError, TokenRequestError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.expiry import learn_life
from dragoman_server.connect.grants import authorization_code, dpop, pkce, pushed_authorization
from dragoman_server.connect.grants.model import Client, Entry, Flow, TokenAnswer, TokenRequest
from dragoman_server.connect.grants.token_response import parse, pick, text_or_none
from dragoman_server.providers.model import Credential


class CodeConsent:
    def __init__(self, *, exchange: Exchange) -> None:
        self._exchange = exchange

    async def begin(self, leaving: Leaving) -> Departure:
        if not leaving.client.client_id:
            unique_key = leaving.target.integration.unique_key
            raise InvalidCredentialsError(f"Integration `{unique_key}` has no client id yet.")
        provider = leaving.target.provider
        if not provider.authorization_url and provider.get("installation"):
            raise InvalidCredentialsError(
                f"{provider.display_name} is connected by installing the app there: POST /auth/oauth-outbound/"
                f"{leaving.target.integration.unique_key}."
            )
        if not provider.authorization_url:
            raise InvalidCredentialsError(
                f"{provider.display_name} is connected with a code for this device: POST /oauth/device/"
                f"{leaving.target.integration.unique_key}."
            )
        return await self.departure(leaving, provider.raw, leaving.client)

    async def departure(self, leaving: Leaving, entry: Entry, client: Client) -> Departure:
        """Return the authorization request of `entry` for `client`, pushed first where the entry says so."""
        verifier = pkce.new_verifier() if authorization_code.uses_pkce(entry) else None
        key = dpop.key_for(entry)
        asked = authorization_code.Asked(
            redirect_uri=leaving.redirect_uri,
            state=leaving.state,
            verifier=verifier,
            connection_config=leaving.target.connection_config,
            authorization_params=leaving.asking.authorization_params,
            user_scopes=leaving.asking.user_scopes,
            dpop_key=key,
        )
        leaving.operation.hide([s for s in (client.client_secret, verifier, key) if s])
        memory = {} if key is None else {"dpop_key": key}
        if not pushed_authorization.wanted(entry):
            return Departure(authorization_code.authorization_url(entry, client, asked), verifier, memory=memory)
        url = await self._exchange.follow(
            pushed_authorization.push(entry, client, asked, dpop_key=key, now=leaving.now),
            seconds=EXCHANGE_SECONDS,
            operation=leaving.operation,
        )
        return Departure(url, verifier, memory=memory)

    async def arrive(self, returning: Returning) -> Arrival:
        entry = returning.target.provider.raw
        answer = await self.redeem(returning, entry, returning.client)
        return Arrival(self.credential(returning, answer), self.config(returning, answer))

    async def redeem(self, returning: Returning, entry: Entry, client: Client) -> TokenAnswer:
        """Exchange the callback's code; raise naming what is wrong with the callback or the answer."""
        query, pending, config = returning.query, returning.pending, returning.target.connection_config
        if authorization_code.issuer_is_wrong(entry, config, query.get("iss")):
            raise StateError("The answer came from another authorization server than was asked (RFC 9207).")
        refuse_error(query)
        name = str(entry.get("authorization_code_param_in_callback") or "code")
        if not query.get(name):
            raise TokenRequestError(f"The provider's answer carries no `{name}`.", public_code="callback_err")
        returning.operation.hide([s for s in (query[name], pending.verifier, client.client_secret) if s])
        key = text_or_none(pending.memory.get("dpop_key"))

        def build() -> TokenRequest:
            request = authorization_code.token_request(
                entry,
                client,
                code=query[name],
                verifier=pending.verifier,
                redirect_uri=pending.redirect_uri,
                connection_config=config,
                now=returning.now,
            )
            return dpop.proven(request, key)

        def flow() -> Flow:
            found = yield from dpop.ask(build)
            return dpop.bind(key, parse(entry, found.status, found.body, returning.now))

        answer = await self._exchange.follow(flow(), seconds=EXCHANGE_SECONDS, operation=returning.operation)
        if not isinstance(answer, TokenAnswer):
            raise TokenRequestError(
                answer.sentence(),
                oauth_error=answer.error,
                public_code="token_err",
                passing=answer.may_have_happened,
            )
        if answer.life is not None:
            return answer
        life = await learn_life(
            self._exchange,
            entry,
            client,
            config,
            answer.access_token,
            now=returning.now,
            operation=returning.operation,
        )
        return replace(answer, life=life)

    def credential(self, returning: Returning, answer: TokenAnswer) -> Credential:
        """Return the credential of a code's answer."""
        values: dict[str, Any] = {"access_token": answer.access_token, "raw": dict(answer.raw), **answer.fields}
        if answer.refresh_token:
            values["refresh_token"] = answer.refresh_token
        if returning.pending.config_override:
            values["config_override"] = returning.pending.config_override
        return Credential(returning.target.provider.auth_mode, values, answer.expires_at(returning.now))

    def config(self, returning: Returning, answer: TokenAnswer) -> dict[str, str | bool]:
        """Return what callback and answer add to the connection config."""
        wanted = list(returning.target.provider.get("redirect_uri_metadata") or [])
        return {**pick(returning.query, wanted), **answer.metadata}


def refuse_error(query: Mapping[str, str]) -> None:
    """Raise when the callback says that the provider or the person refused."""
    if "error" in query:
        code = query["error"][:64]
        raise TokenRequestError(f"The provider refused the authorization (`{code}`).", public_code="callback_err")
