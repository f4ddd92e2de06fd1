"""Connections, and the sessions in which end users make them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from dragoman.client import _wire
from dragoman.client import types as t
from dragoman.client._sync.part import Part


class Connections(Part):
    """One customer's authorized account at a provider."""

    def page(
        self,
        *,
        connection_id: str | None = None,
        search: str | None = None,
        integration_id: str | Sequence[str] | None = None,
        end_user_id: str | None = None,
        organization_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int = 100,
        page: int = 0,
    ) -> list[t.ConnectionSummary]:
        """One page; `page` counts from 0."""
        params: dict[str, Any] = {
            "connectionId": connection_id,
            "search": search,
            "integrationId": integration_id
            if integration_id is None or isinstance(integration_id, str)
            else ",".join(integration_id),
            "endUserId": end_user_id,
            "endUserOrganizationId": organization_id,
            "limit": limit,
            "page": page,
        }
        params |= {f"tags[{k}]": v for k, v in (tags or {}).items()}
        found = self._call("GET", "/connections", params=params)
        return cast("list[t.ConnectionSummary]", found["connections"])

    def list(self, *, page_size: int = 100, **filters: Any) -> Iterator[t.ConnectionSummary]:
        """Every connection that matches; filters as in `page`."""
        number = 0
        while True:
            found = self.page(limit=page_size, page=number, **filters)
            for one in found:
                yield one
            if len(found) < page_size:
                return
            number += 1

    def get(
        self, connection_id: str, integration_id: str, *, force_refresh: bool = False, refresh_token: bool = False
    ) -> t.Connection:
        """The connection with a credential that is fresh now; `refresh_token` includes the refresh token."""
        params = {
            "provider_config_key": integration_id,
            "force_refresh": force_refresh or None,
            "refresh_token": refresh_token or None,
        }
        path = _wire.path("/connections/{id}", id=connection_id)
        return cast("t.Connection", self._call("GET", path, params=params))

    def create(
        self,
        integration_id: str,
        credentials: Mapping[str, Any],
        *,
        connection_id: str | None = None,
        connection_config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        end_user: Mapping[str, Any] | None = None,
        webhook_url_override: str | None = None,
    ) -> t.Connection:
        """Import a credential you already have, e.g. `{"type": "API_KEY", "apiKey": …}`; an existing id is updated."""
        body = _wire.given(
            provider_config_key=integration_id,
            connection_id=connection_id,
            credentials=credentials,
            connection_config=connection_config,
            metadata=metadata,
            tags=tags,
            end_user=end_user,
            webhook_url_override=webhook_url_override,
        )
        return cast("t.Connection", self._call("POST", "/connections", json=body))

    def update(
        self,
        connection_id: str,
        integration_id: str,
        *,
        tags: Mapping[str, str] | None = None,
        end_user: Mapping[str, Any] | None = None,
        webhook_url_override: str | None = None,
    ) -> None:
        """`tags` replace all tags; an empty `webhook_url_override` removes it."""
        body = _wire.given(tags=tags, end_user=end_user, webhook_url_override=webhook_url_override)
        path = _wire.path("/connections/{id}", id=connection_id)
        self._call("PATCH", path, params={"provider_config_key": integration_id}, json=body)

    def delete(self, connection_id: str, integration_id: str) -> None:
        """End its schedules, erase its records and shred its credential."""
        path = _wire.path("/connections/{id}", id=connection_id)
        self._call("DELETE", path, params={"provider_config_key": integration_id})

    def set_metadata(
        self, connection_id: str | Sequence[str], integration_id: str, metadata: Mapping[str, Any]
    ) -> None:
        """Replace the metadata of one connection or of several, all or none."""
        self._metadata("POST", connection_id, integration_id, metadata)

    def merge_metadata(
        self, connection_id: str | Sequence[str], integration_id: str, metadata: Mapping[str, Any]
    ) -> None:
        """Merge top-level keys into the metadata of one connection or of several, all or none."""
        self._metadata("PATCH", connection_id, integration_id, metadata)

    def _metadata(
        self, method: str, connection_id: str | Sequence[str], integration_id: str, metadata: Mapping[str, Any]
    ) -> None:
        ids = connection_id if isinstance(connection_id, str) else list(connection_id)
        body = {"connection_id": ids, "provider_config_key": integration_id, "metadata": metadata}
        self._call(method, "/connections/metadata", json=body)


class Connect(Part):
    """Sessions in which an end user authorizes an account."""

    def create_session(
        self,
        *,
        end_user: Mapping[str, Any] | None = None,
        organization: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        allowed_integrations: Sequence[str] | None = None,
        integrations_config_defaults: Mapping[str, Any] | None = None,
        overrides: Mapping[str, Any] | None = None,
        webhook_url_override: str | None = None,
    ) -> t.ConnectSession:
        """Send the end user to `connect_link`; it is good for 30 minutes. `end_user` or `tags` is required."""
        body = _wire.given(
            end_user=end_user,
            organization=organization,
            tags=tags,
            allowed_integrations=None if allowed_integrations is None else list(allowed_integrations),
            integrations_config_defaults=integrations_config_defaults,
            overrides=overrides,
            webhook_url_override=webhook_url_override,
        )
        return cast("t.ConnectSession", (self._call("POST", "/connect/sessions", json=body))["data"])

    def reconnect_session(self, connection_id: str, integration_id: str, **more: Any) -> t.ConnectSession:
        """A session that authorizes an existing connection again; it keeps its id, settings and records."""
        body = {"connection_id": connection_id, "integration_id": integration_id, **more}
        return cast("t.ConnectSession", (self._call("POST", "/connect/sessions/reconnect", json=body))["data"])
