"""Syncs: one row per connection, sync function and variant; what the user wants of it. Schedules follow by facts."""

from collections.abc import Sequence
from datetime import timedelta

from dragoman_server.control import rules
from dragoman_server.control._store import syncs as _store
from dragoman_server.control.errors import (
    InvalidVariantError,
    SyncVariantExistsError,
    TooManyVariantsError,
    UnknownSyncError,
)
from dragoman_server.control.frequency import parse_frequency
from dragoman_server.control.model import BASE_VARIANT, Sync
from dragoman_server.control.transactions import joined, lent
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, SyncId, uuid7
from dragoman_server.vault import Vault


class Syncs:
    """The verbs on syncs. Whoever changes one puts a `schedule` fact in the same transaction."""

    def __init__(self, *, database: Database, vault: Vault, invalidations: Invalidations) -> None:
        self._database = database

    async def create_missing(
        self, conn: Conn, environment_id: EnvironmentId, connection_row_id: ConnectionRowId | None = None
    ) -> list[Sync]:
        """Give a connection (None: each one) the base variant of every sync of its integration it lacks."""
        made = await _store.create_missing(conn, environment_id, connection_row_id)
        return await _store.by_ids(conn, environment_id, made)

    async def get(self, environment_id: EnvironmentId, sync_id: SyncId, *, conn: Conn | None = None) -> Sync | None:
        """Return the sync with its function; None once it, its function, connection or integration is deleted."""
        async with lent(self._database, conn) as own:
            found = await _store.by_ids(own, environment_id, [sync_id])
        return found[0] if found else None

    async def get_many(
        self, environment_id: EnvironmentId, sync_ids: Sequence[SyncId], *, conn: Conn | None = None
    ) -> dict[SyncId, Sync]:
        async with lent(self._database, conn) as own:
            return {sync.id: sync for sync in await _store.by_ids(own, environment_id, sync_ids)}

    async def find(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_row_id: ConnectionRowId | None = None,
        name: str | None = None,
        variant: str | None = None,
        *,
        conn: Conn | None = None,
    ) -> list[Sync]:
        """Return the integration's syncs, narrowed by what is given."""
        async with lent(self._database, conn) as own:
            return await _store.find(own, environment_id, integration_key, connection_row_id, name, variant)

    async def of_connection(
        self, environment_id: EnvironmentId, connection_row_id: ConnectionRowId, *, conn: Conn | None = None
    ) -> list[Sync]:
        async with lent(self._database, conn) as own:
            return await _store.of_connection(own, environment_id, connection_row_id)

    async def of_functions(
        self, environment_id: EnvironmentId, function_ids: Sequence[int], *, conn: Conn | None = None
    ) -> list[Sync]:
        async with lent(self._database, conn) as own:
            return await _store.of_functions(own, environment_id, function_ids)

    async def set_paused(
        self, environment_id: EnvironmentId, sync_ids: Sequence[SyncId], *, paused: bool, conn: Conn | None = None
    ) -> list[SyncId]:
        """Pause or start syncs; return those that were not so already."""
        async with joined(self._database, conn) as own:
            return await _store.set_paused(own, environment_id, sync_ids, paused=paused)

    async def set_frequency(
        self, environment_id: EnvironmentId, sync_id: SyncId, frequency: str | None, *, conn: Conn | None = None
    ) -> Sync:
        """Override a sync's frequency, None restores the function's; return the sync as it is now."""
        if frequency is not None:
            parse_frequency(frequency)
        async with joined(self._database, conn) as own:
            await _store.set_frequency(own, environment_id, sync_id, frequency)
            found = await _store.by_ids(own, environment_id, [sync_id])
        if not found:
            raise UnknownSyncError(str(sync_id))
        return found[0]

    async def create_variant(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_row_id: ConnectionRowId,
        name: str,
        variant: str,
        *,
        conn: Conn | None = None,
    ) -> Sync:
        """Add a variant beside the base one.

        Raises `InvalidVariantError`, `UnknownSyncError`, `SyncVariantExistsError`, `TooManyVariantsError`.
        """
        _check_variant(variant)
        async with joined(self._database, conn) as own:
            found = await _store.find(own, environment_id, integration_key, connection_row_id, name, BASE_VARIANT)
            if not found:
                raise UnknownSyncError(name)
            base = found[0]
            await _store.lock(own, environment_id, base.id)  # so that two makers do not both see 99
            if await _store.find(own, environment_id, integration_key, connection_row_id, name, variant):
                raise SyncVariantExistsError(name, variant)
            if (
                await _store.count_variants(own, environment_id, connection_row_id, base.function_id)
                > rules.MAX_VARIANTS
            ):
                raise TooManyVariantsError(rules.MAX_VARIANTS)
            made = await _store.insert_variant(own, environment_id, base.id, uuid7(), variant)
            if made is None:
                raise SyncVariantExistsError(name, variant)
            return (await _store.by_ids(own, environment_id, [made]))[0]

    async def delete_variant(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_row_id: ConnectionRowId,
        name: str,
        variant: str,
        *,
        conn: Conn | None = None,
    ) -> Sync:
        """Remove a variant and return what it was; the base one stays (`InvalidVariantError`)."""
        _check_variant(variant)
        async with joined(self._database, conn) as own:
            found = await _store.find(own, environment_id, integration_key, connection_row_id, name, variant)
            if not found:
                raise UnknownSyncError(name, variant)
            await _store.delete(own, environment_id, [found[0].id])
        return found[0]

    async def delete_for_connection(
        self, conn: Conn, environment_id: EnvironmentId, connection_row_id: ConnectionRowId
    ) -> list[SyncId]:
        """Remove all syncs of a connection; return their ids."""
        return await _store.delete_of_connections(conn, environment_id, [connection_row_id])


def interval_of(sync: Sync) -> timedelta | None:
    """Return how often the sync runs; None when only by hand."""
    return None if sync.frequency is None else parse_frequency(sync.frequency)


def is_scheduled(sync: Sync) -> bool:
    """Return whether the sync's schedule should run: wanted by the user, its function on, and with a frequency."""
    return not sync.paused and sync.function.enabled and sync.frequency is not None


def _check_variant(variant: str) -> None:
    if variant == BASE_VARIANT or rules.check_function_name(variant):
        raise InvalidVariantError(variant)
