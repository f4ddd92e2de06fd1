"""A small CRM that plays the third party: OAuth 2 with PKCE, pages by Link header, changes over time, 429 now and then.

`python -m demo.crm --port P` serves it on loopback. Access tokens live 60 s; a refresh token works once, and using an
old one revokes the grant, as careful vendors do. Its page at /authorize logs anybody in: it is a demo.
"""

import argparse
import asyncio
import base64
import hashlib
import html
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

CLIENT_ID = "dragoman-demo"
CLIENT_SECRET = "not-a-secret-this-is-a-demo"
TOKEN_SECONDS = 60
PAGE = 50


@dataclass
class Grant:
    """One consent: the refresh token that works now, and every one that ever did."""

    user: str
    scope: str
    refresh_token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    retired: set[str] = field(default_factory=set[str])
    revoked: bool = False


@dataclass
class Crm:
    """The CRM's state. `evolve` is one step of time: some contacts change, one leaves, one comes."""

    contacts: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    grants: list[Grant] = field(default_factory=list[Grant])
    access: dict[str, tuple[Grant, float]] = field(default_factory=dict[str, tuple[Grant, float]])
    calls: int = 0
    throttle_every: int = 40
    next_id: int = 1
    step: int = 0

    def fill(self, count: int) -> None:
        for _ in range(count):
            self.add(f"Contact {self.next_id:04d}", f"contact{self.next_id}@example.com")

    def add(self, name: str, email: str) -> dict[str, Any]:
        contact = {
            "id": self.next_id,
            "name": name,
            "email": email,
            "stage": "lead",
            "updated_at": self._now(),
        }
        self.contacts[self.next_id] = contact
        self.next_id += 1
        return contact

    def evolve(self) -> dict[str, int]:
        self.step += 1
        ids = sorted(self.contacts)
        changed = ids[self.step % 7 :: 25][:5]
        for number in changed:
            self.contacts[number] |= {"stage": f"stage {self.step}", "updated_at": self._now()}
        gone = [i for i in ids[3 + self.step :: 40] if i not in changed][:2]
        for number in gone:
            del self.contacts[number]
        self.add(f"Newcomer {self.step}", f"new{self.step}@example.com")
        return {"added": 1, "updated": len(changed), "deleted": len(gone)}

    def issue(self, grant: Grant) -> dict[str, Any]:
        token = secrets.token_urlsafe(24)
        self.access[token] = (grant, time.monotonic() + TOKEN_SECONDS)
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "refresh_token": grant.refresh_token,
            "scope": grant.scope,
        }

    def _now(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def oauth_error(code: str, description: str, status: int = 400) -> web.Response:
    return web.json_response({"error": code, "error_description": description}, status=status)


def make_app(crm: Crm) -> web.Application:
    """The CRM's HTTP application."""
    routes = web.RouteTableDef()

    @routes.get("/authorize")
    async def authorize(request: web.Request) -> web.Response:
        query = request.query
        if query.get("client_id") != CLIENT_ID or query.get("response_type") != "code":
            return web.Response(status=400, text="unknown client or response_type")
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            return web.Response(status=400, text="PKCE with S256 is required")
        fields = "".join(
            f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">' for k, v in query.items()
        )
        page = (
            "<!doctype html><title>Demo CRM</title><h1>Demo CRM</h1><p>An application wants to read and write your "
            f'contacts.</p><form method="post" action="/authorize">{fields}'
            '<label>Your name <input name="user" value="ada"></label> <button>Allow</button></form>'
        )
        return web.Response(text=page, content_type="text/html")

    @routes.post("/authorize")
    async def allow(request: web.Request) -> web.Response:
        form = {k: str(v) for k, v in (await request.post()).items()}
        code = secrets.token_urlsafe(16)
        crm.codes[code] = form
        back = {"code": code, "state": form.get("state", "")}
        raise web.HTTPFound(f"{form['redirect_uri']}?{urlencode(back)}")

    @routes.post("/token")
    async def token(request: web.Request) -> web.Response:
        form = {k: str(v) for k, v in (await request.post()).items()}
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return oauth_error("invalid_client", "wrong client", 401)
        if form.get("grant_type") == "authorization_code":
            asked = crm.codes.pop(form.get("code", ""), None)
            verifier = form.get("code_verifier", "")
            challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
            redirect = form.get("redirect_uri")
            if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != redirect:
                return oauth_error("invalid_grant", "the code, its verifier or the redirect URI is wrong")
            grant = Grant(user=asked.get("user", "ada"), scope=asked.get("scope", ""))
            crm.grants.append(grant)
            return web.json_response(crm.issue(grant))
        if form.get("grant_type") == "refresh_token":
            given = form.get("refresh_token", "")
            for grant in crm.grants:
                if given in grant.retired:
                    grant.revoked = True
                    return oauth_error("invalid_grant", "this refresh token was used before: the grant is revoked")
                if given == grant.refresh_token and not grant.revoked:
                    grant.retired.add(given)
                    grant.refresh_token = secrets.token_urlsafe(24)
                    return web.json_response(crm.issue(grant))
            return oauth_error("invalid_grant", "unknown refresh token")
        return oauth_error("unsupported_grant_type", "authorization_code or refresh_token")

    @routes.get("/api/me")
    async def me(request: web.Request) -> web.Response:
        grant: Grant = request["grant"]
        return web.json_response({"user": grant.user})

    @routes.get("/api/contacts")
    async def contacts(request: web.Request) -> web.Response:
        page = int(request.query.get("page", "1"))
        ids = sorted(crm.contacts)
        shown = [crm.contacts[i] for i in ids[(page - 1) * PAGE : page * PAGE]]
        headers: dict[str, str] = {}
        if page * PAGE < len(ids):
            headers["Link"] = f'<{request.url.with_query(page=str(page + 1))}>; rel="next"'
        return web.json_response(shown, headers=headers)

    @routes.post("/api/contacts")
    async def create(request: web.Request) -> web.Response:
        body: dict[str, Any] = await request.json()
        if not body.get("name") or not body.get("email"):
            return web.json_response({"message": "name and email are required"}, status=422)
        return web.json_response(crm.add(str(body["name"]), str(body["email"])), status=201)

    @routes.post("/control/evolve")
    async def evolve(_request: web.Request) -> web.Response:
        return web.json_response(crm.evolve())

    @routes.get("/control/state")
    async def state(_request: web.Request) -> web.Response:
        revoked = sum(g.revoked for g in crm.grants)
        return web.json_response({"contacts": len(crm.contacts), "grants": len(crm.grants), "revoked": revoked})

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            crm.calls += 1
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            grant, ends = crm.access.get(given, (None, 0.0))
            if grant is None or grant.revoked or ends < time.monotonic():
                return web.json_response({"message": "the access token is missing, expired or revoked"}, status=401)
            if crm.throttle_every and crm.calls % crm.throttle_every == 0:
                return web.json_response({"message": "slow down"}, status=429, headers={"Retry-After": "1"})
            request["grant"] = grant
        return await handler(request)

    app = web.Application(middlewares=[guard])
    app.add_routes(routes)
    return app


async def serve(*, port: int, contacts: int, evolve_seconds: float) -> None:
    """Serve until cancelled; every `evolve_seconds` (0: never) the data changes a little."""
    crm = Crm()
    crm.fill(contacts)
    runner = web.AppRunner(make_app(crm), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    actual = runner.addresses[0][1]
    print(f"demo CRM on http://127.0.0.1:{actual}", flush=True)
    try:
        while True:
            await asyncio.sleep(evolve_seconds or 3600)
            if evolve_seconds:
                crm.evolve()
    finally:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--contacts", type=int, default=230)
    parser.add_argument("--evolve-seconds", type=float, default=0.0)
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(port=arguments.port, contacts=arguments.contacts, evolve_seconds=arguments.evolve_seconds))


if __name__ == "__main__":
    main()
