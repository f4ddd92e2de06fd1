"""The expiry of tokens that come without one, where their provider can be asked."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import introspection
from dragoman_server.connect.grants.model import Client, Entry
from dragoman_server.kit.errors import DragomanError
from dragoman_server.logs.operation import Operation

SECONDS = 5.0


async def learn_life(
    exchange: Exchange,
    entry: Entry,
    client: Client,
    config: Mapping[str, Any],
    token: str,
    *,
    now: datetime,
    operation: Operation | None,
) -> timedelta | None:
    """Return how long the token still lives; None where nobody can say. A token in hand is never lost over this."""
    if not introspection.offered(entry):
        return None
    try:
        return await exchange.follow(
            introspection.life(entry, client, config, token, now=now), seconds=SECONDS, operation=operation
        )
    except DragomanError as error:
        if operation is not None:
            operation.warn("The provider could not be asked how long the token lives.", code=error.public_code)
        return None
