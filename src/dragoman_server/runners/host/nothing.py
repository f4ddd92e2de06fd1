"""GuestCalls that refuse everything: a project's imports have nothing to ask for."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NoReturn

from dragoman_server.kit.errors import ForbiddenError
from dragoman_server.runners.port import LogLine, ProxyAnswer, ProxyCall, SaveBatch, SaveCounts


class NoCalls:
    """Implements `port.GuestCalls`."""

    def proxy(self, call: ProxyCall) -> AbstractAsyncContextManager[ProxyAnswer]:
        self._refuse()

    async def save(self, batch: SaveBatch) -> SaveCounts:
        self._refuse()

    async def delete(self, batch: int, model: str, ids: Sequence[str]) -> int:
        self._refuse()

    async def open_tracking(self, batch: int, model: str) -> None:
        self._refuse()

    async def close_tracking(self, batch: int, model: str, *, allow_empty: bool) -> int:
        self._refuse()

    async def records(self, model: str, ids: Sequence[str]) -> Sequence[tuple[str, bytes]]:
        self._refuse()

    async def save_checkpoint(self, batch: int, checkpoint: bytes | None) -> None:
        self._refuse()

    async def metadata(self) -> bytes:
        self._refuse()

    async def write_metadata(self, value: bytes, *, merge: bool) -> None:
        self._refuse()

    async def connection(self) -> Mapping[str, Any]:
        self._refuse()

    async def variables(self) -> Mapping[str, str]:
        self._refuse()

    async def trigger_action(self, name: str, input: bytes | None) -> bytes | None:  # noqa: A002 - the wire's word
        self._refuse()

    def log(self, lines: Sequence[LogLine]) -> None:
        """Nobody reads them."""

    def _refuse(self) -> NoReturn:
        raise ForbiddenError("A project may not call the platform while it is described.")
