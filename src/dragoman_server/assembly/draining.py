"""How a worker process that is being replaced gives up its connections: no caller sees one break.

On a stop, idle connections are closed at once: nobody will answer on that port anyhow. A replaced worker's callers go
on, so each is told with its next answer (`Connection: close`), and one that is silent is closed only after a while: a
request that is on its way when the connection is closed would be lost (RFC 9112, section 9.6).
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from dragoman_server.assembly.http_protocol import BoundedHttp

LINGER_SECONDS = 2.0


@dataclass(slots=True)
class Departure:
    """A worker's: `replaced` once another process serves its socket."""

    replaced: bool = False


class LeavingHttp(BoundedHttp):
    """Knows that its process is being replaced."""

    def __init__(self, departure: Departure, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._departure = departure

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base
        super().connection_made(transport)
        if self._departure.replaced:
            self.shutdown()

    def shutdown(self) -> None:
        if not self._departure.replaced:
            super().shutdown()
            return
        self.timeout_keep_alive = LINGER_SECONDS
        cycle = self._cycle
        if cycle is None or cycle.response_complete:
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(LINGER_SECONDS, self.timeout_keep_alive_handler)
        elif not cycle.response_started:
            cycle.keep_alive = False
        # else it was promised that the connection stays open: the next answer takes that back

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._departure.replaced and self._cycle is not None:
            self._cycle.keep_alive = False  # the response begins in a later turn of the loop, and says so

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """None before the first request, which the base's type does not say."""
        return self.cycle
