"""What the parts of the client share."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman.client._async.core import AsyncClient


class AsyncPart:
    def __init__(self, client: "AsyncClient") -> None:
        self._call = client.request
