"""One process full of readers of one connection's token: `python -m tests.real.oidc_reader '<json>'`, a line of JSON out."""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.kit.telemetry import configure_logging
from tests.connect.world import Told, process


async def read(told: dict[str, Any]) -> dict[str, Any]:
    errors: Counter[str] = Counter()
    reads = 0
    tokens: set[str] = set()
    environment_id = EnvironmentId(told["environment_id"])
    async with (
        process(told["url"], Path(told["folder"]), Told(), listen=True) as one,
        httpx.AsyncClient(base_url=told["issuer"], timeout=10) as provider,
    ):
        connection = await one.connections.by_row_id(environment_id, ConnectionRowId(told["connection"]))
        assert connection is not None
        integration = await one.integrations.require(environment_id, connection.integration_key)
        end = time.monotonic() + told["seconds"]

        async def reader() -> None:
            nonlocal reads
            while time.monotonic() < end:
                try:
                    credential = await one.parts.credentials.fresh(environment_id, connection, integration)
                except Exception as error:  # counted; the test wants none
                    errors[repr(error)] += 1
                else:
                    reads += 1
                    token = str(credential.values["access_token"])
                    if token not in tokens:
                        tokens.add(token)
                        answer = await provider.get("/me", headers={"authorization": f"Bearer {token}"})
                        if answer.status_code != 200:
                            errors[f"userinfo {answer.status_code}"] += 1
                await asyncio.sleep(random.uniform(0.01, 0.15))

        await asyncio.gather(*(reader() for _ in range(told["readers"])))
    return {"reads": reads, "tokens": sorted(tokens), "errors": dict(errors)}


if __name__ == "__main__":
    configure_logging(level="error")
    sys.stdout.write(json.dumps(asyncio.run(read(json.loads(sys.argv[1])))) + "\n")
