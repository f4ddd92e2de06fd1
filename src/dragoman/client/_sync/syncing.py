"""What syncs saved, and the syncs themselves."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, cast

from dragoman.client import _wire
from dragoman.client import types as t
from dragoman.client._sync.part import Part

SyncName = str | Mapping[str, str]


class Records(Part):
    """What syncs saved, in the order it changed."""

    def page(
        self,
        model: str,
        *,
        connection_id: str,
        integration_id: str,
        variant: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
        filter: Sequence[Literal["added", "updated", "deleted"]] = (),  # noqa: A002 (the wire's name)
        modified_after: datetime | None = None,
        ids: Sequence[str] = (),
    ) -> t.RecordsPage:
        """One page of changes after `cursor`; `next_cursor` is None when you are caught up."""
        params: dict[str, Any] = {
            "model": model,
            "variant": variant,
            "cursor": cursor,
            "limit": limit,
            "filter": ",".join(filter) or None,
            "modified_after": modified_after,
            "ids": list(ids) or None,
        }
        headers = _wire.target(connection_id, integration_id)
        return cast("t.RecordsPage", self._call("GET", "/records", params=params, headers=headers))

    def list(
        self,
        model: str,
        *,
        connection_id: str,
        integration_id: str,
        cursor: str | None = None,
        page_size: int = 1000,
        **filters: Any,
    ) -> Iterator[dict[str, Any]]:
        """Every change after `cursor`. Keep the last record's `["_nango_metadata"]["cursor"]` to go on later."""
        while True:
            found = self.page(
                model,
                connection_id=connection_id,
                integration_id=integration_id,
                cursor=cursor,
                limit=page_size,
                **filters,
            )
            for record in found["records"]:
                yield record
            cursor = found["next_cursor"]
            if cursor is None:
                return

    def prune(
        self,
        model: str,
        *,
        connection_id: str,
        integration_id: str,
        until_cursor: str,
        variant: str | None = None,
        limit: int = 1000,
    ) -> t.PruneResult:
        """Empty the payloads of records up to `until_cursor`; ids and change detection stay."""
        body = _wire.given(model=model, variant=variant, until_cursor=until_cursor, limit=limit)
        headers = _wire.target(connection_id, integration_id)
        return cast("t.PruneResult", self._call("PATCH", "/records/prune", json=body, headers=headers))


class Syncs(Part):
    """Scheduled functions of connections. A sync is named `name` or `name::variant`."""

    def trigger(
        self,
        integration_id: str,
        syncs: Sequence[SyncName] = (),
        *,
        connection_id: str | None = None,
        reset: bool = False,
        empty_cache: bool = False,
    ) -> t.SyncAnswer:
        """Run now. `reset` starts from scratch; `empty_cache` also forgets the records (they come back as added)."""
        body = _wire.given(
            provider_config_key=integration_id,
            connection_id=connection_id,
            syncs=list(syncs),
            opts={"reset": reset, "emptyCache": empty_cache} if reset or empty_cache else None,
        )
        return cast("t.SyncAnswer", self._call("POST", "/sync/trigger", json=body))

    def start(
        self, integration_id: str, syncs: Sequence[SyncName] = (), *, connection_id: str | None = None
    ) -> t.SyncAnswer:
        """Resume the schedule and run now."""
        return self._switch("/sync/start", integration_id, syncs, connection_id)

    def pause(
        self, integration_id: str, syncs: Sequence[SyncName] = (), *, connection_id: str | None = None
    ) -> t.SyncAnswer:
        """No new runs; one in progress finishes."""
        return self._switch("/sync/pause", integration_id, syncs, connection_id)

    def _switch(
        self, path: str, integration_id: str, syncs: Sequence[SyncName], connection_id: str | None
    ) -> t.SyncAnswer:
        body = _wire.given(provider_config_key=integration_id, connection_id=connection_id, syncs=list(syncs))
        return cast("t.SyncAnswer", self._call("POST", path, json=body))

    def status(
        self, integration_id: str, syncs: Sequence[str] | Literal["*"] = "*", *, connection_id: str | None = None
    ) -> list[t.SyncStatus]:
        params = {
            "provider_config_key": integration_id,
            "syncs": syncs if isinstance(syncs, str) else ",".join(syncs),
            "connection_id": connection_id,
        }
        return cast("list[t.SyncStatus]", (self._call("GET", "/sync/status", params=params))["syncs"])

    def set_frequency(
        self, integration_id: str, connection_id: str, sync: str, frequency: str | None, *, variant: str | None = None
    ) -> str | None:
        """`frequency` e.g. `every 5 minutes`, None for the function's own; return the one in force, if any."""
        body = {
            "provider_config_key": integration_id,
            "connection_id": connection_id,
            "sync_name": sync,
            "frequency": frequency,
        }
        if variant is not None:
            body["sync_variant"] = variant
        found = self._call("PUT", "/sync/update-connection-frequency", json=body)
        return cast("str | None", found["frequency"])

    def create_variant(self, integration_id: str, connection_id: str, sync: str, variant: str) -> str:
        """A second copy of a sync with its own schedule, checkpoint and records; return its id."""
        path = _wire.path("/sync/{sync}/variant/{variant}", sync=sync, variant=variant)
        body = {"provider_config_key": integration_id, "connection_id": connection_id}
        return str((self._call("POST", path, json=body))["id"])

    def delete_variant(self, integration_id: str, connection_id: str, sync: str, variant: str) -> None:
        path = _wire.path("/sync/{sync}/variant/{variant}", sync=sync, variant=variant)
        self._call("DELETE", path, json={"provider_config_key": integration_id, "connection_id": connection_id})
