"""Vendors of every mode, played by one small server that checks what it is sent as the real ones do."""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from oauthlib.oauth1.rfc5849 import signature  # pyright: ignore[reportMissingTypeStubs]

from dragoman_server.control.model import Connection, Integration
from dragoman_server.providers.rendering import RequestScope, build_request
from tests.connect.browsing import browser
from tests.connect.world import World
from tests.connect.world import world as make_world

library: Any = signature
APP_KEY = rsa.generate_private_key(65537, 2048)
APP_PEM = APP_KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
_PUBLIC = RSAKey.import_key(APP_PEM)


@dataclass
class Vendors:
    """What was seen, and what is known. `calls` counts by path."""

    base: str = ""
    calls: list[str] = field(default_factory=list[str])
    bodies: list[Any] = field(default_factory=list[Any])
    tokens: set[str] = field(default_factory=set[str])
    temporary: dict[str, str] = field(default_factory=dict[str, str])
    oauth1: dict[str, str] = field(default_factory=dict[str, str])
    installations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    clients: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    refresh: set[str] = field(default_factory=set[str])
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    resource: str | None = None
    holding: asyncio.Event | None = None
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    def token(self, kind: str) -> str:
        made = f"{kind}-{secrets.token_hex(8)}"
        self.tokens.add(made)
        return made

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._watch])
        add = app.router.add_route
        add("POST", "/login", self._login)
        add("POST", "/exchange", self._exchange)
        add("POST", "/renew", self._renew)
        add("POST", "/bill/login", self._bill)
        add("*", "/oauth1/{step}", self._oauth1)
        add("POST", "/app/installations/{id}/access_tokens", self._installed)
        add("GET", "/app/installations/{id}", self._installation)
        add("GET", "/user/installations", self._user_installations)
        add("GET", "/authorize", self._authorize)
        add("POST", "/token", self._token)
        add("POST", "/register", self._register)
        add("POST", "/revoke", self._revoke)
        add("GET", "/.well-known/oauth-protected-resource/mcp", self._resource)
        add("GET", "/.well-known/oauth-authorization-server", self._server)
        add("GET", "/mcp", self._mcp)
        add("*", "/api/{rest:.*}", self._api)
        return app

    @web.middleware
    async def _watch(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path}")
        return await handler(request)

    async def _login(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        if body.get("password") != "right-password":
            return web.json_response({"error": {"code": "bad_login"}}, status=401)
        answer = web.json_response({"data": {"ticket": "ticket-1"}}, headers={"x-login": "header-token-1"})
        answer.set_cookie("SESSION", "cookie-1")
        return answer

    async def _exchange(self, request: web.Request) -> web.Response:
        text = await request.text()
        self.bodies.append(text)
        if "ticket-1" not in text:
            return web.json_response({"error": "bad_ticket"}, status=400)
        token, refresh = self.token("two"), self.token("renew")
        self.refresh.add(refresh)
        seconds = self.answers.get("seconds", 3600)
        return web.Response(
            text=f"<r><auth><token>{token}</token><again>{refresh}</again><ttl>{seconds}</ttl></auth></r>",
            content_type="text/xml",
        )

    async def _renew(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("again") not in self.refresh:
            return web.json_response({"error": "spent"}, status=401)
        self.refresh.discard(body["again"])
        token = self.token("renewed")
        return web.json_response({"auth": {"token": token, "ttl": 3600}})

    async def _bill(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        if body.get("devKey") != "dev-key-1234":
            return web.json_response([{"code": "BDC_1102"}], status=401)
        return web.json_response({"sessionId": self.token("session"), "userId": "user-1", "organizationId": "org-1"})

    def _signed(self, request: web.Request, secret: str, body: str = "") -> bool:
        header = request.headers.get("authorization", "")
        params: list[tuple[str, str]] = library.collect_parameters(
            uri_query=request.rel_url.raw_query_string,
            body=body,
            headers={"Authorization": header},
            exclude_oauth_signature=True,
        )
        given = dict(library.collect_parameters(headers={"Authorization": header}, exclude_oauth_signature=False))
        seen = SimpleNamespace(
            uri=f"{self.base}{request.path_qs}",
            http_method=request.method,
            params=params,
            signature=given.get("oauth_signature", ""),
        )
        check = {"HMAC-SHA1": library.verify_hmac_sha1, "HMAC-SHA256": library.verify_hmac_sha256}
        return given.get("oauth_consumer_key") == "app" and check[given["oauth_signature_method"]](
            seen, "app-secret", secret
        )

    @staticmethod
    def _given(request: web.Request) -> dict[str, str]:
        header = request.headers.get("authorization", "")
        headers = {"Authorization": header} if header else {}
        return dict(library.collect_parameters(headers=headers, exclude_oauth_signature=False))

    async def _oauth1(self, request: web.Request) -> web.Response:
        step, given = request.match_info["step"], self._given(request)
        if step == "request":
            if not self._signed(request, ""):
                return web.Response(status=401, text="oauth_problem=signature_invalid")
            token = secrets.token_hex(6)
            self.temporary[token] = given["oauth_callback"]
            text = f"oauth_token={token}&oauth_token_secret=temporary-secret&oauth_callback_confirmed=true"
            return web.Response(text=text)
        if step == "authorize":
            callback = self.temporary[request.query["oauth_token"]]
            where = f"{callback}&oauth_token={request.query['oauth_token']}&oauth_verifier=verifier-1"
            return web.Response(status=302, headers={"Location": where})
        good = self._signed(request, "temporary-secret") and given.get("oauth_verifier") == "verifier-1"
        if not good or self.temporary.pop(given["oauth_token"], None) is None:
            return web.Response(status=401, text="oauth_problem=token_rejected")
        self.oauth1["the-token"] = "the-token-secret"
        return web.Response(text="oauth_token=the-token&oauth_token_secret=the-token-secret&screen_name=ann")

    def _app_jwt(self, request: web.Request) -> bool:
        text = request.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            claims = jwt.decode(text, _PUBLIC, algorithms=["RS256"]).claims
        except ValueError:
            return False
        return claims["iss"] == "4711" and claims["exp"] - claims["iat"] <= 600

    async def _installed(self, request: web.Request) -> web.Response:
        known = any(str(i["id"]) == request.match_info["id"] for i in self.installations)
        if not self._app_jwt(request) or not known:
            return web.json_response({"message": "Not Found"}, status=404)
        body: dict[str, Any] = {
            "token": self.token("installation"),
            "expires_at": "2099-01-01T00:00:00Z",
            "permissions": {},
        }
        return web.json_response(body, status=201)

    async def _installation(self, request: web.Request) -> web.Response:
        found = next((i for i in self.installations if str(i["id"]) == request.match_info["id"]), None)
        if found is None or not self._app_jwt(request):
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response(found)

    async def _user_installations(self, request: web.Request) -> web.Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return web.json_response({"installations": self.installations}, status=200 if token in self.tokens else 401)

    async def _authorize(self, request: web.Request) -> web.Response:
        code = secrets.token_hex(8)
        self.codes[code] = dict(request.query)
        back = f"{request.query['redirect_uri']}?code={code}&state={request.query['state']}"
        return web.Response(status=302, headers={"Location": back})

    async def _token(self, request: web.Request) -> web.Response:
        form = {k: str(v) for k, v in (await request.post()).items()}
        self.bodies.append(form)
        if form["grant_type"] == "client_credentials":
            return self._by_assertion(form)
        if form["grant_type"] == "refresh_token":
            if form.get("refresh_token") not in self.refresh:
                return web.json_response({"error": "invalid_grant"}, status=400)
            self.refresh.discard(form["refresh_token"])
            return self._tokens()
        asked = self.codes.pop(form.get("code", ""), {"code_challenge": "?"})
        if asked.get("code_challenge"):
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
                return web.json_response({"error": "invalid_grant"}, status=400)
        if asked.get("resource") != form.get("resource"):
            return web.json_response({"error": "invalid_target"}, status=400)
        return self._tokens()

    def _tokens(self) -> web.Response:
        refresh = self.token("refresh")
        self.refresh.add(refresh)
        body: Mapping[str, Any] = {
            "access_token": self.token("access"),
            "refresh_token": refresh,
            "expires_in": self.answers.get("seconds", 3600),
            "token_type": "bearer",
        }
        return web.json_response(body)

    def _by_assertion(self, form: dict[str, str]) -> web.Response:
        try:
            found = jwt.decode(form.get("client_assertion", ""), _PUBLIC, algorithms=["RS256"])
            good = found.claims["aud"] == f"{self.base}/token" and found.claims["sub"] == form["client_id"]
        except ValueError:
            good = False
        if not good or "client_secret" in form or not str(form.get("client_assertion_type")).endswith("jwt-bearer"):
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": self.token("machine"), "expires_in": 3600})

    async def _register(self, request: web.Request) -> web.Response:
        body = await request.json()
        client = f"client-{secrets.token_hex(4)}"
        self.clients[client] = body
        return web.json_response({"client_id": client, **body}, status=201)

    async def _revoke(self, request: web.Request) -> web.Response:
        form = {k: str(v) for k, v in (await request.post()).items()}
        self.bodies.append(form)
        status = self.answers.get("revoke", [200]).pop(0) if self.answers.get("revoke") else 200
        if status == 200:
            self.refresh.discard(form.get("token", ""))
        if self.holding is not None:
            self.asked.set()
            await self.holding.wait()
        return web.Response(status=status)

    async def _resource(self, request: web.Request) -> web.Response:
        resource = self.resource or f"{self.base}/mcp"
        return web.json_response({"resource": resource, "authorization_servers": [self.base]})

    async def _server(self, request: web.Request) -> web.Response:
        metadata = {
            "issuer": self.base,
            "authorization_endpoint": f"{self.base}/authorize",
            "token_endpoint": f"{self.base}/token",
            "registration_endpoint": f"{self.base}/register",
            "revocation_endpoint": f"{self.base}/revoke",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
        }
        return web.json_response({**metadata, **self.answers.get("metadata", {})})

    async def _mcp(self, request: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})

    async def _api(self, request: web.Request) -> web.Response:
        return web.json_response({"headers": dict(request.headers)})


ENTRIES = {
    "steps": """
display_name: Steps
docs: https://steps.example/docs
auth_mode: TWO_STEP
token_url: {base}/login
token_params:
  user: ${{credentials.username}}
  password: ${{credentials.password}}
  tenant: ${{connectionConfig.tenant}}
  missing: ${{connectionConfig.nothing}}
  otp: ${{assertionOption.otp}}
token_response_headers: [x-login, _cookies]
additional_steps:
  - token_url: {base}/exchange
    body_format: xml
    token_params:
      request:
        "@kind": ticket
        ticket: ${{step1.data.ticket}}
        header: ${{step1._headers.x-login}}
        cookie: ${{step1._cookies.SESSION}}
token_response:
  token: auth.token
  refresh_token: auth.again
  token_expiration: auth.ttl
  token_expiration_strategy: expireIn
refresh_url: {base}/renew
refresh_token_params:
  again: ${{credentials.refresh_token}}
credentials:
  username:
    type: string
    title: User
    description: The user
  password:
    type: string
    title: Password
    description: The password
    secret: true
assertion_option:
  otp:
    type: string
    title: One-time code
    description: Used once
    optional: true
connection_config:
  tenant:
    type: string
    title: Tenant
    description: The tenant
proxy:
  base_url: {base}/api
""",
    "hmac": """
display_name: Hmac
docs: https://hmac.example/docs
auth_mode: JWT
signature:
  protocol: HMAC
token:
  header:
    kid: ${{credentials.privateKeyId}}
  payload:
    aud: /admin/
  expires_in_ms: 300000
credentials:
  privateKeyId:
    type: string
    title: Id
    description: The id
  privateKey:
    type: string
    title: Secret
    description: The secret
    secret: true
proxy:
  base_url: {base}/api
  headers:
    authorization: Ghost ${{accessToken}}
""",
    "wsse": """
display_name: Wsse
docs: https://wsse.example/docs
auth_mode: SIGNATURE
signature:
  protocol: WSSE
  digest: hex
proxy:
  base_url: {base}/api
  headers:
    x-wsse: ${{accessToken}}
""",
    "billing": """
display_name: Billing
docs: https://billing.example/docs
auth_mode: BILL
token_url: {base}/bill/login
proxy:
  base_url: {base}/api
  headers:
    sessionid: ${{credentials.session_id}}
    devkey: ${{credentials.dev_key}}
""",
    "birds": """
display_name: Birds
docs: https://birds.example/docs
auth_mode: OAUTH1
request_url: {base}/oauth1/request
authorization_url: {base}/oauth1/authorize
token_url: {base}/oauth1/token
signature_method: HMAC-SHA1
token_response_metadata: [screen_name]
proxy:
  base_url: {base}/api
""",
    "suite": """
display_name: Suite
docs: https://suite.example/docs
auth_mode: TBA
connection_config:
  accountId:
    type: string
    title: Account
    description: The account
proxy:
  base_url: {base}/api
""",
    "hub": """
display_name: Hub
docs: https://hub.example/docs
auth_mode: APP
token_url: {base}/app/installations/${{connectionConfig.installation_id}}/access_tokens
installation_url: {base}/app/installations/${{connectionConfig.installation_id}}
proxy:
  base_url: {base}/api
""",
    "hub-user": """
display_name: Hub with its user
docs: https://hub.example/docs
auth_mode: CUSTOM
authorization_url: {base}/authorize
disable_pkce: true
token_url:
  OAUTH2: {base}/token
  APP: {base}/app/installations/${{connectionConfig.installation_id}}/access_tokens
installations_url: {base}/user/installations
proxy:
  base_url: {base}/api
""",
    "mcp-any": """
display_name: Any MCP
docs: https://mcp.example/docs
auth_mode: MCP_OAUTH2_GENERIC
connection_config:
  mcp_server_url:
    type: string
    title: Server
    description: Its address
    format: uri
proxy:
  base_url: ${{connectionConfig.mcp_server_url}}
""",
    "mcp-one": """
display_name: One MCP
docs: https://mcp.example/docs
auth_mode: MCP_OAUTH2
client_registration: dynamic
authorization_url: {base}/authorize
token_url: {base}/token
registration_url: {base}/register
proxy:
  base_url: {base}/api
""",
    "keyed-machine": """
display_name: Keyed machine
docs: https://machine.example/docs
auth_mode: OAUTH2_CC
token_url: {base}/token
token_request_auth_method: private_key_jwt
proxy:
  base_url: {base}/api
""",
    "plugin": """
display_name: Plugin
docs: https://plugin.example/docs
auth_mode: INSTALL_PLUGIN
state_param: payload
redirect_uri_metadata: [website_id]
plugin_credentials:
  username: ${{custom.token_id}}
  password: ${{custom.token_key}}
proxy:
  base_url: {base}/api
""",
    "revoking": """
display_name: Revoking
docs: https://revoking.example/docs
auth_mode: OAUTH2
authorization_url: {base}/authorize
token_url: {base}/token
revocation:
  url: {base}/revoke
proxy:
  base_url: {base}/api
""",
}


@dataclass
class Market:
    world: World
    vendors: Vendors


@asynccontextmanager
async def market(database_url: str, folder: Path) -> AsyncGenerator[Market]:
    """A platform whose catalogue knows the vendors."""
    played = Vendors()
    runner = web.AppRunner(played.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    played.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    (folder / "providers").mkdir()
    for name, text in ENTRIES.items():
        (folder / "providers" / f"{name}.yaml").write_text(text.format(base=played.base), "utf-8")
    try:
        async with make_world(database_url, folder) as made:
            yield Market(made, played)
    finally:
        await runner.cleanup()


async def proxied(world: World, integration: Integration, connection: Connection, **request: Any) -> dict[str, str]:
    """The headers a proxied request of this connection carries."""
    credential = await world.fresh(connection, integration)
    provider = world.one.catalogue.require(integration.provider)
    application = await world.one.integrations.credentials(integration)
    scope = RequestScope(
        connection_config=connection.connection_config,
        credential=credential,
        integration={**application, "custom": integration.custom, "integration_config": integration.config},
    )
    wanted: dict[str, Any] = {"method": "GET", "endpoint": "/things", **request}
    outbound = build_request(provider, scope, **wanted)
    return {"url": outbound.url, **dict(outbound.headers)}


def hmac_key(text: str) -> OctKey:
    return OctKey.import_key(bytes.fromhex(text))


async def typed(world: World, path: str, body: Any, **session: Any) -> httpx.Response:
    """What the browser's SDK posts for typed-in credentials."""
    key = path.partition("?")[0].rpartition("/")[2]
    _, token = await world.session(allowed_integrations=[key], tags={"team": "red"}, **session)
    async with browser(world) as client:
        return await client.post(path, json=body, headers={"authorization": f"Bearer {token.reveal()}"})


async def only(world: World) -> Connection:
    [connection] = await world.one.connections.list(world.environment.id)
    return connection


async def integration(world: World, key: str, credentials: Mapping[str, Any] | None = None, **more: Any) -> Integration:
    return await world.one.integrations.create(world.environment.id, key, key, credentials=credentials, **more)
