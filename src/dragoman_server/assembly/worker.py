"""One worker process: its roles' doors and loops, until SIGTERM drains it, or SIGUSR1 because another one took over.

`python -m dragoman_server.assembly.worker FD` reads its configuration from the supervisor's pipe; `dragoman serve`
calls `run_worker` itself.
"""

import asyncio
import contextlib
import ctypes
import functools
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, cast

from dragoman_server.assembly.layout import SIMULATOR_ROLE
from dragoman_server.runners.guest.memory import keep_freed

if TYPE_CHECKING:
    from dragoman_server.assembly.draining import Departure

_PR_SET_PDEATHSIG = 1
_COLLECT_AFTER = (20_000, 20, 50)
"""Requests and log rows come and go by the thousand without a cycle among them: looking after each 700 costs 5 %."""


def main() -> None:
    """The supervisor's child."""
    with os.fdopen(int(sys.argv[1]), "rb") as pipe:
        config: dict[str, Any] = json.loads(pipe.read())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)  # a killed supervisor leaves no orphan
    listener = socket.socket(fileno=config.pop("listen_fd")) if "listen_fd" in config else None
    ready: int = config.pop("ready_fd")

    def tell_ready() -> None:
        with contextlib.suppress(BrokenPipeError):  # the supervisor has gone; PDEATHSIG tells
            os.write(ready, b"1")
        os.close(ready)

    sys.exit(run_worker(config, listener, tell_ready))


def run_worker(
    config: dict[str, Any], listener: socket.socket | None, on_ready: Callable[[], None] = lambda: None
) -> int:
    """Run the roles of `config` until SIGTERM or SIGINT; return the exit code. `on_ready`: its doors are open."""
    import uvloop

    from dragoman_server.assembly.settings import read_settings
    from dragoman_server.kit.telemetry import configure_logging

    settings = read_settings()
    configure_logging(level=settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(config, settings, listener, on_ready))


async def _run(
    config: dict[str, Any], settings: Any, listener: socket.socket | None, on_ready: Callable[[], None]
) -> int:
    from dragoman_server.assembly.compose import compose
    from dragoman_server.assembly.draining import Departure
    from dragoman_server.kit.loops import run_all

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    departure = Departure()

    def leave() -> None:
        departure.replaced = True
        stopping.set()

    loop.add_signal_handler(signal.SIGUSR1, leave)
    if config["roles"] == [SIMULATOR_ROLE] and listener is not None:
        from dragoman_server.assembly.simulating import simulator_app

        await run_all(
            [
                HttpServer(
                    simulator_app(settings),
                    listener,
                    drain_seconds=1,
                    settings=settings,
                    departure=departure,
                    on_open=on_ready,
                )
            ],
            stopping,
        )
        return 0
    async with compose(config, settings) as platform:
        services = platform.services(config["roles"])
        if "api" in config["roles"] and listener is not None:
            services.append(
                HttpServer(
                    platform.front,
                    listener,
                    drain_seconds=settings.drain_seconds,
                    settings=settings,
                    departure=departure,
                    on_open=on_ready,
                )
            )
        else:
            on_ready()
        gc.collect()
        gc.freeze()  # what was imported and composed stays: no collection need look at it again
        gc.set_threshold(*_COLLECT_AFTER)
        keep_freed()
        await run_all(services, stopping)
    return 0


class HttpServer:
    """uvicorn on a socket it is given; signals are ours. `on_open` is told when it takes connections."""

    def __init__(
        self,
        app: Any,
        listener: socket.socket,
        *,
        drain_seconds: int,
        settings: Any,
        departure: "Departure",
        on_open: Callable[[], None],
    ) -> None:
        import uvicorn

        from dragoman_server.assembly.draining import LeavingHttp

        trusted = settings.networks("trusted_proxies")
        self._listener = listener
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            date_header=True,
            proxy_headers=bool(trusted),
            forwarded_allow_ips=trusted or None,
            timeout_keep_alive=65,
            timeout_graceful_shutdown=drain_seconds,
            http=cast("Any", functools.partial(LeavingHttp, departure)),
            ws="websockets-sansio",
            ws_max_size=4096,
            ws_per_message_deflate=False,
            loop="none",
            log_config=None,
            h11_max_incomplete_event_size=64 * 1024,
        )
        self._server = _Server(config, on_open)

    async def run(self) -> None:
        await self._server.serve(sockets=[self._listener])

    async def stop(self) -> None:
        self._server.leave()


def _make_server_class() -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        def __init__(self, config: Any, on_open: Callable[[], None]) -> None:
            super().__init__(config)
            self._on_open = on_open
            self._leaving = asyncio.Event()

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            self._on_open()

        @contextlib.contextmanager
        def capture_signals(self) -> Generator[None]:
            yield

        async def main_loop(self) -> None:
            """A turn a second, for the Date header, and one when told to leave: uvicorn's own wakes ten times."""
            while not await self.on_tick(0):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._leaving.wait(), 1.0)

        def leave(self) -> None:
            """End `serve`, once what is under way has been answered."""
            self.should_exit = True
            self._leaving.set()

    return Server


def _Server(config: Any, on_open: Callable[[], None]) -> Any:  # noqa: N802 (made late: uvicorn is a heavy import)
    return _make_server_class()(config, on_open)


if __name__ == "__main__":
    main()
