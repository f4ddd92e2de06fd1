"""What every route wants of its caller: one table, enforced by one dependency. A route without a row is refused."""

from collections.abc import Mapping

from dragoman_server.web.authenticate import Demand

PUBLIC = Demand(public=True)
SESSION = Demand(session=True, key=False)
E = "environment:"


def _key(scope: str | None) -> Demand:
    return Demand(scope=None if scope is None else E + scope)


def _key_or_session(scope: str | None) -> Demand:
    return Demand(scope=None if scope is None else E + scope, session=True)


def _account(scope: str) -> Demand:
    return Demand(scope=scope, key=False, account=True)


DEMANDS: Mapping[tuple[str, str], Demand] = {
    ("GET", "/"): PUBLIC,
    ("GET", "/health"): PUBLIC,
    ("GET", "/ready"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/favicon.ico"): PUBLIC,
    ("GET", "/providers.json"): PUBLIC,
    ("GET", "/providers"): _key_or_session(None),
    ("GET", "/providers/{provider}"): _key_or_session(None),
    ("GET", "/providers/{provider}/templates"): _key(None),
    # integrations
    ("GET", "/integrations"): _key_or_session("integrations:list"),
    ("POST", "/integrations"): _key("integrations:create"),
    ("POST", "/integrations/quickstart"): _key("integrations:create"),
    ("GET", "/integrations/{unique_key}"): _key("integrations:read"),
    ("PATCH", "/integrations/{unique_key}"): _key("integrations:update"),
    ("DELETE", "/integrations/{unique_key}"): _key("integrations:delete"),
    ("GET", "/integrations/{unique_key}/functions"): _key("functions:list"),
    ("GET", "/integrations/{unique_key}/functions/{name}"): _key("functions:read"),
    ("GET", "/integrations/{unique_key}/functions/{name}/code"): _key("functions:read"),
    ("DELETE", "/integrations/{unique_key}/functions/{name}"): _key("functions:delete"),
    ("GET", "/scripts/config"): _key("integrations:list_functions"),
    # connections
    ("GET", "/connections"): _key("connections:list"),
    ("POST", "/connections"): _key("connections:create"),
    ("GET", "/connections/{connection_id:path}"): _key("connections:read"),
    ("PATCH", "/connections/{connection_id:path}"): _key("connections:update"),
    ("DELETE", "/connections/{connection_id:path}"): _key("connections:delete"),
    ("POST", "/connections/metadata"): _key("connections:update"),
    ("PATCH", "/connections/metadata"): _key("connections:update"),
    # what older clients call
    ("GET", "/config"): _key("integrations:list"),
    ("GET", "/config/{unique_key}"): _key("integrations:list"),
    ("GET", "/connection"): _key("connections:list"),
    ("POST", "/connection"): _key("connections:create"),
    ("GET", "/connection/{connection_id:path}"): _key("connections:read"),
    ("DELETE", "/connection/{connection_id:path}"): _key("connections:delete"),
    ("POST", "/connection/metadata"): _key("connections:update"),
    ("PATCH", "/connection/metadata"): _key("connections:update"),
    ("POST", "/connection/{connection_id:path}/metadata"): _key("connections:update"),
    ("PATCH", "/connection/{connection_id:path}/metadata"): _key("connections:update"),
    # connect sessions and what a browser calls
    ("POST", "/connect/sessions"): _key("connect_sessions:write"),
    ("POST", "/connect/sessions/reconnect"): _key("connect_sessions:write"),
    ("GET", "/connect/session"): SESSION,
    ("DELETE", "/connect/session"): SESSION,
    ("GET", "/oauth/connect/{unique_key}"): SESSION,
    ("POST", "/oauth/connect/{unique_key}"): SESSION,
    ("POST", "/oauth/device/{unique_key}"): SESSION,
    ("GET", "/oauth/device/{device_id}"): SESSION,
    ("GET", "/oauth/callback"): PUBLIC,
    ("GET", "/oauth/callback/{integration}"): PUBLIC,
    ("POST", "/oauth2/auth/{unique_key}"): SESSION,
    ("POST", "/api-auth/api-key/{unique_key}"): SESSION,
    ("POST", "/api-auth/basic/{unique_key}"): SESSION,
    ("POST", "/auth/unauthenticated/{unique_key}"): SESSION,
    ("POST", "/auth/tba/{unique_key}"): SESSION,
    ("POST", "/auth/two-step/{unique_key}"): SESSION,
    ("POST", "/auth/jwt/{unique_key}"): SESSION,
    ("POST", "/auth/bill/{unique_key}"): SESSION,
    ("POST", "/auth/aws-sigv4/{unique_key}"): SESSION,
    ("POST", "/auth/signature/{unique_key}"): SESSION,
    ("POST", "/auth/oauth-outbound/{unique_key}"): SESSION,
    ("POST", "/webhook/{environment_uuid}/{unique_key}"): PUBLIC,  # the provider's signature is checked
    ("GET", "/app-auth/connect"): PUBLIC,
    ("GET", "/oauth/client-metadata/{environment_uuid}/{unique_key}"): PUBLIC,
    ("POST", "/connect/telemetry"): PUBLIC,  # the session's token stands in the body
    # environments, keys, variables, webhooks
    ("GET", "/environments"): _account("account:*"),
    ("POST", "/environments"): _account("account:environments:create"),
    ("DELETE", "/environments/{environment_id}"): _account("account:environments:delete"),
    ("POST", "/environment/api-keys"): _account("account:environments:api_keys:create"),
    ("DELETE", "/environment/api-keys"): _account("account:environments:api_keys:delete"),
    ("POST", "/environment/webhook-signing-key/rotate"): _key("webhook_signing_key:rotate"),
    ("GET", "/environment/webhooks"): _key("*"),
    ("PUT", "/environment/webhooks"): _key("*"),
    ("GET", "/environment/connect-ui"): _key("*"),
    ("PUT", "/environment/connect-ui"): _key("*"),
    ("GET", "/environment-variables"): _key("variables:read"),
    ("PUT", "/environment-variables/{name}"): _key("*"),
    ("DELETE", "/environment-variables/{name}"): _key("*"),
    # syncs, actions, records, functions
    ("POST", "/sync/trigger"): _key("syncs:execute"),
    ("POST", "/sync/start"): _key("syncs:execute"),
    ("POST", "/sync/pause"): _key("syncs:execute"),
    ("GET", "/sync/status"): _key("syncs:read"),
    ("PUT", "/sync/update-connection-frequency"): _key("syncs:update"),
    ("POST", "/sync/{name}/variant/{variant}"): _key("syncs:variant:create"),
    ("DELETE", "/sync/{name}/variant/{variant}"): _key("syncs:variant:delete"),
    ("PATCH", "/records/prune"): _key("records:write"),
    ("GET", "/action/{action_id}"): _key("actions:execute"),
    ("POST", "/functions/deployments/bundle"): _key("deploy"),
    ("POST", "/functions/deployments/bundle/preview"): _key("deploy"),
    # logs and webhook deliveries
    ("GET", "/logs/operations"): _key("logs:read"),
    ("GET", "/logs/operations/{operation_id}"): _key("logs:read"),
    ("GET", "/logs/operations/{operation_id}/messages"): _key("logs:read"),
    ("GET", "/webhook-deliveries"): _key("logs:read"),
    ("GET", "/webhook-deliveries/{delivery_id}"): _key("logs:read"),
    ("POST", "/webhook-deliveries/{delivery_id}/redeliver"): _key("*"),
}

HOT: Mapping[tuple[str, str], Demand] = {
    ("*", "/proxy/{path}"): _key("proxy"),
    ("GET", "/records"): _key("records:read"),
    ("POST", "/action/trigger"): _key("actions:execute"),
}
"""The raw ASGI doors' demands; they check them themselves."""
