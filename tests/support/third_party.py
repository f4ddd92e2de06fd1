"""A third party on loopback, in a thread of its own: an OAuth 2 server, a checked API key, and an echo of every call.

Its catalogue entries are in `tests/support/providers` (`tp-none`, `tp-key`, `tp-oauth`, …); a
connection says where it listens by its `connection_config`: `{"url": third_party.url}`.
"""

import asyncio
import base64
import secrets
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import web

PROVIDERS = Path(__file__).parent / "providers"


@dataclass
class ThirdParty:
    """`url`; what `/token` gives out; `refuse_refresh` makes every refresh fail for good.

    `device_life` is how long a code for another device lasts, in seconds; `/activate` asks the person who has it.
    """

    url: str = ""
    expires_in: int = 3600
    refuse_refresh: bool = False
    codes: dict[str, str] = field(default_factory=dict[str, str])
    tokens: int = 0
    device_life: int = 600
    devices: dict[str, str] = field(default_factory=dict[str, str])

    def app(self) -> web.Application:
        app = web.Application(client_max_size=200_000_000)
        app.router.add_get("/me", self._me)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_post("/device", self._device)
        app.router.add_get("/activate", self._activate)
        app.router.add_get("/status/{code}", self._status)
        app.router.add_route("*", "/{path:.*}", self._echo)
        return app

    async def _me(self, request: web.Request) -> web.Response:
        key = request.headers.get("x-api-key", "")
        basic = request.headers.get("authorization", "").removeprefix("Basic ")
        password = base64.b64decode(basic).decode().partition(":")[2] if basic else ""
        if key.startswith("wrong") or password.startswith("wrong"):
            return web.json_response({"error": "who are you?"}, status=401)
        return web.json_response({"id": 1})

    async def _authorize(self, request: web.Request) -> web.Response:
        """A browser is asked for consent; everybody else has given it."""
        if "text/html" in request.headers.get("accept", "") and "choice" not in request.query:
            return web.Response(text=_consent(request), content_type="text/html")
        if request.query.get("choice") == "deny":
            raise web.HTTPFound(f"{request.query['redirect_uri']}?error=access_denied&state={request.query['state']}")
        code = secrets.token_hex(8)
        self.codes[code] = request.query.get("redirect_uri", "")
        raise web.HTTPFound(f"{request.query['redirect_uri']}?code={code}&state={request.query['state']}")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        kind = form.get("grant_type")
        if str(kind).endswith(":device_code"):
            decided = self.devices.get(str(form.get("device_code")), "")
            if decided != "allow":
                error = "access_denied" if decided == "deny" else "authorization_pending"
                return web.json_response({"error": error}, status=400)
        bad_code = kind == "authorization_code" and self.codes.pop(str(form.get("code")), None) is None
        if bad_code or (kind == "refresh_token" and self.refuse_refresh):
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.tokens += 1
        answer: dict[str, Any] = {
            "access_token": f"access-{self.tokens}",
            "token_type": "Bearer",
            "expires_in": self.expires_in,
        }
        if kind != "client_credentials":
            answer["refresh_token"] = f"refresh-{self.tokens}"
        return web.json_response(answer)

    async def _device(self, _request: web.Request) -> web.Response:
        code = f"CODE-{len(self.devices)}"
        self.devices[f"device-{code}"] = ""
        answer = {"device_code": f"device-{code}", "user_code": code, "verification_uri": f"{self.url}/activate"}
        whole = f"{self.url}/activate?user_code={code}"
        life = {"expires_in": self.device_life, "interval": 1}
        return web.json_response({**answer, "verification_uri_complete": whole, **life})

    async def _activate(self, request: web.Request) -> web.Response:
        """The page on the other device."""
        code, choice = request.query.get("user_code", ""), request.query.get("choice")
        if choice is None:
            return web.Response(text=_consent(request), content_type="text/html")
        self.devices[f"device-{code}"] = choice
        return web.Response(text="<!doctype html><title>Third party</title><h1>Done</h1>", content_type="text/html")

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response({"asked": request.match_info["code"]}, status=int(request.match_info["code"]))

    async def _echo(self, request: web.Request) -> web.Response:
        body = await request.read()
        return web.json_response(
            {
                "method": request.method,
                "path": request.path,
                "query": request.query_string,
                "headers": {k.lower(): v for k, v in request.headers.items()},
                "size": len(body),
            }
        )


def _consent(request: web.Request) -> str:
    hidden = "".join(f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">' for k, v in request.query.items())
    buttons = "".join(f'<button name="choice" value="{word.lower()}">{word}</button>' for word in ("Allow", "Deny"))
    title = "<link rel=icon href=data:,><title>Third party</title><h1>Let the application see your account?</h1>"
    return f'<!doctype html>{title}<form action="{request.path}">{hidden}{buttons}</form>'


@contextmanager
def third_party_running() -> Generator[ThirdParty]:
    made = ThirdParty()
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        runner = web.AppRunner(made.app())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(10), "the third party did not start"
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
