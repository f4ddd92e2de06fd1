"""Clients that authenticate by their certificate (RFC 8705), against a real TLS server that demands one."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants.model import Client, Need, TokenAnswer
from dragoman_server.connect.grants.registry import ISSUERS
from dragoman_server.connect.verification import Verifier
from dragoman_server.egress import UpstreamUnreachableError
from dragoman_server.providers.model import AuthMode, Credential, Provider
from tests.egress.servers import client
from tests.egress.test_tls import Secure, secure


def entry(server: Secure) -> dict[str, Any]:
    base = f"https://127.0.0.1:{server.port}"
    return {
        "display_name": "Bank",
        "docs": "https://bank.example/docs",
        "auth_mode": "OAUTH2_CC",
        "token_url": f"{base}/token",
        "require_client_certificate": True,
        "proxy": {"base_url": base, "verification": {"endpoints": ["/me"]}},
    }


async def bank(request: web.Request) -> web.Response:
    """The token is bound to the certificate it was asked with."""
    assert request.transport is not None
    name = request.transport.get_extra_info("peercert")["subject"][0][0][1]
    if request.path == "/token":
        form = await request.post()
        known = form["client_id"] == name and "client_secret" not in form
        body = {"access_token": f"token-of-{name}", "expires_in": 300} if known else {"error": "invalid_client"}
        return web.json_response(body, status=200 if known else 401)
    good = request.headers.get("authorization") == f"Bearer token-of-{name}"
    return web.json_response({}, status=200 if good else 401)


def need(server: Secure, name: str, client_id: str) -> Need:
    own = server.authority.issue(name)
    values = {"client_id": client_id, "client_certificate": own.certificate, "client_private_key": own.key}
    return Need(entry(server), Client(""), values, {}, datetime.now(UTC))


async def test_a_certificate_gets_a_token_that_works_with_that_certificate(tmp_path: Path) -> None:
    async with secure(tmp_path, bank, wants_client=True) as server, client(ca_file=server.ca_file) as egress:
        asked = need(server, "our-client", "our-client")
        issuer = ISSUERS[AuthMode.OAUTH2_CC]
        answer = await Exchange(egress=egress).follow(issuer.renew(asked), seconds=10, operation=None)
        assert isinstance(answer, TokenAnswer)
        credential = Credential(AuthMode.OAUTH2_CC, issuer.kept(asked.values, answer))
        provider = Provider.read("bank", entry(server))

        await Verifier(egress=egress).verify(provider, {}, credential, {})

    assert answer.access_token == "token-of-our-client"


async def test_anothers_certificate_gets_none(tmp_path: Path) -> None:
    async with secure(tmp_path, bank, wants_client=True) as server, client(ca_file=server.ca_file) as egress:
        flow = ISSUERS[AuthMode.OAUTH2_CC].renew(need(server, "somebody-else", "our-client"))
        answer = await Exchange(egress=egress).follow(flow, seconds=10, operation=None)

    assert not isinstance(answer, TokenAnswer)
    assert answer.error == "invalid_client"


async def test_without_a_certificate_the_server_lets_nobody_in(tmp_path: Path) -> None:
    async with secure(tmp_path, bank, wants_client=True) as server, client(ca_file=server.ca_file) as egress:
        asked = Need(entry(server), Client(""), {"client_id": "our-client"}, {}, datetime.now(UTC))
        with pytest.raises(UpstreamUnreachableError):
            await Exchange(egress=egress).follow(ISSUERS[AuthMode.OAUTH2_CC].renew(asked), seconds=10, operation=None)
