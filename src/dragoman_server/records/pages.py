"""Pages of the feed as ready JSON, pure: our metadata is spliced into each stored object, nothing is decoded."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec

from dragoman_server.records.model import Action

_ACTIONS = {action.value: action.name.encode() for action in Action}
_NULL = b"null"
_RECORD = (
    b'%b,"_nango_metadata":{"first_seen_at":%b,"last_modified_at":%b,"last_action":"%b",'
    b'"deleted_at":%b,"pruned_at":%b,"cursor":"%b"}}'
)


def stamp(at: datetime) -> bytes:
    """Format a time as the metadata does: microseconds, `+00:00`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").encode()


class Splicer:
    """Builds the records of one page. Times repeat within a page (a batch shares one), so they are formatted once."""

    __slots__ = ("_cursor_of", "_stamps")

    def __init__(self, cursor_of: Callable[[int], bytes]) -> None:
        self._cursor_of = cursor_of
        self._stamps: dict[datetime, bytes] = {}

    def splice(
        self,
        raw: bytes | None,
        *,
        seq: int,
        external_id: str,
        action: int,
        first_seen_at: datetime,
        modified_at: datetime,
        pruned_at: datetime | None,
    ) -> bytes:
        """Return the record as sent. `raw` is a JSON object with at least one key; None for a pruned record."""
        modified = self._stamp(modified_at)
        return _RECORD % (
            b'{"id":%b' % msgspec.json.encode(external_id) if raw is None else _open_object(raw),
            self._stamp(first_seen_at),
            modified,
            _ACTIONS[action],
            modified if action == Action.DELETED else _NULL,
            _NULL if pruned_at is None else self._stamp(pruned_at),
            self._cursor_of(seq),
        )

    def _stamp(self, at: datetime) -> bytes:
        found = self._stamps.get(at)
        if found is None:
            found = self._stamps[at] = b'"%b"' % stamp(at)
        return found


def _open_object(raw: bytes) -> bytes:
    """Cut the closing brace off a JSON object."""
    return raw[:-1] if raw.endswith(b"}") else raw.rstrip()[:-1]


def assemble(records: Sequence[bytes], next_cursor: bytes | None) -> bytes:
    """Return the whole answer."""
    end = _NULL if next_cursor is None else b'"%b"' % next_cursor
    return b'{"records":[%b],"next_cursor":%b}' % (b",".join(records), end)
