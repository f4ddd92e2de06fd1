"""LISTEN with a connection of its own that reconnects: a NOTIFY is only ever a hint behind a poll."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from dragoman_server.db.driver import UNAVAILABLE, PostgresError, connect
from dragoman_server.kit.telemetry import get_logger

log = get_logger("db")


class Listener:
    """Calls `channels[name](payload)` for each notification; `on_connect()` after each (re)connect.

    Callbacks run on the event loop and must not block. `heartbeat` statements find a dead connection within seconds.
    """

    def __init__(
        self,
        url: str,
        channels: Mapping[str, Callable[[str], None]],
        on_connect: Callable[[], None] | None = None,
        *,
        heartbeat_seconds: float = 5.0,
    ) -> None:
        self._url = url
        self._channels = channels
        self._on_connect = on_connect
        self._heartbeat = heartbeat_seconds
        self._stopping = asyncio.Event()
        self.connected = asyncio.Event()

    def _receive(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        self._channels[channel](str(payload))

    async def run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._listen()
            except (*UNAVAILABLE, PostgresError) as error:
                log.warning("listener_lost", channels=list(self._channels), error=type(error).__name__)
            self.connected.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), 0.5)

    async def _listen(self) -> None:
        connection = await connect(self._url, timeout=5, command_timeout=5, name="dragoman-listen")
        try:
            for channel in self._channels:
                await connection.add_listener(channel, self._receive)
            self.connected.set()
            if self._on_connect is not None:
                self._on_connect()
            while not self._stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), self._heartbeat)
                await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    async def stop(self) -> None:
        self._stopping.set()
