"""Requests that must be signed are signed as they go out: checked with botocore's and oauthlib's own computation."""

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from oauthlib.oauth1.rfc5849 import signature  # pyright: ignore[reportMissingTypeStubs]

from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.proxy import ProxyRequest
from tests.egress.servers import serving
from tests.proxy.world import AConnection, world

auth, awsrequest, credentials = (import_module(f"botocore.{name}") for name in ("auth", "awsrequest", "credentials"))
library: Any = signature
KEYS = {
    "access_key_id": "AKIDEXAMPLE",
    "secret_access_key": "wJalrXUtnFEMI/K7MDENG",
    "session_token": "session/token==",
    "region": "eu-central-1",
    "service": "execute-api",
}


def botocores(request: web.Request, base: str, body: bytes) -> str:
    """The signature botocore would have put on the request as it arrived."""
    keys = credentials.Credentials(KEYS["access_key_id"], KEYS["secret_access_key"], KEYS["session_token"])
    signer = auth.SigV4Auth(keys, KEYS["service"], KEYS["region"])
    names = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    headers = {name: request.headers[name] for name in names}
    seen = awsrequest.AWSRequest(request.method, f"{base}{request.raw_path}", headers, body)
    seen.context["timestamp"] = request.headers["X-Amz-Date"]
    return signer.signature(signer.string_to_sign(seen, signer.canonical_request(seen)), seen)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/things/a b?z=1&a=%20x&a=2", None),
        ("POST", "/things", b'{"name": "x"}'),
        ("DELETE", "/things/1", None),
        ("PUT", "/blob", b"\x00\xff" * 5000),
    ],
)
async def test_aws_takes_what_is_proxied(tmp_path: Path, method: str, path: str, body: bytes | None) -> None:
    seen: list[tuple[web.Request, bytes]] = []

    async def api(request: web.Request) -> web.Response:
        seen.append((request, await request.read()))
        return web.Response()

    async with serving(api) as base, world(tmp_path, base, entry={"auth_mode": "AWS_SIGV4"}) as w:
        w.credentials.fixed = Credential(AuthMode.AWS_SIGV4, KEYS)
        request = ProxyRequest(method, path, headers=[("content-type", "application/json")], body=body)
        async with w.proxy.call(w.target, request) as answer:
            await answer.read(10)

        ((arrived, content),) = seen
        assert arrived.headers["Authorization"].endswith(f"Signature={botocores(arrived, base, content)}")
        assert arrived.headers["X-Amz-Security-Token"] == KEYS["session_token"]
        assert KEYS["secret_access_key"] not in w.logs.text
        assert KEYS["session_token"] not in w.logs.text


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"status=hello%20world&x=1"),
        ("application/json", b'{"a": 1}'),
        (None, None),
    ],
)
async def test_an_oauth1_server_takes_what_is_proxied(tmp_path: Path, kind: str | None, body: bytes | None) -> None:
    good: list[bool] = []
    headers: list[str] = []

    async def api(request: web.Request) -> web.Response:
        header = request.headers["Authorization"]
        headers.append(header)
        form = (await request.text()) if kind and "form" in kind else ""
        found = dict(library.collect_parameters(headers={"Authorization": header}, exclude_oauth_signature=False))
        params = library.collect_parameters(
            uri_query=request.rel_url.raw_query_string, body=form, headers={"Authorization": header}
        )
        uri = f"http://{request.host}{request.raw_path}"
        said = SimpleNamespace(uri=uri, http_method=request.method, params=params, signature=found["oauth_signature"])
        good.append(library.verify_hmac_sha256(said, "app-secret-value", "ts-secret"))
        return web.Response()

    connection = AConnection(connection_config={"accountId": "77"})
    async with serving(api) as base, world(tmp_path, base, entry={"auth_mode": "TBA"}, connection=connection) as w:
        w.credentials.fixed = Credential(AuthMode.TBA, {"token_id": "tid", "token_secret": "ts-secret"})
        sent = [("content-type", kind)] if kind else []
        for _ in range(2):
            request = ProxyRequest("POST" if body else "GET", "/rest?limit=5&q=a%20b", headers=sent, body=body)
            async with w.proxy.call(w.target, request) as answer:
                await answer.read(10)

    assert good == [True, True]
    assert headers[0] != headers[1]
    assert 'realm="77"' in headers[0]
