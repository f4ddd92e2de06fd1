"""The OAuth 1.0a dance: a temporary token before the browser leaves, the token when it returns."""

import hmac
import secrets
from urllib.parse import quote

from dragoman_server.connect.consents.model import EXCHANGE_SECONDS, Arrival, Departure, Leaving, Returning
from dragoman_server.connect.consents.oauth2 import refuse_error
from dragoman_server.connect.errors import InvalidCredentialsError, StateError, TokenRequestError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import oauth1
from dragoman_server.connect.grants.model import Entry, Flow, TokenAnswer, TokenRefusal, TokenRequest
from dragoman_server.connect.grants.token_response import pick
from dragoman_server.logs.operation import Operation
from dragoman_server.providers.model import AuthMode, Credential

_REMOVED = "undefined"


class OAuth1Consent:
    def __init__(self, *, exchange: Exchange) -> None:
        self._exchange = exchange

    async def begin(self, leaving: Leaving) -> Departure:
        target, client = leaving.target, leaving.client
        entry, config = target.provider.raw, target.connection_config
        if not client.client_id:
            raise InvalidCredentialsError(f"Integration `{target.integration.unique_key}` has no client id yet.")
        given = {k: v for k, v in leaving.asking.authorization_params.items() if v != _REMOVED and k != "oauth_token"}
        callback = f"{leaving.redirect_uri}?state={quote(leaving.state, safe='')}"
        request = oauth1.temporary_request(
            entry, client, config, callback=callback, now=leaving.now, nonce=secrets.token_hex(16)
        )
        leaving.operation.hide([s for s in (client.client_secret,) if s])
        answer = await self._ask(entry, request, leaving.operation)
        token, secret = answer.fields["oauth_token"], answer.fields["oauth_token_secret"]
        url = oauth1.consent_url(entry, client, config, token, given)
        return Departure(url, memory={"token": token, "token_secret": secret})

    async def arrive(self, returning: Returning) -> Arrival:
        target, memory, query = returning.target, returning.pending.memory, returning.query
        entry = target.provider.raw
        refuse_error(query)
        if "denied" in query or not query.get("oauth_verifier"):
            raise TokenRequestError("The provider's answer carries no `oauth_verifier`.", public_code="callback_err")
        if not hmac.compare_digest(query.get("oauth_token", "").encode(), str(memory["token"]).encode()):
            raise StateError("The callback is about another authorization than was begun.")
        request = oauth1.token_request(
            entry,
            returning.client,
            target.connection_config,
            token=str(memory["token"]),
            token_secret=str(memory["token_secret"]),
            verifier=query["oauth_verifier"],
            now=returning.now,
            nonce=secrets.token_hex(16),
        )
        answer = await self._ask(entry, request, returning.operation)
        values = {**answer.fields, "raw": dict(answer.raw)}
        if returning.pending.config_override:
            values["config_override"] = returning.pending.config_override
        config = {**pick(query, list(entry.get("redirect_uri_metadata") or [])), **answer.metadata}
        return Arrival(Credential(AuthMode.OAUTH1, values), config)

    async def _ask(self, entry: Entry, request: TokenRequest, operation: Operation) -> TokenAnswer:
        def flow() -> Flow:
            answer = yield request
            return oauth1.read(entry, answer)

        answer = await self._exchange.follow(flow(), seconds=EXCHANGE_SECONDS, operation=operation)
        if isinstance(answer, TokenRefusal):
            raise TokenRequestError(answer.sentence(), oauth_error=answer.error, public_code="token_err")
        return answer
