"""One entry's life in a minute of reading: connect, verify, call, page, be limited, renew, fail, be revoked.

What `dragoman providers test --simulate` shows. Requests are made by the consents, grants and the renderer the server
uses, sent through its outbound client, and answered by the simulator. No database.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

from dragoman_server.kit.clock import SystemClock
from dragoman_server.providers.model import AuthMode, Credential, Provider
from dragoman_server.simulator.app import SimulatorApp
from dragoman_server.simulator.egress import SimulatedEgress
from dragoman_server.simulator.filling import fill
from dragoman_server.simulator.questions import Question, questions_of
from dragoman_server.simulator.serving import serving
from dragoman_server.simulator.trial import LIMIT, Act, FailedError, Given, Step, Trial
from dragoman_server.simulator.world import World

REDIRECT_URI = "http://127.0.0.1/oauth/callback"
_PAGES = 10
_UNCHECKED = frozenset({AuthMode.NONE})


async def rehearse(provider: Provider) -> list[Step]:
    """Live the entry's life; every step says whether it went well, and why not."""
    world = World([provider])
    async with serving(SimulatorApp(world)) as origin, SimulatedEgress(origin) as egress:

        async def browse(url: str) -> Mapping[str, str]:
            base, _, fragment = url.partition("#")
            base += f"{'&' if '?' in base else '?'}{fragment.lstrip('?')}" if fragment else ""
            async with egress.request("GET", base) as answer:
                text = (await answer.read(LIMIT)).decode()
                location = answer.header("location") or ""
            if not location.startswith(REDIRECT_URI):
                raise FailedError(f"the consent page refused: {_why(text)}")
            return dict(parse_qsl(urlsplit(location).query))

        given = _given(provider, world, origin)
        return await _Rehearsal(provider, given, egress=egress, browse=browse, redirect_uri=REDIRECT_URI).run()


class _Rehearsal(Trial):
    def acts(self) -> Sequence[tuple[str, Act]]:
        return (
            ("connect", self.connect),
            ("verify", self.verify),
            ("call the API", self.call),
            ("walk its pages", self.walk),
            ("wait out its rate limit", self.be_limited),
            ("renew the credential", self.renew),
            ("refuse a wrong credential", self.fail),
            ("revoke it", self.revoke),
        )

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
                    raise FailedError("there was no second page")
                return None
            page = found
            url, parameters = (page.url, {}) if page.url else (url, {**parameters, **(page.parameters or {})})
        raise FailedError(f"the pages did not end after {seen} items")

    async def be_limited(self) -> str | None:
        from dragoman_server.providers.retry import wait_before_retry

        if not self.provider.proxy.base_urls:
            return "the entry has no base URL"
        status, headers, body = await self.send("/limited", {"simulate": "rate-limit"})
        wait = wait_before_retry(self.provider, status, headers, body.decode(), 0, SystemClock().now())
        if wait is None:
            raise FailedError(f"HTTP {status} was not seen as a rate limit")
        await self._get("/limited", {"simulate": "rate-limit"})
        return None

    async def renew(self) -> str | None:
        left_out = await super().renew()
        return left_out or (await self.call() and None)

    async def fail(self) -> str | None:
        good = self.credential
        if self.provider.auth_mode in _UNCHECKED or good is None:
            return "there is none"
        self.credential = Credential(good.type, _spoiled(good.values))
        status = await self.verification()
        if status is None and self.provider.proxy.base_urls:
            status = (await self.send("/things", {}))[0]
        self.credential = good
        if status is None:
            return "the entry has nothing to call"
        if status != 401:
            raise FailedError(f"a wrong credential was answered with HTTP {status}")
        return None

    async def _get(
        self, endpoint: str, parameters: Mapping[str, Any], *, in_body: bool = False
    ) -> tuple[Any, dict[str, str]]:
        status, headers, body = await self.send(endpoint, parameters, in_body=in_body)
        if status != 200:
            raise FailedError(f"HTTP {status}: {_why(body.decode())}")
        return json.loads(body), headers


_KEPT = frozenset({"region", "service", "role_arn", "server", "config_override"})


def _spoiled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a credential's fields, all wrong but those that are no secret."""
    wrong: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, str):
            wrong[name] = value if name in _KEPT else "invalid"
        elif isinstance(value, Mapping) and name not in _KEPT:
            wrong[name] = _spoiled(cast("Mapping[str, Any]", value))
        else:
            wrong[name] = value
    return wrong


def _given(provider: Provider, world: World, origin: str) -> Given:
    """Make up what a developer would give, and tell the vendor the secrets it would know."""
    key = _private_key(provider)
    link = f"{origin}/authorize/{provider.name}/installations/new?" + urlencode(
        {"back": REDIRECT_URI, "app_id": "4711", "simulate": "allow"}
    )
    known = {
        "client_id": "an-app", "client_secret": "a+secret:of/ours", "scopes": ",".join(provider.default_scopes),
        "app_id": "4711", "app_link": link, "private_key": key, "privateKey": key, "token_id": "token-1",
        "token_secret": "token-secret", "aws_access_key_id": "AKIAOURS", "aws_secret_access_key": "our+aws/secret",
        "external_id": "an-external-id",
    }  # fmt: skip
    found: dict[str, dict[str, str]] = {"app": {}, "custom": {}, "config": {}, "typed": {}}
    for question in questions_of(provider):
        found[question.group][question.name] = _made_up(question, known)
    app, custom, typed = found["app"], found["custom"], found["typed"]
    for name, secret in (
        (app.get("client_id"), app.get("client_secret")),
        (custom.get("aws_access_key_id"), custom.get("aws_secret_access_key")),
        (typed.get("token_id"), typed.get("token_secret")),
        (app.get("app_id"), app.get("private_key")),
        (provider.name, typed.get("privateKey")),
        (typed.get("username") if provider.auth_mode is AuthMode.SIGNATURE else None, typed.get("password")),
    ):
        if name and secret:
            world.tell(name, secret)
    return Given(**found)


def _made_up(question: Question, known: Mapping[str, str]) -> str:
    field = question.field
    stated = field is not None and (field.enum or field.default_value or field.example)
    if question.name in known and not (stated and question.name not in {"private_key", "privateKey"}):
        return known[question.name]
    if field is None:
        return "" if question.optional else "good-secret-123456"
    text = fill(field)
    return "0123456789abcdef01234567" if text == "acme" and question.group == "typed" else text


def _private_key(provider: Provider) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    protocol = cast("Mapping[str, Any]", provider.get("signature") or {}).get("protocol", "RSA")
    if protocol == "HMAC":
        return "0f" * 32
    key = ec.generate_private_key(ec.SECP256R1()) if protocol == "EC" else rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _why(text: str) -> str:
    try:
        return str(json.loads(text)["error_description"])
    except (ValueError, KeyError, TypeError):
        return text[:200]
