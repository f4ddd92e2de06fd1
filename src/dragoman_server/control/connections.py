"""Connections: a customer's user's link to a provider. Their credentials live in `connect`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal
from uuid import uuid4

from dragoman_server.control import rules
from dragoman_server.control._store import connections as _store
from dragoman_server.control._store import integrations as _integrations
from dragoman_server.control._store import syncs as _syncs
from dragoman_server.control.errors import InvalidValueError, UnknownConnectionError, UnknownIntegrationError
from dragoman_server.control.model import Connection, ConnectionFilter, EndUser, Integration
from dragoman_server.control.touches import Touches
from dragoman_server.control.transactions import joined, lent
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.db.cache import announce, announce_all
from dragoman_server.kit.errors import Issue
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, IntegrationId, SyncId
from dragoman_server.vault import Vault

TOPIC = "control.connections"
SLICE = 50
"""How many wide rows are decoded in one go."""


class Connections:
    """The verbs on connections.

    `get` and `by_row_id` are hot: cached, and at most one indexed select. What they answer may be a second old;
    `last_fetched_at` lags by a minute on purpose. `touches` is flushed by a loop.
    """

    def __init__(self, *, database: Database, vault: Vault, invalidations: Invalidations) -> None:
        self._database = database
        self._cache = invalidations.cache(TOPIC, limit=50_000)
        self.touches: Touches[tuple[EnvironmentId, ConnectionRowId]] = Touches(self._write_touches)

    async def upsert(
        self,
        conn: Conn,
        integration: Integration,
        connection_id: str,
        *,
        connection_config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        end_user: EndUser | None = None,
        webhook_url_override: str | None = None,
        pending: bool = False,
    ) -> tuple[Connection, bool]:
        """Make a connection, or bring the living one of that id up to date; return it and whether it is new.

        What is None stays; `connection_config` is merged, the rest replaced. A deleted connection's id starts anew.
        One that was pending is so no more, and counts as new, unless `pending` says that it waits.
        Raises `UnknownIntegrationError`, `InvalidValueError`.
        """
        issues = rules.check_connection_id(connection_id) + rules.check_url(
            webhook_url_override or "", ("webhook_url_override",)
        )
        issues += rules.check_json(connection_config or {}, ("connection_config",))
        issues += rules.check_json(metadata or {}, ("metadata",))
        issues += rules.check_end_user(end_user) if end_user else []
        rules.require(issues)
        stored_tags = None if tags is None and end_user is None else rules.combine_tags(tags or {}, end_user)
        found = await _store.upsert(
            conn,
            integration,
            connection_id,
            uuid4(),
            connection_config=connection_config,
            metadata=metadata,
            tags=stored_tags,
            end_user=end_user or rules.end_user_of_tags(stored_tags or {}),
            webhook_url_override=webhook_url_override,
            pending=pending,
        )
        if found is None:
            raise UnknownIntegrationError(integration.unique_key)
        await self._announce(conn, [found[0]])
        return found

    async def get(
        self, environment_id: EnvironmentId, integration_key: str, connection_id: str, *, conn: Conn | None = None
    ) -> Connection | None:
        """Return the living connection of that public id."""
        if "\0" in connection_id or "\0" in integration_key:
            return None  # Postgres holds no such text

        async def load() -> Connection | None:
            async with lent(self._database, conn) as own:
                return await _store.connection(own, environment_id, integration_key, connection_id)

        if conn is not None:
            return await load()
        return await self._cache.get(_key(environment_id, integration_key, connection_id), load)

    async def require(
        self, environment_id: EnvironmentId, integration_key: str, connection_id: str, *, conn: Conn | None = None
    ) -> Connection:
        """Return it; raise `UnknownIntegrationError` or `UnknownConnectionError`."""
        found = await self.get(environment_id, integration_key, connection_id, conn=conn)
        if found is None:
            async with lent(self._database, conn) as own:
                if await _integrations.integration(own, environment_id, integration_key) is None:
                    raise UnknownIntegrationError(integration_key)
            raise UnknownConnectionError(connection_id, integration_key)
        return found

    async def by_row_id(
        self, environment_id: EnvironmentId, row_id: ConnectionRowId, *, conn: Conn | None = None
    ) -> Connection | None:
        """Return the living connection of that number."""

        async def load() -> Connection | None:
            async with lent(self._database, conn) as own:
                return await _store.by_row(own, environment_id, row_id)

        return await load() if conn is not None else await self._cache.get(_row_key(environment_id, row_id), load)

    async def by_row_ids(
        self, environment_id: EnvironmentId, row_ids: Sequence[ConnectionRowId], *, conn: Conn | None = None
    ) -> dict[ConnectionRowId, Connection]:
        async with lent(self._database, conn) as own:
            return {found.id: found for found in await _store.by_rows(own, environment_id, row_ids)}

    async def even_deleted(
        self, environment_id: EnvironmentId, row_ids: Sequence[ConnectionRowId]
    ) -> dict[ConnectionRowId, tuple[str, Mapping[str, Any]]]:
        """Return public id and config of connections, also of those deleted within their time of grace."""
        async with lent(self._database, None) as own:
            return await _store.even_deleted(own, environment_id, row_ids)

    async def numbers(
        self, environment_id: EnvironmentId, integration_id: IntegrationId, *, conn: Conn
    ) -> Sequence[ConnectionRowId]:
        """Return the numbers of an integration's living connections."""
        return await _store.numbers(conn, environment_id, integration_id)

    async def list(
        self, environment_id: EnvironmentId, wanted: ConnectionFilter | None = None, *, conn: Conn | None = None
    ) -> list[Connection]:
        """Return a page of the living connections that fit all filters, the newest first."""
        return [found async for part in self.slices(environment_id, wanted, conn=conn) for found in part]

    async def slices(
        self, environment_id: EnvironmentId, wanted: ConnectionFilter | None = None, *, conn: Conn | None = None
    ) -> AsyncIterator[Sequence[Connection]]:
        """Yield the same page in slices, so that reading thousands leaves the loop free for others in between."""
        wanted = wanted or ConnectionFilter()
        rules.require(check_filter(wanted))
        async with lent(self._database, conn) as own:
            found = await _store.search(own, environment_id, wanted)
        for start in range(0, len(found), SLICE):
            numbers = found[start : start + SLICE]
            async with lent(self._database, conn) as own:
                rows = await _store.by_rows(own, environment_id, numbers)
            yield sorted(rows, key=lambda row: -row.id)

    async def counts(self, environment_id: EnvironmentId, *, conn: Conn | None = None) -> dict[str, int]:
        """Return the number of living connections by integration key."""
        async with lent(self._database, conn) as own:
            return await _store.counts(own, environment_id)

    async def patch(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_id: str,
        *,
        tags: Mapping[str, str] | None = None,
        end_user: EndUser | None = None,
        webhook_url_override: str | None = None,
        conn: Conn | None = None,
    ) -> Connection:
        """Change what is given: tags are replaced whole, a user alone only replaces the tags derived from users."""
        issues = rules.check_url(webhook_url_override or "", ("webhook_url_override",))
        rules.require(issues + (rules.check_end_user(end_user) if end_user else []))
        async with joined(self._database, conn) as own:
            found = await self.require(environment_id, integration_key, connection_id, conn=own)
            stored_tags: Mapping[str, str] | None = None
            if tags is not None:
                stored_tags = rules.combine_tags(tags, end_user)
            elif end_user is not None:
                stored_tags = {**rules.without_end_user(found.tags), **rules.tags_of_end_user(end_user)}
            await _store.patch(
                own, environment_id, found.id, tags=stored_tags, end_user=end_user,
                webhook_url_override=webhook_url_override,
            )  # fmt: skip
            await self._announce(own, [found])
            changed = await _store.by_row(own, environment_id, found.id)
        if changed is None:
            raise UnknownConnectionError(connection_id, integration_key)
        return changed

    async def set_metadata(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_ids: Sequence[str],
        metadata: Mapping[str, Any],
        *,
        conn: Conn | None = None,
    ) -> None:
        """Replace the metadata of all these connections, or of none: an unknown one raises `UnknownConnectionError`."""
        await self._write_metadata(environment_id, integration_key, connection_ids, metadata, conn, merge=False)

    async def merge_metadata(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_ids: Sequence[str],
        metadata: Mapping[str, Any],
        *,
        conn: Conn | None = None,
    ) -> None:
        """Set top-level keys in the metadata of all these connections, or of none."""
        await self._write_metadata(environment_id, integration_key, connection_ids, metadata, conn, merge=True)

    async def merge_config(
        self,
        environment_id: EnvironmentId,
        row_id: ConnectionRowId,
        values: Mapping[str, Any],
        *,
        conn: Conn | None = None,
    ) -> Connection:
        """Set top-level keys of the connection's configuration, as a token answer or a callback may."""
        rules.require(rules.check_json(values, ("connection_config",)))
        async with joined(self._database, conn) as own:
            await _store.merge_config(own, environment_id, row_id, values)
            found = await _store.by_row(own, environment_id, row_id)
            if found is None:
                raise UnknownConnectionError(str(row_id))
            await self._announce(own, [found])
        return found

    async def delete(
        self, conn: Conn, environment_id: EnvironmentId, integration_key: str, connection_id: str
    ) -> tuple[Connection, Sequence[SyncId]]:
        """Delete a connection and its syncs; return both. Its id is free at once, its row goes after 31 days.

        The caller ends its schedules, and shreds and erases what other parts hold of it.
        """
        found = await self.require(environment_id, integration_key, connection_id, conn=conn)
        if not await _store.delete(conn, environment_id, found.id):
            raise UnknownConnectionError(connection_id, integration_key)
        syncs = await _syncs.delete_of_connections(conn, environment_id, [found.id])
        await self._announce(conn, [found])
        return found, syncs

    async def still_pending(self, conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId) -> bool:
        """Return whether it waits for its installation; until the transaction ends it cannot become complete."""
        return await _store.still_pending(conn, environment_id, row_id)

    async def add_error(
        self,
        environment_id: EnvironmentId,
        row_id: ConnectionRowId,
        kind: Literal["auth", "sync"],
        log_id: str,
        *,
        subject: str = "",
        conn: Conn | None = None,
    ) -> None:
        """Note a standing problem; of the same kind and `subject` (a sync's id) the latest stands."""
        async with joined(self._database, conn) as own:
            if await _store.add_error(own, environment_id, row_id, kind, log_id, subject):
                await self._announce_row(own, environment_id, row_id)

    async def clear_errors(
        self,
        environment_id: EnvironmentId,
        row_id: ConnectionRowId,
        kind: Literal["auth", "sync"],
        *,
        subject: str | None = None,
        conn: Conn | None = None,
    ) -> None:
        """Forget standing problems of a kind (of one `subject`, else all); writes nothing when there are none."""
        async with joined(self._database, conn) as own:
            if await _store.clear_errors(own, environment_id, row_id, kind, subject):
                await self._announce_row(own, environment_id, row_id)

    def touch_fetched(self, connection: Connection) -> None:
        """Note that the connection was fetched; written within seconds, at most once a minute."""
        self.touches.note((connection.environment_id, connection.id))

    async def _write_metadata(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_ids: Sequence[str],
        metadata: Mapping[str, Any],
        conn: Conn | None,
        *,
        merge: bool,
    ) -> None:
        rules.require(rules.check_json(metadata, ("metadata",)))
        wanted = list(dict.fromkeys(connection_ids))
        if not wanted:
            raise InvalidValueError([Issue("too_small", "Name at least one connection.", ("connection_id",))])
        async with joined(self._database, conn) as own:
            integration = await _integrations.integration(own, environment_id, integration_key)
            if integration is None:
                raise UnknownIntegrationError(integration_key)
            found = await _store.lock(own, environment_id, integration.id, wanted)
            for connection_id in wanted:
                if connection_id not in found:
                    raise UnknownConnectionError(connection_id, integration_key, status=404)
            await _store.write_metadata(own, environment_id, list(found.values()), metadata, merge=merge)
            keys = [_key(environment_id, integration_key, connection_id) for connection_id in found]
            await announce_all(own, TOPIC, keys + [_row_key(environment_id, row_id) for row_id in found.values()])

    async def _announce_row(self, conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId) -> None:
        found = await _store.by_row(conn, environment_id, row_id)
        if found is not None:
            await self._announce(conn, [found])

    async def _announce(self, conn: Conn, changed: Sequence[Connection]) -> None:
        keys = [_key(one.environment_id, one.integration_key, one.connection_id) for one in changed]
        await announce_all(conn, TOPIC, keys + [_row_key(one.environment_id, one.id) for one in changed])

    async def _write_touches(self, touched: Sequence[tuple[EnvironmentId, ConnectionRowId]]) -> None:
        async with self._database.connection() as own:
            await _store.touch(own, touched)


