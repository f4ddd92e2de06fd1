"""Calling the running platform in few words."""

import itertools
from collections.abc import Mapping
from typing import Any

import httpx

from tests.support.platform import RunningPlatform
from tests.support.third_party import ThirdParty

_numbers = itertools.count()


def fresh(prefix: str) -> str:
    """A name nobody else in this test process uses."""
    return f"{prefix}-{next(_numbers)}"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """`(status, code)` of an error; fails unless it is the whole envelope."""
    error = answer.json()["error"]
    assert isinstance(error["message"], str), error
    assert error["message"]
    return answer.status_code, error["code"]


def places(answer: httpx.Response) -> list[list[str | int]]:
    """Where each issue of a validation error is."""
    return [issue["path"] for issue in answer.json()["error"]["errors"]]


class Api:
    """One caller: `key` is an API key, an account key or a session token; None sends no Authorization header."""

    def __init__(self, http: httpx.Client, key: str | None) -> None:
        self.key = key
        self._http = http

    def __call__(
        self, method: str, path: str, json: Any = None, *, headers: Mapping[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        if json is not None:
            options["json"] = json
        own = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return self._http.request(method, path, headers=own | dict(headers or {}), **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self("POST", path, json, **options)

    def put(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self("PUT", path, json, **options)

    def patch(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self("PATCH", path, json, **options)

    def delete(self, path: str, json: Any = None, **options: Any) -> httpx.Response:
        return self("DELETE", path, json, **options)


class Home:
    """An environment of a test's own on the shared platform, with ways to fill it."""

    def __init__(self, platform: RunningPlatform, third_party: ThirdParty) -> None:
        self.platform = platform
        self.third_party = third_party
        self.http = httpx.Client(base_url=platform.url, timeout=30)
        self.account = Api(self.http, platform.credentials["account_key"])
        self.id: int = self.account.post("/environments", {"name": fresh("home")}).json()["data"]["id"]
        self.api = self.with_scopes(None)

    def key(self, scopes: list[str] | None = None) -> dict[str, Any]:
        body: dict[str, Any] = {"environment_id": self.id, "display_name": "test"}
        answer = self.account.post("/environment/api-keys", body if scopes is None else body | {"scopes": scopes})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def with_scopes(self, scopes: list[str] | None) -> Api:
        return Api(self.http, self.key(scopes)["secret"])

    def anonymous(self) -> Api:
        return Api(self.http, None)

    def integration(self, provider: str = "tp-none", **more: Any) -> str:
        key = fresh(provider)
        answer = self.api.post("/integrations", {"unique_key": key, "provider": provider, **more})
        assert answer.status_code == 200, answer.text
        return key

    def connection(self, integration: str, credentials: Mapping[str, Any] | None = None, **more: Any) -> str:
        body: dict[str, Any] = {
            "provider_config_key": integration,
            "connection_id": fresh("c"),
            "credentials": credentials or {"type": "NONE"},
            "connection_config": {"url": self.third_party.url},
        }
        answer = self.api.post("/connections", body | more)
        assert answer.status_code == 201, answer.text
        return answer.json()["connection_id"]

    def session(self, *integrations: str, **more: Any) -> Api:
        """A caller with a connect session for these integrations, or for all."""
        body: dict[str, Any] = {"end_user": {"id": "u"}, **more}
        if integrations:
            body["allowed_integrations"] = list(integrations)
        answer = self.api.post("/connect/sessions", body)
        assert answer.status_code == 201, answer.text
        return Api(self.http, answer.json()["data"]["token"])


def headers_of(integration: str, connection: str) -> dict[str, str]:
    return {"Provider-Config-Key": integration, "Connection-Id": connection}
