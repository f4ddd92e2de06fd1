"""A tiny webhook receiver: verifies each signature with the client's verifier, answers 204, prints one line of JSON."""

import argparse
import asyncio
import json
from contextlib import suppress

from aiohttp import web

from dragoman import InvalidSignatureError, verify_webhook


def make_app(signing_key: str, seen: list[dict[str, object]]) -> web.Application:
    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            event = verify_webhook(body, request.headers, signing_key)
        except InvalidSignatureError as error:
            print(json.dumps({"refused": str(error)}), flush=True)
            return web.Response(status=401)
        seen.append(event)
        print(json.dumps(event), flush=True)
        return web.Response(status=204)

    async def events(_request: web.Request) -> web.Response:
        return web.json_response(seen)

    app = web.Application()
    app.router.add_post("/webhooks", receive)
    app.router.add_get("/events", events)
    return app


async def serve(port: int, signing_key: str) -> None:
    seen: list[dict[str, object]] = []
    runner = web.AppRunner(make_app(signing_key, seen), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    print(f"receiver on http://127.0.0.1:{runner.addresses[0][1]}/webhooks", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--signing-key-file", required=True, help="a file that holds the webhook signing key")
    arguments = parser.parse_args()
    with open(arguments.signing_key_file, encoding="utf-8") as file:  # noqa: PTH123
        key = file.read().strip()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.port, key))


if __name__ == "__main__":
    main()
