"""The certified OpenID provider of `oidc/server.mjs` as a process, and a person in front of it."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
from joserfc.jwk import ECKey

HERE = Path(__file__).parent / "oidc"
CALLBACK = "http://dragoman.test/oauth/callback"
KEY = ECKey.generate_key("P-256", {"kid": "k1"})
"""The private key of the provider's client `keyed`."""
_LOGIN = {"prompt": "login", "login": "ann", "password": "any"}


def private_jwk() -> str:
    return json.dumps(KEY.as_dict(private=True))


@contextmanager
def provider() -> Generator[str]:
    """Start it; yield its address. The packages come from `make node`."""
    node = shutil.which("node")
    assert node is not None, "Node.js is missing; `make node` says what to install"
    assert (HERE / "node_modules").is_dir(), "run `make node` first"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    jwks = json.dumps({"keys": [{**KEY.as_dict(private=False), "use": "sig"}]})
    server = subprocess.Popen(
        [node, "server.mjs", str(port), CALLBACK, jwks],
        cwd=HERE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline().strip() == "ready"
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.communicate()


async def sign_in(url: str) -> dict[str, str]:
    """Log in and agree as a person does; return the callback's query."""
    async with httpx.AsyncClient(timeout=10) as person:
        response = await person.get(url)
        for _ in range(12):
            if response.is_redirect:
                target = urljoin(str(response.url), response.headers["location"])
                if target.startswith(CALLBACK):
                    return dict(httpx.QueryParams(urlsplit(target).query))
                response = await person.get(target)
                continue
            response = await _submit(person, response)
    raise AssertionError("the provider never sent the browser back")


async def use_code(url: str, *, decline: bool = False) -> None:
    """Open the address of a device's code, confirm it (or not), log in and agree."""
    async with httpx.AsyncClient(timeout=10, follow_redirects=True) as person:
        response = await person.get(url)
        for _ in range(12):
            if "<form" not in response.text:
                return
            if decline and "deviceConfirmForm" in response.text:
                await _submit(person, response, {"abort": "yes"})
                return
            response = await _submit(person, response)
    raise AssertionError("the provider never came to an end")


async def _submit(
    person: httpx.AsyncClient, response: httpx.Response, extra: dict[str, str] | None = None
) -> httpx.Response:
    form = re.search(r'<form[^>]*action="([^"]+)"', response.text)
    assert form is not None, response.text[:500]
    hidden = re.findall(r'<input[^>]*type="hidden"[^>]*name="(\w+)"[^>]*value="([^"]*)"', response.text)
    fields: dict[str, Any] = {name: unescape(value) for name, value in hidden}
    if fields.get("prompt") == "login":
        fields |= _LOGIN
    return await person.post(urljoin(str(response.url), unescape(form[1])), data={**fields, **(extra or {})})


async def stats(issuer: str) -> dict[str, Any]:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{issuer}/stats")).json()
