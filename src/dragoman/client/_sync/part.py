"""What the parts of the client share."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman.client._sync.core import Client


class Part:
    def __init__(self, client: "Client") -> None:
        self._call = client.request
