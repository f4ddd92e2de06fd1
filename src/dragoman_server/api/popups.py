"""The socket a browser's SDK waits on while its popup is with the provider.

`connection_ack` names the socket, the authorization carries that name, and its outcome comes back on the socket. The
provider's answer may reach another process than the socket did, so an outcome goes by NOTIFY to all of them. Nothing is
kept for a socket that is late or gone: the callback page tells the window that opened it, too.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from dragoman_server.connect.authorize import Outcome
from dragoman_server.db import Database, read_sql
from dragoman_server.db.driver import UNAVAILABLE, PostgresError
from dragoman_server.db.listen import Listener
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import random_token
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.web.asgi import App, Receive, Scope, Send

log = get_logger("api")

TELL = read_sql("dragoman_server.api", "tell_popup")
CHANNEL = "dragoman_popups"
PATH = "/"
MOST_SOCKETS = 10_000
LIFE_SECONDS = 3600.0
LONGEST_ID = 100
LONGEST_MESSAGE = 500
TRY_AGAIN_LATER = 1013


class Told(msgspec.Struct, frozen=True):
    """What travels between processes: `message` for the socket named `to`."""

    to: str
    message: dict[str, Any]
    v: int = 1


class Popups:
    """The sockets of this process, and the way to those of all processes. `run` listens for the others."""

    def __init__(
        self, *, database: Database, listen_url: str, most: int = MOST_SOCKETS, life_seconds: float = LIFE_SECONDS
    ) -> None:
        self._database = database
        self._most = most
        self._life = life_seconds
        self._waiting: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._listener = Listener(listen_url, {CHANNEL: self._heard})

    async def run(self) -> None:
        await self._listener.run()

    async def stop(self) -> None:
        await self._listener.stop()

    @property
    def listening(self) -> asyncio.Event:
        return self._listener.connected

    async def tell(self, outcome: Outcome) -> None:
        """Tell the socket that waits for this outcome, wherever it is; call it after what it tells has committed."""
        name = outcome.ws_client_id
        if not name or len(name) > LONGEST_ID:
            return
        told = Told(name, message_of(outcome))
        try:
            await self._database.execute(TELL, msgspec.json.encode(told).decode())
        except (*UNAVAILABLE, PostgresError) as error:
            log.warning("popup_not_told", error=type(error).__name__)  # the page tells the window that opened it

    async def serve(self, receive: Receive, send: Send) -> None:
        """Keep one socket: acknowledge it, pass on what it is told, until the browser leaves."""
        await receive()  # websocket.connect
        if len(self._waiting) >= self._most:
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
            return
        name = random_token()
        queue = self._waiting[name] = asyncio.Queue[dict[str, Any]](4)
        try:
            await send({"type": "websocket.accept"})
            await _say(send, {"message_type": "connection_ack", "ws_client_id": name})
            async with asyncio.TaskGroup() as group:
                passing = group.create_task(_pass_on(queue, send))
                gone = False
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._life):
                        await _until_gone(receive)
                        gone = True
                passing.cancel()
                if not gone:
                    await send({"type": "websocket.close", "code": 1000})
        finally:
            del self._waiting[name]

    def _heard(self, payload: str) -> None:
        try:
            told = msgspec.json.decode(payload, type=Told)
        except msgspec.DecodeError:
            log.warning("popup_message_unreadable")  # perhaps a newer release's
            return
        queue = self._waiting.get(told.to)
        if queue is not None:
            with suppress(asyncio.QueueFull):  # nobody needs a fifth outcome
                queue.put_nowait(told.message)


class PopupDoor:
    """Takes websockets at `/`, leaves everything else to `rest`. `count` counts a call against its address."""

    def __init__(self, *, rest: App, popups: Popups, count: Callable[[Mapping[str, Any]], None]) -> None:
        self._rest = rest
        self._popups = popups
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._rest(scope, receive, send)
            return
        try:
            self._count({**scope, "method": "GET", "state": {}})
            allowed = scope["path"] == PATH
        except DragomanError:
            allowed = False
        if allowed:
            await self._popups.serve(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})  # before accepting: the server answers 403


def message_of(outcome: Outcome) -> dict[str, Any]:
    """An outcome as the browser's SDK reads it."""
    about = {"provider_config_key": outcome.integration, "connection_id": outcome.connection_id}
    if outcome.ok:
        return {"message_type": "success", **about, "is_pending": outcome.waiting}
    description = outcome.message[:LONGEST_MESSAGE]
    return {"message_type": "error", **about, "error_type": outcome.error_type, "error_desc": description}


async def _say(send: Send, message: Mapping[str, Any]) -> None:
    await send({"type": "websocket.send", "text": msgspec.json.encode(message).decode()})


async def _pass_on(queue: "asyncio.Queue[dict[str, Any]]", send: Send) -> None:
    with suppress(OSError):  # the browser left between the two
        while True:
            await _say(send, await queue.get())


async def _until_gone(receive: Receive) -> None:
    """What a browser says is ignored."""
    while (await receive())["type"] != "websocket.disconnect":
        pass
