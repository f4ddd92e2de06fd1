"""Pages of the feed as ready JSON, pure: our metadata is spliced into each stored object, nothing is decoded.

Written for speed (a page of 1000 has 1000 of everything): pieces are joined once, and the part of the metadata that a
batch of records shares is formatted once.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from dragoman_server.records.model import Action

_ACTIONS = {action.value: action.name.encode() for action in Action}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_METADATA = (
    b',"_nango_metadata":{"first_seen_at":"%b","last_modified_at":"%b","last_action":"%b",'
    b'"deleted_at":%b,"pruned_at":%b,"cursor":"'
)
_END = b'"}},'


def micros(at: datetime) -> int:
    """An aware time as microseconds since 1970, as records keep theirs."""
    return (at - _EPOCH) // _MICROSECOND


def stamp(at: int) -> bytes:
    """Format microseconds since 1970 as the metadata does: `2030-01-31T12:00:00.000000+00:00`."""
    return (_EPOCH + at * _MICROSECOND).isoformat(timespec="microseconds").encode()


class PageWriter:
    """Collects the records of one page."""

    __slots__ = ("_cursor_of", "_pieces", "_shared", "count")

    def __init__(self, cursor_of: Callable[[int], bytes]) -> None:
        self._cursor_of = cursor_of
        self._pieces: list[bytes] = []
        self._shared: dict[tuple[int, int, int, int | None], bytes] = {}
        self.count = 0

    def add(
        self,
        raw: bytes | None,
        seq: int,
        external_id: str,
        action: int,
        first_seen: int,
        modified: int,
        pruned: int | None,
    ) -> None:
        """Add a record. `raw` is a JSON object with at least one key that ends in its brace; None for a pruned one."""
        times = (action, first_seen, modified, pruned)
        shared = self._shared.get(times)
        if shared is None:
            shared = self._shared[times] = _metadata(*times)
        body = b'{"id":' + msgspec.json.encode(external_id) if raw is None else raw[:-1]
        self._pieces += (body, shared, self._cursor_of(seq), _END)
        self.count += 1

    def finish(self, next_cursor: bytes | None) -> bytes:
        """Return the whole answer."""
        end = b'],"next_cursor":null}' if next_cursor is None else b'],"next_cursor":"%b"}' % next_cursor
        pieces = self._pieces
        if pieces:
            pieces[-1] = _END[:-1]
        return b"".join((b'{"records":[', *pieces, end))


def _metadata(action: int, first_seen: int, modified: int, pruned: int | None) -> bytes:
    at = stamp(modified)
    return _METADATA % (
        stamp(first_seen),
        at,
        _ACTIONS[action],
        b'"%b"' % at if action == Action.DELETED else b"null",
        b"null" if pruned is None else b'"%b"' % stamp(pruned),
    )


def empty_page() -> bytes:
    """The answer without a record."""
    return PageWriter(_no_cursor).finish(None)


def _no_cursor(_seq: int) -> bytes:
    return b""
