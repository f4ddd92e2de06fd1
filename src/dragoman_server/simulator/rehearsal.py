"""One entry's life in a minute of reading: connect, verify, call, page, be limited, renew, be revoked. No database.

What `dragoman providers test` shows. Requests are made by the grants and the renderer the server uses, sent through its
outbound client, and answered by the simulator.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import authorization_code, client_credentials, pkce, refresh_token
from dragoman_server.connect.grants.model import Client, TokenAnswer, TokenRequest
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.errors import DragomanError
from dragoman_server.providers.model import AuthMode, Credential, Field, Provider
from dragoman_server.providers.rendering import RequestScope, build_request
from dragoman_server.providers.verification import verification_calls
from dragoman_server.simulator.app import SimulatorApp
from dragoman_server.simulator.egress import SimulatedEgress
from dragoman_server.simulator.filling import config_of, fill
from dragoman_server.simulator.serving import serving
from dragoman_server.simulator.world import World

REDIRECT_URI = "http://127.0.0.1/oauth/callback"
PLAYED = frozenset({AuthMode.OAUTH2, AuthMode.OAUTH2_CC, AuthMode.API_KEY, AuthMode.BASIC, AuthMode.NONE})
_LIMIT = 4_000_000
_PAGES = 10


@dataclass(frozen=True, slots=True)
class Step:
    what: str
    state: Literal["ok", "failed", "left out"]
    why: str = ""


class _FailedError(Exception):
    """A step did not go as it should."""


async def rehearse(provider: Provider) -> list[Step]:
    """Live the entry's life; every step says whether it went well, and why not."""
    if provider.auth_mode not in PLAYED:
        return [Step("connect", "left out", f"{provider.auth_mode.value} is not simulated yet")]
    steps: list[Step] = []
    async with _rehearsal(provider) as stage:
        for what, act in stage.acts():
            try:
                left_out = await act()
            except (_FailedError, DragomanError, KeyError, ValueError) as error:
                steps.append(Step(what, "failed", str(getattr(error, "message", error))))
                if what == "connect":
                    break
            else:
                steps.append(Step(what, "left out" if left_out else "ok", left_out or ""))
    return steps


@asynccontextmanager
async def _rehearsal(provider: Provider) -> "AsyncGenerator[_Stage]":
    app = SimulatorApp(World([provider]))
    async with serving(app) as origin, SimulatedEgress(origin) as egress:
        yield _Stage(provider, app.world, egress)


