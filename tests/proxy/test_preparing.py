"""What is kept between calls never differs from what would be rendered anew."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.providers.model import AuthMode, Credential, Provider
from dragoman_server.providers.rendering import build_request
from dragoman_server.proxy import ProxyRequest, Target
from dragoman_server.proxy.preparing import Preparer, scope_of
from tests.proxy.world import AConnection, AnIntegration

PROVIDER = Provider.read(
    "acme",
    {
        "display_name": "Acme", "docs": "https://acme.example", "auth_mode": "OAUTH2",
        "proxy": {
            "base_url": "https://${connectionConfig.region}.acme.example/v1/?tenant=1",
            "headers": {"x-key": "${connectionConfig.key}", "accept": "application/json", "x-app": "${clientId}"},
        },
    },
)  # fmt: skip
ODD = {
    "query": {"query": {"key": "${accessToken}"}},
    "time": {"headers": {"x-at": "${now}"}},
    "random": {"headers": {"x-id": "${random}"}},
    "request": {"headers": {"x-path": "${path}"}},
}

regions = st.sampled_from(["eu", "us"])
worlds = st.fixed_dictionaries(
    {
        "region": regions,
        "key": st.sampled_from(["k1", "k2"]),
        "token": st.sampled_from(["t1", "t2"]),
        "app": st.sampled_from(["a1", "a2"]),
    }
)
requests = st.builds(
    ProxyRequest,
    method=st.sampled_from(["get", "POST"]),
    endpoint=st.sampled_from(["/", "", "/items", "items/a%2Fb?x=1", "/a b", "/é?q=é"]),
    query=st.sampled_from([(), (("q", "a b"),)]),
    headers=st.sampled_from(
        [(), (("X-Mine", "1"),), (("Accept", "text/plain"),), (("authorization", "mine"),), (("Host", "evil.example"),)]
    ),
)


def _inputs(world: dict[str, str]) -> tuple[Target, Credential, dict[str, Any]]:
    connection = AConnection(connection_config={"region": world["region"], "key": world["key"]})
    target = Target(EnvironmentId(1), AnIntegration(), connection)
    return target, Credential(AuthMode.OAUTH2, {"access_token": world["token"]}), {"client_id": world["app"]}


@given(st.lists(st.tuples(worlds, requests), min_size=1, max_size=8))
def test_a_kept_rendering_equals_a_fresh_one(calls: list[tuple[dict[str, str], ProxyRequest]]) -> None:
    preparer = Preparer()

    for world, request in calls:
        target, credential, application = _inputs(world)
        kept = preparer.render(PROVIDER, target, credential, application, request, None)
        fresh = build_request(
            PROVIDER, scope_of(target, credential, application), method=request.method, endpoint=request.endpoint,
            query=request.query, headers=request.headers,
        )  # fmt: skip

        assert (kept.method, kept.url, kept.headers, kept.credential_origins) == (
            fresh.method, fresh.url, fresh.headers, fresh.credential_origins,
        )  # fmt: skip


@pytest.mark.parametrize("hints", ODD.values(), ids=ODD.keys())
def test_entries_that_depend_on_the_request_or_the_time_are_rendered_each_time(hints: dict[str, Any]) -> None:
    entry = {
        "display_name": "A",
        "docs": "https://a.example",
        "auth_mode": "OAUTH2",
        "proxy": {"base_url": "https://a.example", **hints},
    }
    preparer, provider = Preparer(), Provider.read("odd", entry)
    target, credential, application = _inputs({"region": "eu", "key": "k", "token": "t1", "app": "a"})

    preparer.render(provider, target, credential, application, ProxyRequest("GET", "/"), None)

    assert preparer._kept == {}  # pyright: ignore[reportPrivateUsage]


def test_what_is_kept_is_bounded() -> None:
    preparer = Preparer()
    target, credential, application = _inputs({"region": "eu", "key": "k", "token": "t1", "app": "a"})

    for number in range(2100):
        other = replace(
            target,
            connection=AConnection(id=ConnectionRowId(number), connection_config=target.connection.connection_config),
        )
        preparer.render(PROVIDER, other, credential, application, ProxyRequest("GET", "/"), None)

    assert len(preparer._kept) == 2048  # pyright: ignore[reportPrivateUsage]
