"""The sockets browsers wait on: named at once, told once, in whichever process they are."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.api.popups import PopupDoor, Popups, message_of
from dragoman_server.connect.authorize import Outcome
from dragoman_server.db import Database
from dragoman_server.web.asgi import Message
from dragoman_server.web.errors import RateLimitedError

NO_URL = "postgresql://127.0.0.1/nobody-asks-it"
SUCCESS = Outcome(None, "The account is connected.", "github", "c-1")


@dataclass
class Socket:
    """A browser's end: what it was sent, and what it says."""

    sent: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue[Message])
    says: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue[Message])
    name: str = ""

    async def next(self) -> Any:
        message = await asyncio.wait_for(self.sent.get(), 10)
        return json.loads(message["text"]) if message["type"] == "websocket.send" else message

    async def leave(self) -> None:
        await self.says.put({"type": "websocket.disconnect", "code": 1001})


@asynccontextmanager
async def opened(popups: Popups) -> AsyncGenerator[Socket]:
    socket = Socket()
    await socket.says.put({"type": "websocket.connect"})
    async with asyncio.TaskGroup() as group:
        group.create_task(popups.serve(socket.says.get, socket.sent.put))
        assert (await socket.next())["type"] == "websocket.accept"
        hello = await socket.next()
        assert hello["message_type"] == "connection_ack"
        socket.name = hello["ws_client_id"]
        yield socket
        await socket.leave()


@asynccontextmanager
async def running(database: Database, url: str, **options: Any) -> AsyncGenerator[Popups]:
    """One process's sockets, listening."""
    popups = Popups(database=database, listen_url=url, **options)
    async with asyncio.TaskGroup() as group:
        group.create_task(popups.run())
        await asyncio.wait_for(popups.listening.wait(), 10)
        yield popups
        await popups.stop()


def alone(**options: Any) -> Popups:
    """Sockets of a process that neither hears nor tells."""
    return Popups(database=Database(NO_URL), listen_url=NO_URL, **options)


def to(socket: Socket, outcome: Outcome = SUCCESS) -> Outcome:
    return Outcome(outcome.error_type, outcome.message, outcome.integration, outcome.connection_id, socket.name)


async def test_check_6_an_outcome_reaches_the_socket_it_names_in_another_process(
    database: Database, database_url: str
) -> None:
    async with running(database, database_url) as here, running(database, database_url) as there:
        async with opened(here) as waiting, opened(here) as other:
            await there.tell(to(waiting))

            assert await waiting.next() == {
                "message_type": "success",
                "provider_config_key": "github",
                "connection_id": "c-1",
                "is_pending": False,
            }
            await there.tell(to(other, Outcome("state_err", "No.", "github", "c-2")))
            assert (await other.next())["message_type"] == "error"
            assert waiting.sent.empty()


async def test_check_6_a_late_socket_gets_nothing(database: Database, database_url: str) -> None:
    async with running(database, database_url) as popups:
        async with opened(popups) as gone:
            pass
        async with opened(popups) as late, opened(popups) as marker:
            await popups.tell(to(gone))
            await popups.tell(to(marker))

            await marker.next()
            assert late.sent.empty()


async def test_every_socket_has_a_name_nobody_guesses() -> None:
    popups = alone()

    async with opened(popups) as one, opened(popups) as other:
        assert one.name != other.name
        assert len(one.name) == 64


async def test_a_full_process_refuses_one_more_and_forgets_those_that_leave() -> None:
    popups = alone(most=1)
    refused = Socket()
    await refused.says.put({"type": "websocket.connect"})

    async with opened(popups):
        await popups.serve(refused.says.get, refused.sent.put)

    assert (await refused.next())["type"] == "websocket.close"
    async with opened(popups):
        pass


async def test_a_socket_ends_with_its_life() -> None:
    popups = alone(life_seconds=0.01)

    async with opened(popups) as socket:
        assert await socket.next() == {"type": "websocket.close", "code": 1000}


async def test_a_name_nobody_has_is_told_to_nobody(database: Database, database_url: str) -> None:
    popups = Popups(database=database, listen_url=database_url)

    for name in (None, "", "x" * 101, "\0", "ü'\"; --"):
        await popups.tell(Outcome(None, "x", "github", "c-1", name))


@pytest.mark.parametrize(("path", "tired"), [("/elsewhere", False), ("/", True)])
async def test_a_socket_elsewhere_or_of_a_caller_over_the_limit_is_refused(path: str, *, tired: bool) -> None:
    def count(scope: Mapping[str, Any]) -> None:
        if tired:
            raise RateLimitedError(method=scope["method"], path=scope["path"], retry_after=1)

    door = PopupDoor(rest=never, popups=alone(), count=count)
    socket = Socket()
    await socket.says.put({"type": "websocket.connect"})

    await door({"type": "websocket", "path": path, "headers": []}, socket.says.get, socket.sent.put)

    assert (await socket.next())["type"] == "websocket.close"


async def never(
    _scope: Any, _receive: Callable[[], Awaitable[Message]], _send: Callable[[Message], Awaitable[None]]
) -> None:
    raise AssertionError("a websocket is not for the others")


@given(message=st.text(max_size=3000), integration=st.text(max_size=255), connection=st.text(max_size=255))
def test_what_is_told_fits_into_a_notification(message: str, integration: str, connection: str) -> None:
    told = message_of(Outcome("callback_err", message, integration, connection, "n" * 64))

    assert len(json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass")) < 7500
