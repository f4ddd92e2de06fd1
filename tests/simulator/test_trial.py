"""`dragoman providers test`: every mode offline, and against a vendor with what the developer gives."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import click
import pytest
from aiohttp import web
from click.testing import CliRunner

from dragoman_server.cli.trial import ask, callback, variable_of
from dragoman_server.egress import EgressClient, EgressRules
from dragoman_server.providers.catalogue import load_catalogue
from dragoman_server.providers.model import AuthMode, Provider
from dragoman_server.simulator.rehearsal import rehearse
from dragoman_server.simulator.trial import Given, Step, Trial

CATALOGUE = load_catalogue()
ONE_OF_EACH = {provider.auth_mode: provider.name for provider in CATALOGUE.all()}
KEY = "the-developers-own-key"


@pytest.mark.parametrize("name", sorted(ONE_OF_EACH.values()))
async def test_an_entry_of_every_mode_lives_its_life_offline(name: str) -> None:
    steps = await rehearse(CATALOGUE.require(name))

    assert [step for step in steps if step.state == "failed"] == []
    assert [step.state for step in steps if step.what == "connect"] == ["ok"]


def test_every_mode_with_an_entry_is_rehearsed() -> None:
    assert set(AuthMode) - set(ONE_OF_EACH) == {AuthMode.INSTALL_PLUGIN}


class Vendor:
    """A vendor with a key and a list."""

    def __init__(self) -> None:
        self.keys = {KEY}

    async def things(self, request: web.Request) -> web.Response:
        if request.headers.get("x-key") not in self.keys:
            return web.json_response({"error": f"{request.headers.get('x-key')} is wrong"}, status=401)
        return web.json_response({"items": [1, 2], "next": "n"})


@pytest.fixture
async def entry() -> AsyncGenerator[Provider]:
    vendor, app = Vendor(), web.Application()
    app.router.add_get("/things", vendor.things)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    raw: dict[str, Any] = {
        "display_name": "Acme", "docs": "https://acme.example/docs", "auth_mode": "API_KEY",
        "credentials": {"apiKey": {"type": "string", "title": "API key", "secret": True}},
        "proxy": {
            "base_url": base, "headers": {"x-key": "${apiKey}"},
            "verification": {"method": "GET", "endpoints": ["/things"]},
            "paginate": {
                "type": "cursor", "cursor_path_in_response": "next", "cursor_name_in_request": "after",
                "response_path": "items",
            },
        },
    }  # fmt: skip
    yield Provider.read("acme", raw)
    await runner.cleanup()


async def live(entry: Provider, key: str) -> list[Step]:
    async def nobody(_url: str) -> dict[str, str]:
        raise AssertionError("a key needs no browser")

    async with EgressClient(EgressRules(["127.0.0.0/8"])) as egress:
        given = Given(typed={"apiKey": key})
        trial = Trial(entry, given, egress=egress, browse=nobody, redirect_uri="http://127.0.0.1/x", path="/things")
        return await trial.run()


async def test_a_vendor_is_tried_with_the_developers_own_key(entry: Provider) -> None:
    steps = {step.what: step.state for step in await live(entry, KEY)}

    assert steps == {
        "connect": "ok", "verify": "ok", "call the API": "ok", "read one page": "ok", "renew the credential": "left out",
        "revoke it": "left out",
    }  # fmt: skip


async def test_a_wrong_key_fails_its_steps_and_is_shown_nowhere(entry: Provider) -> None:
    steps = await live(entry, "a-wrong-key-of-somebody")

    assert [s.state for s in steps if s.what in {"verify", "call the API"}] == ["failed", "failed"]
    assert "a-wrong-key-of-somebody" not in json.dumps([s.why for s in steps])


def test_answers_come_from_the_environment_or_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = CATALOGUE.require("github")
    monkeypatch.setenv("VENDOR_CLIENT_ID", "an-id")
    monkeypatch.setenv("VENDOR_CLIENT_SECRET", "a-secret")
    monkeypatch.setenv("VENDOR_SCOPES", "repo")

    assert ask(provider).app == {"client_id": "an-id", "client_secret": "a-secret", "scopes": "repo"}
    assert variable_of("apiKey") == "VENDOR_API_KEY"


def test_a_typed_secret_is_not_echoed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VENDOR_API_KEY", raising=False)
    given: list[Given] = []
    asking = click.Command("try", callback=lambda: given.append(ask(CATALOGUE.require("anthropic"))))
    done = CliRunner().invoke(asking, input="sk-typed-in-secret-1234567890\n")

    assert given[0].typed["apiKey"] == "sk-typed-in-secret-1234567890"
    assert "sk-typed-in-secret" not in done.output + done.stderr + repr(given)


async def test_the_browser_brings_the_answer_back(unused_tcp_port: int) -> None:
    waiting = asyncio.create_task(callback(unused_tcp_port))
    answer = b""
    while not answer:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
        except OSError:
            await asyncio.sleep(0)
            continue
        writer.write(b"GET /oauth/callback?code=c&state=s HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = await reader.read()
        writer.close()

    assert answer.startswith(b"HTTP/1.1 200")
    assert await waiting == {"code": "c", "state": "s"}
