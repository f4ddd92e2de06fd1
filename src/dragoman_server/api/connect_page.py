"""The plain page behind a connect link: pick the integration, fill in a form or go to the provider, see the result.

The link's token is exchanged for an HttpOnly cookie at once and never stands in an address again. Forms carry a token
of their own besides the SameSite cookie. Works without JavaScript.
"""

import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from fastapi import APIRouter, Request, Response

from dragoman_server.api.connect_routes import bind, page_response
from dragoman_server.connect import pages
from dragoman_server.connect.authorize import REDIRECTING, Asking
from dragoman_server.connect.model import ConnectSession
from dragoman_server.connect.service import Connect
from dragoman_server.control.model import Integration
from dragoman_server.kit.errors import DragomanError
from dragoman_server.providers.model import Provider
from dragoman_server.web.authenticate import SESSION_PREFIX

COOKIE = "dragoman_connect"
COOKIE_SECONDS = 1800
BODY_LIMIT = 256 * 1024
ENDED = "This link has expired or is not valid. Ask for a new one."


def routes(*, connect: Connect) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    page = _ConnectPage(connect)

    @router.get("/connect-ui")
    async def start(request: Request) -> Response:
        return await page.start(request)

    @router.get("/connect-ui/{rest:path}")
    async def show(request: Request, rest: str) -> Response:
        return await page.show(request, rest)

    @router.post("/connect-ui/{rest:path}")
    async def submit(request: Request, rest: str) -> Response:
        return await page.submit(request, rest)

    return router


class _ConnectPage:
    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def start(self, request: Request) -> Response:
        """Exchange the link's token for a cookie; afterwards let the person choose."""
        token = request.query_params.get("session_token")
        if token is not None:
            if not token.startswith(SESSION_PREFIX) or await self._connect.sessions.find(token) is None:
                return _ended()
            response = _redirect(pages.BASE)
            response.set_cookie(
                COOKIE,
                token,
                max_age=COOKIE_SECONDS,
                path=pages.BASE,
                secure=self._connect.public_url.startswith("https://"),
                httponly=True,
                samesite="lax",
            )
            return response
        session = await self._session(request)
        if session is None:
            return _ended()
        choices = await self._choices(session)
        if len(choices) == 1:
            return _redirect(pages.form_path(choices[0][0].unique_key))
        return page_response(pages.pick(choices))

    async def show(self, request: Request, rest: str) -> Response:
        session = await self._session(request)
        if session is None:
            return _ended()
        if rest == "done":
            return page_response(pages.result(ok=True, message="The account is connected.", back=pages.BASE))
        found, several = await self._find(session, rest)
        if found is None:
            return _nothing()
        token = self._connect.sessions.form_token(request.cookies[COOKIE])
        return page_response(pages.form(session, *found, form_token=token, several=several))

    async def submit(self, request: Request, rest: str) -> Response:
        session = await self._session(request)
        if session is None:
            return _ended()
        found, several = await self._find(session, rest)
        if found is None:
            return _nothing()
        token = self._connect.sessions.form_token(request.cookies[COOKIE])
        typed = await _read_form(request)
        if typed is None or not hmac.compare_digest(typed.get("form_token", "").encode(), token.encode()):
            message = "The form could not be read or is too old. Open it again."
            return page_response(pages.result(ok=False, message=message, back=pages.form_path(found[0].unique_key)))
        try:
            return await self._connect_typed(session, *found, typed)
        except DragomanError as error:
            return page_response(
                pages.form(session, *found, form_token=token, several=several, typed=typed, problem=error.message)
            )

    async def _connect_typed(
        self, session: ConnectSession, integration: Integration, provider: Provider, typed: Mapping[str, str]
    ) -> Response:
        params = {k.removeprefix("config."): v for k, v in typed.items() if k.startswith("config.") and v}
        values: dict[str, Any] = {k.removeprefix("cred."): v for k, v in typed.items() if k.startswith("cred.") and v}
        once = {k.removeprefix("once."): v for k, v in typed.items() if k.startswith("once.") and v}
        if once:
            values["assertionOption"] = once
        if provider.auth_mode in REDIRECTING:
            asking = Asking(authorization_params={}, user_scopes=(), client_override={}, page=True)
            begun = await self._connect.begin_oauth(session, integration.unique_key, params, asking)
            response = page_response(pages.leave(integration, provider, begun.url))
            bind(response, begun, self._connect)
            return response
        await self._connect.connect_with_credentials(
            session, integration.unique_key, provider.auth_mode, values, params
        )
        return _redirect(f"{pages.BASE}/done?integration={quote(integration.unique_key, safe='')}")

    async def _session(self, request: Request) -> ConnectSession | None:
        token = request.cookies.get(COOKIE, "")
        return await self._connect.sessions.find(token) if token.startswith(SESSION_PREFIX) else None

    async def _choices(self, session: ConnectSession) -> list[tuple[Integration, Provider]]:
        return [c for c in await self._connect.choices(session) if c[1].auth_mode in pages.SUPPORTED]

    async def _find(self, session: ConnectSession, rest: str) -> tuple[tuple[Integration, Provider] | None, bool]:
        choices = await self._choices(session)
        wanted = rest.removeprefix("i/")
        found = next((c for c in choices if rest.startswith("i/") and c[0].unique_key == wanted), None)
        return found, len(choices) > 1


async def _read_form(request: Request) -> dict[str, str] | None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return None
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            return None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200))
    except ValueError:
        return None


def _redirect(path: str) -> Response:
    return Response(status_code=303, headers={"Location": path, "Cache-Control": "no-store"})


def _ended() -> Response:
    return page_response(pages.result(ok=False, message=ENDED, back=None, status=401))


def _nothing() -> Response:
    message = "This link does not allow that integration."
    return page_response(pages.result(ok=False, message=message, back=pages.BASE, status=404))