class _Stage:
    def __init__(self, provider: Provider, world: World, egress: SimulatedEgress) -> None:
        self.provider, self.world, self.egress = provider, world, egress
        self.client = Client("an-app", "a+secret:of/ours", provider.default_scopes)
        self.config: dict[str, Any] = dict(config_of(provider))
        self.credential: Credential | None = None
        self._exchange = Exchange(egress=egress)

    def acts(self) -> Sequence[tuple[str, Any]]:
        return (
            ("connect", self.connect),
            ("verify", self.verify),
            ("call the API", self.call),
            ("walk its pages", self.walk),
            ("wait out its rate limit", self.be_limited),
            ("renew the credential", self.renew),
            ("refuse a wrong credential", self.fail),
        )

    # -- acts: None when it went well, else why there is nothing to do -----------------------------------------------

    async def connect(self) -> str | None:
        mode = self.provider.auth_mode
        if mode is AuthMode.OAUTH2:
            self.credential = await self._consent()
        elif mode is AuthMode.OAUTH2_CC:
            own = {"client_id": "their-client", "client_secret": "their+secret:/1"}
            request = client_credentials.token_request(
                self.provider.raw, self.client, credential=Credential(mode, own), connection_config=self.config
            )
            self.credential = Credential(mode, client_credentials.renewed_values(own, await self._token(request)))
        elif mode is AuthMode.NONE:
            self.credential = Credential(mode, {})
        else:
            fields = self.provider.credentials
            names = ("apiKey",) if mode is AuthMode.API_KEY else ("username", "password")
            self.credential = Credential(mode, {name: _typed(fields.get(name)) for name in names})
        return None

    async def verify(self) -> str | None:
        status = await self._verification()
        if status is None:
            return "the entry has no verification call"
        if not 200 <= status < 300:
            raise _FailedError(f"the credential was refused with HTTP {status}")
        return None

    async def call(self) -> str | None:
        if not self.provider.proxy.base_urls:
            return "the entry has no base URL"
        await self._get("/things", {})
        return None

    async def walk(self) -> str | None:
        from dragoman import pagination

        entry = dict(self.provider.proxy.paginate)
        if not entry:
            return "the entry does not say how it pages"
        if "response_path" not in entry and {"cursor_path_in_response", "link_path_in_response_body"} & set(entry):
            entry["response_path"] = "items"
        settings = pagination.settings_from(entry, None)
        parameters, url, seen = pagination.first_parameters(settings), "/things", 0
        page = pagination.NextPage(offset=settings.offset_start_value)
        for pages in range(1, _PAGES):
            body, headers = await self._get(url, parameters, in_body=settings.in_body)
            items = pagination.items_of(settings, body)
            seen += len(items)
            found = pagination.next_page(
                settings,
                items=len(items),
                body=body,
                link_header=headers.get("link"),
                offset=page.offset,
                cursor=page.token or page.url,
            )
            if found is None:
                if pages < 2:
                    raise _FailedError("there was no second page")
                return None
            page = found
            url, parameters = (page.url, {}) if page.url else (url, {**parameters, **(page.parameters or {})})
        raise _FailedError(f"the pages did not end after {seen} items")

    async def be_limited(self) -> str | None:
        from dragoman_server.providers.retry import wait_before_retry

        if not self.provider.proxy.base_urls:
            return "the entry has no base URL"
        status, headers, body = await self._send("/limited", {"simulate": "rate-limit"})
        wait = wait_before_retry(self.provider, status, headers, body.decode(), 0, SystemClock().now())
        if wait is None:
            raise _FailedError(f"HTTP {status} was not seen as a rate limit")
        await self._get("/limited", {"simulate": "rate-limit"})
        return None

    async def renew(self) -> str | None:
        mode, old = self.provider.auth_mode, self.credential
        if mode not in {AuthMode.OAUTH2, AuthMode.OAUTH2_CC} or old is None:
            return "it does not expire"
        if mode is AuthMode.OAUTH2:
            request = refresh_token.token_request(
                self.provider.raw, self.client, credential=old, connection_config=self.config
            )
            answer = await self._token(request, refreshing=True)
            self.credential = Credential(mode, refresh_token.renewed_values(old.values, answer))
        else:
            await self.connect()
        return await self.call()

    async def fail(self) -> str | None:
        mode, good = self.provider.auth_mode, self.credential
        if mode is AuthMode.NONE or good is None:
            return "there is none"
        self.credential = Credential(mode, {k: "invalid" if isinstance(v, str) else v for k, v in good.values.items()})
        status = await self._verification()
        if status is None and self.provider.proxy.base_urls:
            status = (await self._send("/things", {}))[0]
        self.credential = good
        if status != 401:
            raise _FailedError(f"a wrong credential was answered with HTTP {status}")
        return None

    # -- stage machinery ---------------------------------------------------------------------------------------------

    async def _consent(self) -> Credential:
        entry, verifier = self.provider.raw, pkce.new_verifier()
        wanted = verifier if authorization_code.uses_pkce(entry) else None
        asked = authorization_code.Asked(REDIRECT_URI, "some-state", wanted, self.config)
        url = authorization_code.authorization_url(entry, self.client, asked)
        base, _, fragment = url.partition("#")
        url = base + (f"{'&' if '?' in base else '?'}{fragment.lstrip('?')}" if fragment else "")
        async with self.egress.request("GET", url) as answer:
            text = (await answer.read(_LIMIT)).decode()
            location = answer.header("location") or ""
        if not location.startswith(REDIRECT_URI):
            raise _FailedError(f"the consent page refused: {_why(text)}")
        back = dict(parse_qsl(urlsplit(location).query))
        self.config |= {k: back[k] for k in entry.get("redirect_uri_metadata") or () if k in back}
        request = authorization_code.token_request(
            entry,
            self.client,
            code=back[str(entry.get("authorization_code_param_in_callback") or "code")],
            verifier=wanted,
            redirect_uri=REDIRECT_URI,
            connection_config=self.config,
        )
        given = await self._token(request)
        self.config |= given.metadata
        values = {"access_token": given.access_token, "refresh_token": given.refresh_token, "raw": dict(given.raw)}
        return Credential(AuthMode.OAUTH2, {k: v for k, v in values.items() if v is not None})

    async def _token(self, request: TokenRequest, *, refreshing: bool = False) -> TokenAnswer:
        answer = await self._exchange.ask(
            self.provider.raw,
            request,
            now=SystemClock().now(),
            seconds=15,
            operation=None,
            refreshing=refreshing,
        )
        if not isinstance(answer, TokenAnswer):
            raise _FailedError(f"the token endpoint refused: {answer.description or answer.error or answer.status}")
        return answer

    def _scope(self) -> RequestScope:
        app = {"client_id": self.client.client_id, "client_secret": self.client.client_secret}
        return RequestScope(self.config, self.credential, app)

    async def _verification(self) -> int | None:
        """Return the status of the first call that works, else of the last; None when the entry has none."""
        status: int | None = None
        for call in verification_calls(self.provider, self._scope()):
            request = call.request
            async with self.egress.request(
                request.method, request.url, headers=request.headers, body=call.body
            ) as answer:
                status = answer.status
            if 200 <= status < 300:
                break
        return status

    async def _send(
        self, endpoint: str, parameters: Mapping[str, Any], *, in_body: bool = False
    ) -> tuple[int, dict[str, str], bytes]:
        query = [] if in_body else [(k, str(v)) for k, v in parameters.items()]
        method, body = ("POST", json.dumps(parameters).encode()) if in_body else ("GET", None)
        headers = [("content-type", "application/json")] if in_body else []
        request = build_request(
            self.provider, self._scope(), method=method, endpoint=endpoint, query=query, headers=headers, body=body
        )
        async with self.egress.request(method, request.url, headers=request.headers, body=body) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers}, await answer.read(_LIMIT)

    async def _get(
        self, endpoint: str, parameters: Mapping[str, Any], *, in_body: bool = False
    ) -> tuple[Any, dict[str, str]]:
        status, headers, body = await self._send(endpoint, parameters, in_body=in_body)
        if status != 200:
            raise _FailedError(f"HTTP {status}: {_why(body.decode())}")
        return json.loads(body), headers


def _typed(field: Field | None) -> str:
    if field is None:
        return "good-secret-123456"
    return "" if field.hidden else fill(field)


def _why(text: str) -> str:
    try:
        return str(json.loads(text)["error_description"])
    except (ValueError, KeyError, TypeError):
        return text[:200]
