"""A customer's application on an origin of its own, which shows the Connect UI by the published `@nangohq/frontend`.

The package is served as it was installed, by an import map; it is never opened.
"""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

PACKAGE = Path(__file__).parents[1] / "real" / "nango_frontend" / "node_modules" / "@nangohq" / "frontend"
HOST = "app.localhost"
"""Another site than 127.0.0.1 in the eyes of a browser: frames are third-party, as they are in real life."""
PAGE = """<!doctype html>
<title>A customer's application</title>
<script type="importmap">{"imports": {"@nangohq/frontend": "/sdk/index.js"}}</script>
<script type="module">
  import Nango from '@nangohq/frontend';
  window.events = [];
  window.sdk = (server, token) => new Nango({ host: server, ...(token ? { connectSessionToken: token } : {}) });
  window.openConnect = (server, token, more = {}) => {
    const nango = window.sdk(server, token);
    window.connectUI = nango.openConnectUI({
      baseURL: `${server}/connect-ui/`, apiURL: server, ...more, onEvent: (event) => window.events.push(event),
    });
    if (token) window.connectUI.setSessionToken(token);
  };
  window.isReady = true;
</script>
<h1>A customer's application</h1>
<button id="outside">Something else</button>
"""


async def _page(_request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html", headers={"Referrer-Policy": "no-referrer"})


async def _icon(_request: web.Request) -> web.Response:
    return web.Response(status=204)


@contextmanager
def embedding() -> Generator[str]:
    """Serve the application; yields its address."""
    assert PACKAGE.is_dir(), "run `make node` first"
    app = web.Application()
    app.router.add_get("/", _page)
    app.router.add_get("/favicon.ico", _icon)
    app.router.add_static("/sdk", PACKAGE / "dist")
    loop = asyncio.new_event_loop()
    started, stop = threading.Event(), asyncio.Event()
    port = 0

    async def serve() -> None:
        nonlocal port
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        started.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        assert started.wait(10), "the embedding application did not start"
        yield f"http://{HOST}:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
