"""Pages of the feed as ready JSON, pure: our metadata is spliced into each stored object, nothing is decoded.

Written for speed (a page of 1000 has 1000 of everything): pieces are joined once, and the part of the metadata that a
batch of records shares is formatted once.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

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
    """Collects the records of one page; `opening` decrypts (ciphertext, what it is bound to)."""

    __slots__ = ("_cursor_of", "_pieces", "_prefix", "_shared", "count", "last_seq", "more", "opening")

    def __init__(
        self, cursor_of: Callable[[int], bytes], prefix: bytes, opening: Callable[[bytes, bytes], bytes]
    ) -> None:
        self._cursor_of = cursor_of
        self._prefix = prefix
        self._pieces: list[bytes] = []
        self._shared: dict[tuple[int, int, int, int | None], bytes] = {}
        self.opening = opening
        self.count = 0
        self.last_seq = 0
        self.more = False

    def add(self, rows: Iterable[Iterable[Any]]) -> None:
        """Add rows of records.page until one with action 0, which says that more follows (`more`).

        What `opening` raises leaves the page as it was after the row before: `count` says where to go on.
        """
        pieces, prefix, cursor_of, opening, known = (
            self._pieces,
            self._prefix,
            self._cursor_of,
            self.opening,
            self._shared,
        )
        for seq, external_id, action, first_seen, modified, pruned, payload in rows:
            if action == 0:
                self.more = True
                if external_id is None:  # a filtered walk ended here
                    self.last_seq = seq
                return
            if payload is not None:
                body = opening(payload, prefix + external_id.encode())[:-1]
            else:
                body = b'{"id":' + msgspec.json.encode(external_id)
            times = (action, first_seen, modified, pruned)
            shared = known.get(times)
            if shared is None:
                shared = known[times] = _metadata(*times)
            pieces += (body, shared, cursor_of(seq), _END)
            self.last_seq = seq
            self.count += 1

    def finish(self) -> tuple[bytes, bytes | None]:
        """Return the whole answer and its next cursor."""
        cursor = self._cursor_of(self.last_seq) if self.more else None
        end = b'],"next_cursor":null}' if cursor is None else b'],"next_cursor":"%b"}' % cursor
        pieces = self._pieces
        if pieces:
            pieces[-1] = _END[:-1]
        return b"".join((b'{"records":[', *pieces, end)), cursor


def _metadata(action: int, first_seen: int, modified: int, pruned: int | None) -> bytes:
    at = stamp(modified)
    return _METADATA % (
        stamp(first_seen),
        at,
        _ACTIONS[action],
        b'"%b"' % at if action == Action.DELETED else b"null",
        b"null" if pruned is None else b'"%b"' % stamp(pruned),
    )


EMPTY_PAGE = b'{"records":[],"next_cursor":null}'