async def announce_everything(conn: Conn) -> None:
    """Drop every cached connection."""
    await announce(conn, TOPIC)


def check_filter(wanted: ConnectionFilter) -> list[Issue]:
    """Name what is wrong with a filter; keys of `tags` are compared in lower case."""
    texts = {
        "connectionId": wanted.connection_id,
        "search": wanted.search,
        "endUserId": wanted.end_user_id,
        "endUserOrganizationId": wanted.end_user_organization_id,
        **{f"tags[{key}]": key + value for key, value in wanted.tags.items()},
    }
    issues = [issue for name, text in texts.items() for issue in rules.check_storable_text(text or "", (name,))]
    for key in wanted.integration_keys:
        issues += rules.check_integration_key(key, ("integrationId",))
    if not 1 <= wanted.limit <= 10_000:
        issues.append(Issue("too_big", "`limit` must be between 1 and 10000.", ("limit",)))
    if not 0 <= wanted.page <= 1_000_000:
        issues.append(Issue("too_big", "`page` must be between 0 and 1000000.", ("page",)))
    return issues


def _key(environment_id: EnvironmentId, integration_key: str, connection_id: str) -> str:
    return f"{environment_id}/{integration_key}/{connection_id}"  # no integration key holds a slash


def _row_key(environment_id: EnvironmentId, row_id: ConnectionRowId) -> str:
    return f"{environment_id}#{row_id}"
