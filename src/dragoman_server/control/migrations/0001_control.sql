CREATE SCHEMA control;

CREATE TABLE control.accounts (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT kit.now()
);

CREATE TABLE control.environments (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    account_id int NOT NULL REFERENCES control.accounts,
    name text COLLATE "C" NOT NULL,
    is_production boolean NOT NULL DEFAULT false,
    webhooks jsonb NOT NULL DEFAULT '{}',
    settings jsonb NOT NULL DEFAULT '{}',
    signing_key bytea,
    previous_signing_key bytea,
    signing_key_rotated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX environments_name ON control.environments (account_id, name) WHERE deleted_at IS NULL;
CREATE INDEX environments_deleted ON control.environments (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE TABLE control.api_keys (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('environment', 'account')),
    account_id int NOT NULL REFERENCES control.accounts,
    environment_id int REFERENCES control.environments,
    display_name text NOT NULL,
    scopes text[] NOT NULL,
    hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    last_used_at timestamptz,
    CHECK ((kind = 'environment') = (environment_id IS NOT NULL))
) WITH (fillfactor = 85);
CREATE INDEX api_keys_environment ON control.api_keys (environment_id) WHERE environment_id IS NOT NULL;
CREATE INDEX api_keys_account ON control.api_keys (account_id);

CREATE TABLE control.variables (
    environment_id int NOT NULL,
    name text COLLATE "C" NOT NULL,
    value bytea NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT kit.now(),
    PRIMARY KEY (environment_id, name)
);

CREATE TABLE control.integrations (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL,
    environment_id int NOT NULL,
    unique_key text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL,
    display_name text,
    forward_webhooks boolean NOT NULL DEFAULT true,
    config jsonb NOT NULL DEFAULT '{}',
    allowed_origins text[] NOT NULL DEFAULT '{}',
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    updated_at timestamptz NOT NULL DEFAULT kit.now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX integrations_key ON control.integrations (environment_id, unique_key) WHERE deleted_at IS NULL;

CREATE TABLE control.connections (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uuid uuid NOT NULL UNIQUE,
    environment_id int NOT NULL,
    integration_id int NOT NULL,
    connection_id text COLLATE "C" NOT NULL,
    connection_config jsonb NOT NULL DEFAULT '{}',
    metadata jsonb,
    tags jsonb NOT NULL DEFAULT '{}',
    end_user jsonb,
    webhook_url_override text,
    errors jsonb NOT NULL DEFAULT '[]',
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    updated_at timestamptz NOT NULL DEFAULT kit.now(),
    last_fetched_at timestamptz,
    deleted_at timestamptz
) WITH (fillfactor = 85);
CREATE UNIQUE INDEX connections_identity ON control.connections (environment_id, integration_id, connection_id)
    WHERE deleted_at IS NULL;
CREATE INDEX connections_newest ON control.connections (environment_id, id) WHERE deleted_at IS NULL;
CREATE INDEX connections_public ON control.connections (environment_id, connection_id) WHERE deleted_at IS NULL;
CREATE INDEX connections_end_user ON control.connections (environment_id, (end_user ->> 'id')) WHERE deleted_at IS NULL;
-- Without the pending list: it would make look-ups slow and uneven between vacuums.
CREATE INDEX connections_tags ON control.connections USING gin (tags jsonb_path_ops) WITH (fastupdate = off)
    WHERE deleted_at IS NULL;
CREATE INDEX connections_deleted ON control.connections (deleted_at) WHERE deleted_at IS NOT NULL;

CREATE VIEW control.live_connections AS
SELECT c.id, c.uuid, c.environment_id, c.integration_id, i.unique_key, i.provider, c.connection_id,
    c.connection_config, c.metadata, c.tags, c.end_user, c.webhook_url_override, c.errors,
    c.created_at, c.updated_at, c.last_fetched_at
FROM control.connections c
JOIN control.integrations i ON i.id = c.integration_id AND i.environment_id = c.environment_id
WHERE c.deleted_at IS NULL AND i.deleted_at IS NULL;

CREATE TABLE control.deployments (
    environment_id int NOT NULL,
    id text COLLATE "C" NOT NULL,
    details jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    PRIMARY KEY (environment_id, id)
);

-- One row per function as users know it: what they set (enabled, frequency) stays while versions come and go.
CREATE TABLE control.functions (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment_id int NOT NULL,
    integration_id int NOT NULL,
    name text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL CHECK (type IN ('sync', 'action', 'on-event')),
    deployment_id text COLLATE "C" NOT NULL,
    manifest jsonb NOT NULL,
    version int NOT NULL DEFAULT 1,
    enabled boolean NOT NULL DEFAULT true,
    frequency_override text,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    last_deployed timestamptz NOT NULL DEFAULT kit.now(),
    deleted_at timestamptz
);
CREATE UNIQUE INDEX functions_identity ON control.functions (environment_id, integration_id, name, type)
    WHERE deleted_at IS NULL;

CREATE TABLE control.function_versions (
    environment_id int NOT NULL,
    function_id int NOT NULL,
    version int NOT NULL,
    deployment_id text COLLATE "C" NOT NULL,
    manifest jsonb NOT NULL,
    deployed_at timestamptz NOT NULL DEFAULT kit.now(),
    PRIMARY KEY (environment_id, function_id, version)
);

CREATE VIEW control.live_functions AS
SELECT f.id, f.environment_id, i.unique_key, f.name, f.type, f.deployment_id, f.manifest, f.enabled,
    f.last_deployed, f.frequency_override, f.version, f.integration_id
FROM control.functions f
JOIN control.integrations i ON i.id = f.integration_id AND i.environment_id = f.environment_id
WHERE f.deleted_at IS NULL AND i.deleted_at IS NULL;

CREATE TABLE control.syncs (
    id uuid PRIMARY KEY,
    environment_id int NOT NULL,
    connection_row_id bigint NOT NULL,
    function_id int NOT NULL,
    variant text COLLATE "C" NOT NULL DEFAULT 'base',
    paused boolean NOT NULL DEFAULT false,
    frequency_override text,
    created_at timestamptz NOT NULL DEFAULT kit.now()
);
CREATE UNIQUE INDEX syncs_identity ON control.syncs (environment_id, connection_row_id, function_id, variant);
CREATE INDEX syncs_function ON control.syncs (environment_id, function_id);

CREATE VIEW control.live_syncs AS
SELECT s.id, s.environment_id, s.connection_row_id, c.connection_id, f.unique_key, s.function_id, f.name, s.variant,
    s.paused, s.frequency_override, s.created_at,
    f.type, f.deployment_id, f.manifest, f.enabled, f.last_deployed, f.frequency_override AS function_frequency, f.version
FROM control.syncs s
JOIN control.connections c ON c.id = s.connection_row_id AND c.environment_id = s.environment_id
JOIN control.live_functions f ON f.id = s.function_id AND f.environment_id = s.environment_id
WHERE c.deleted_at IS NULL;

CREATE TABLE control.runs (
    id uuid PRIMARY KEY,
    environment_id int NOT NULL,
    sync_id uuid,
    connection_row_id bigint,
    function_name text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    attempt int NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('running', 'success', 'failed', 'cancelled', 'interrupted')),
    started_at timestamptz NOT NULL DEFAULT kit.now(),
    finished_at timestamptz,
    result jsonb NOT NULL DEFAULT '{}',
    checkpoint_from jsonb,
    checkpoint_to jsonb,
    error jsonb,
    operation_id uuid,
    CHECK ((state = 'running') = (finished_at IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX runs_sync ON control.runs (environment_id, sync_id, started_at) WHERE sync_id IS NOT NULL;
CREATE INDEX runs_age ON control.runs USING brin (started_at);
