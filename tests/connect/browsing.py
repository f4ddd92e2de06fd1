"""A browser on the real routes, and an API key for the customer's server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx

from dragoman_server.api import connect_routes, connect_ui_routes
from dragoman_server.api.app import build_app
from dragoman_server.connect.authorize import Outcome
from dragoman_server.control.api_keys import ApiKeys
from dragoman_server.control.environments import Environments
from dragoman_server.kit.clock import SystemClock
from dragoman_server.web.asgi import Front
from dragoman_server.web.authenticate import Authenticator
from dragoman_server.web.limits import RateLimiter
from tests.connect.world import World

API = "http://dragoman.test"


@asynccontextmanager
async def browser(world: World) -> AsyncGenerator[httpx.AsyncClient]:
    one = world.one
    keys = ApiKeys(database=one.database, vault=one.vault, invalidations=one.invalidations)
    environments = Environments(database=one.database, vault=one.vault, invalidations=one.invalidations)
    authenticator = Authenticator(
        keys=keys.authenticate,
        sessions=one.parts.sessions.find,
        limiter=RateLimiter(per_minute=100_000, clock=SystemClock()),
    )

    async def tell(outcome: Outcome) -> None:
        world.told.outcomes.append(outcome)

    routers = [
        connect_routes.routes(
            connect=one.parts.connect, connections=one.connections, environments=environments, tell=tell
        ),
        connect_ui_routes.routes(environments=environments, sessions=one.parts.sessions),
    ]
    app = Front(rest=build_app(authenticator=authenticator, routers=routers, edition="full"), hot={})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=API) as client:
        yield client


async def api_key(world: World) -> dict[str, str]:
    one = world.one
    keys = ApiKeys(database=one.database, vault=one.vault, invalidations=one.invalidations)
    _, secret = await keys.create(world.account.id, "test", environment_id=world.environment.id)
    return {"authorization": f"Bearer {secret.reveal()}"}
