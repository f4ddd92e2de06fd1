"""Fences and checkpoints: who may write, and how far it got."""

from collections.abc import Sequence
from uuid import UUID

from dragoman_server.db import Conn
from dragoman_server.kit.ids import EnvironmentId, RunId
from dragoman_server.records import _store
from dragoman_server.records.canonical import check_checkpoint
from dragoman_server.records.core import Core
from dragoman_server.records.errors import CheckpointConflictError, StaleAttemptError
from dragoman_server.records.model import Fence, Progress


class Progressing(Core):
    """The verbs of attempts and checkpoints."""

    async def begin_attempt(
        self,
        environment_id: EnvironmentId,
        owner: UUID,
        run_id: RunId,
        attempt: int,
        *,
        conn: Conn | None = None,
    ) -> Progress:
        """Make (run, attempt) the only writer for `owner` and return its checkpoint; call before the work starts.

        Waits for writes of the attempt before that are under way; later ones get a conflict. Raises
        `StaleAttemptError` when a newer attempt, or a later run, has begun already.
        """
        async with self._joined(conn) as lent:
            if not await _store.bump_fence(lent, environment_id, Fence(owner, run_id, attempt)):
                raise StaleAttemptError
            body, version = await _store.read_checkpoint(lent, environment_id, owner)
            return Progress(None if body is None else body.encode(), version)

    async def ensure_current(self, environment_id: EnvironmentId, fence: Fence, *, conn: Conn | None = None) -> None:
        """Raise `StaleAttemptError` unless the attempt is current; inside a transaction it stays so to its end."""
        if conn is not None:
            await self._hold(conn, environment_id, fence)
            return
        async with self._database.connection() as own:
            current, _ = await _store.read_fence(own, environment_id, fence, -1)
        if not current:
            raise StaleAttemptError

    async def checkpoint(self, environment_id: EnvironmentId, owner: UUID, *, conn: Conn | None = None) -> Progress:
        """Return where `owner` got to."""
        async with self._joined(conn) as lent:
            body, version = await _store.read_checkpoint(lent, environment_id, owner)
            return Progress(None if body is None else body.encode(), version)

    async def checkpoints(self, environment_id: EnvironmentId, owners: Sequence[UUID]) -> dict[UUID, bytes]:
        """Return the checkpoints of those owners that have one."""
        async with self._database.connection() as own:
            return await _store.read_checkpoints(own, environment_id, owners)

    async def save_checkpoint(
        self, environment_id: EnvironmentId, fence: Fence, body: bytes, *, expected: int | None = None
    ) -> int:
        """Store a flat map of scalars, return its version; `CheckpointConflictError` unless `expected` is there."""
        text = check_checkpoint(body)
        async with self._database.transaction() as conn:
            await self._hold(conn, environment_id, fence)
            version = await _store.save_checkpoint(conn, environment_id, fence.owner, text, expected)
            if version is None:
                raise CheckpointConflictError
            return version

    async def clear_checkpoint(
        self, environment_id: EnvironmentId, fence: Fence, *, expected: int | None = None
    ) -> int:
        """Forget the checkpoint (its version goes on counting)."""
        async with self._database.transaction() as conn:
            await self._hold(conn, environment_id, fence)
            version = await _store.save_checkpoint(conn, environment_id, fence.owner, None, expected)
            if version is None:
                raise CheckpointConflictError
            return version
