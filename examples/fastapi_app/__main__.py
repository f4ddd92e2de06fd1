"""`python -m examples.fastapi_app`, beside `dragoman up --simulate --data-dir .simulated`."""

import socket

import uvicorn

from examples.fastapi_app.app import build
from examples.setting_up import arguments, find_platform, set_up


def main() -> None:
    given = arguments("fastapi_app", 8001)
    platform = find_platform(given.data_dir)
    listening = socket.create_server(("127.0.0.1", given.port))
    own_url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    set_up(platform, own_url)
    server = uvicorn.Server(uvicorn.Config(build(platform), log_level="warning"))
    print(f"The example listens on {own_url}", flush=True)
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
