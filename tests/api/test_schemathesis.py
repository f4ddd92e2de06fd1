"""Whatever our OpenAPI document allows or forbids: never a 5xx, and every refusal is the whole envelope.

The seed is `SEED` and is printed; set `FUZZ_SEED` and `FUZZ_EXAMPLES` to look further than every run does.
"""

import os
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import closing
from typing import Any, cast

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from dragoman_server.api.demands import DEMANDS, HOT
from dragoman_server.api.proxy_openapi import METHODS
from tests.api.calls import Home
from tests.api.describing import described
from tests.support.platform import RunningPlatform, make_data_dir, remove_data_dir, start_platform
from tests.support.third_party import PROVIDERS, ThirdParty

pytestmark = pytest.mark.xdist_group("fuzz")  # one platform or project for all of them
SEED = int(os.environ.get("FUZZ_SEED", "20260801"))
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
UNAVAILABLE = {("get", "/ready")}
PAGES = ("/oauth/connect",)
"""Routes for browsers: their refusals are pages."""

OPERATIONS = sorted(
    [(m.lower(), p) for m, p in described()[1]] + [("get", "/records")] + [(m, "/proxy/{path}") for m in METHODS]
)


class Fuzzed:
    """A platform of its own (fuzzing deletes environments and keys), its document, and things that exist."""

    def __init__(self, platform: RunningPlatform, third_party: ThirdParty) -> None:
        self.home = Home(platform, third_party)
        self.schema = schemathesis.openapi.from_dict(self.home.api.get("/openapi.json").json())
        self.integration = self.home.integration("tp-none", allowed_origins=[third_party.url])
        self.connection = self.home.connection(self.integration)
        self.key_integration = self.home.integration("tp-key")
        session = self.home.session(self.integration, self.key_integration)
        self.tokens = {"key": self.home.api.key, "account": self.home.account.key, "session": session.key}
        self.kept = {e["id"] for e in platform.credentials["environments"].values()} | {self.home.id}

    def token(self, method: str, path: str) -> str | None:
        demands = {(m.lower(), p.replace(":path}", "}")): d for (m, p), d in {**DEMANDS, **HOT}.items()}
        demand = demands.get((method, path)) or demands["*", path]
        if demand.public:
            return None
        return self.tokens["account" if demand.account else "key" if demand.key else "session"]

    def known(self, name: str) -> Any:
        """What exists under this parameter's name."""
        plain = name.lower().replace("-", "_")
        if plain in {"connection_id", "connectionid"}:
            return self.connection
        if plain in {"provider_config_key", "unique_key", "integration_id", "integrationid"}:
            return self.integration
        return None

    def aim(self, case: Any, hit: bool) -> None:
        """Put names of things that exist where the case has invented ones; spare what the fuzzing itself needs."""
        for part in (case.path_parameters, case.query, case.headers, case.body):
            if not isinstance(part, MutableMapping):
                continue
            values = cast("MutableMapping[str, Any]", part)
            for name in list(values):
                found = self.known(name) if hit else None
                if found is not None and isinstance(values[name], str):
                    values[name] = found
            if str(values.get("environment_id")) in map(str, self.kept):
                values["environment_id"] = 2**30


@pytest.fixture(scope="module")
def fuzzed(third_party: ThirdParty) -> Iterator[Fuzzed]:
    folder = make_data_dir()
    platform = start_platform(folder / "data", extra={"DRAGOMAN_PROVIDERS_DIR": str(PROVIDERS)})
    try:
        made = Fuzzed(platform, third_party)
        with closing(made.home.http):
            yield made
    finally:
        platform.stop()
        remove_data_dir(folder)


def judge(method: str, path: str, answer: httpx.Response, told: Callable[[], str]) -> None:
    assert answer.status_code < 500 or (method, path) in UNAVAILABLE, told()
    if answer.status_code < 400 or path.startswith(PAGES) or method == "head":
        return
    if answer.text == "Invalid HTTP request received.":
        return  # an address of more than 64 KiB does not reach us: the HTTP server refuses it
    try:
        told_to_caller: dict[str, Any] = answer.json()
    except ValueError:
        assert path.startswith("/proxy"), told()  # what the upstream said, as it said it
        return
    error: Any = told_to_caller.get("error")
    assert isinstance(error, dict), told()
    envelope = cast("dict[str, Any]", error)
    assert isinstance(envelope.get("code"), str), told()
    assert isinstance(envelope.get("message"), str), told()
    for issue in envelope.get("errors", ()):
        assert {"code", "message", "path"} <= set(issue), told()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["allowed", "forbidden"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_nothing_ends_in_a_500(fuzzed: Fuzzed, method: str, path: str, mode: GenerationMode) -> None:
    operation = cast("Any", fuzzed.schema[path][method.upper()])
    token = fuzzed.token(method, path)
    print(f"FUZZ_SEED={SEED} FUZZ_EXAMPLES={EXAMPLES}")

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(case=operation.as_strategy(generation_mode=mode), hit=st.booleans())
    def run(case: Any, hit: bool) -> None:
        fuzzed.aim(case, hit)
        request = case.as_transport_kwargs(base_url=fuzzed.home.platform.url)
        headers = {k: v for k, v in request.get("headers", {}).items() if k.lower() != "authorization"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        answer = case.call(base_url=fuzzed.home.platform.url, headers=headers)
        answered = httpx.Response(answer.status_code, content=answer.content)
        judge(
            method, path, answered, lambda: f"{case.as_curl_command()}\n{answer.status_code} {answer.content[:1000]!r}"
        )

    try:
        run()
    except schemathesis.errors.InvalidSchema:
        raise
    except Exception as error:
        if type(error).__name__ in {"Unsatisfiable", "Unsatisfied"}:
            return  # nothing can be wrong about an operation without parameters and body
        raise
