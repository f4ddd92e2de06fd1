"""An attempt that lost its task calls no provider, writes no metadata and triggers nothing; a current one does."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dragoman_server.gate import calls as gate_calls
from dragoman_server.gate.calls import RunCalls
from dragoman_server.jobs.model import RunTarget
from dragoman_server.kit.ids import uuid7
from dragoman_server.records import StaleAttemptError
from dragoman_server.runners.port import ProxyCall


class Provider:
    def __init__(self) -> None:
        self.called: list[str] = []

    @asynccontextmanager
    async def call(self, _target: object, request: Any, **_: object) -> AsyncGenerator[Any]:
        self.called.append(request.endpoint)

        async def body() -> AsyncIterator[bytes]:
            yield b""

        yield SimpleNamespace(status=200, headers=(), iter=body)


def calls_of(provider: Provider, still_held: Callable[[], Awaitable[bool]], *, repeatable: bool) -> RunCalls:
    prepared: Any = SimpleNamespace(
        environment_id=1, integration=None, connection=None, function=SimpleNamespace(manifest={})
    )
    target = RunTarget(prepared, uuid7(), cast("Any", None), still_held=still_held, repeatable=repeatable)
    nothing = cast("Any", None)
    return RunCalls(
        target,
        proxy=cast("Any", provider),
        records=nothing,
        connections=nothing,
        variables=nothing,
        trigger_action=nothing,
    )


async def post(calls: RunCalls) -> None:
    async with calls.proxy(ProxyCall("POST", "/orders")):
        pass


async def test_a_lost_attempt_of_a_repeatable_action_reaches_no_provider() -> None:
    provider, asked = Provider(), list[bool]()

    async def lost() -> bool:
        asked.append(True)
        return False

    calls = calls_of(provider, lost, repeatable=True)
    for ask in (post(calls), calls.write_metadata(b"{}", merge=True), calls.trigger_action("other", None)):
        with pytest.raises(StaleAttemptError):
            await ask
    assert provider.called == []
    assert len(asked) == 3


async def test_a_current_attempt_is_asked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    provider, now, held = Provider(), [100.0], [True]
    monkeypatch.setattr(gate_calls, "time", SimpleNamespace(monotonic=lambda: now[0]))
    asked: list[float] = []

    async def ask() -> bool:
        asked.append(now[0])
        return held[0]

    calls = calls_of(provider, ask, repeatable=False)
    await post(calls)  # just claimed, and no other attempt can ever follow
    assert asked == []
    now[0] += gate_calls.FENCE_SECONDS
    await post(calls)
    await post(calls)
    assert asked == [100.0 + gate_calls.FENCE_SECONDS]
    now[0] += 60  # the process slept, the reaper ended the run meanwhile
    held[0] = False
    with pytest.raises(StaleAttemptError):
        await post(calls)
    assert provider.called == ["/orders"] * 3
