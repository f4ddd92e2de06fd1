-- What this part's migrations make of an empty database. Written by scripts/dump_schema.py; do not edit.

CREATE SCHEMA control;
CREATE FUNCTION control.grams(environment_id integer, texts text[]) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$
    SELECT coalesce(pg_catalog.array_agg(DISTINCT environment_id || ':' || pg_catalog.substr(folded, place, 3)), '{}')
    FROM pg_catalog.unnest(texts) AS given (value)
    CROSS JOIN LATERAL (SELECT pg_catalog.lower(pg_catalog.left(value, 255) COLLATE "default")) AS lowered (folded)
    CROSS JOIN LATERAL pg_catalog.generate_series(1, pg_catalog.length(folded) - 2) AS place
$$;
CREATE TABLE control.accounts (
    id integer NOT NULL,
    uuid uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL
);
ALTER TABLE control.accounts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME control.accounts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE control.api_keys (
    id integer NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    account_id integer NOT NULL,
    environment_id integer,
    display_name text NOT NULL,
    scopes text[] NOT NULL,
    hash bytea NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    last_used_at timestamp with time zone,
    CONSTRAINT api_keys_check CHECK (((kind = 'environment'::text) = (environment_id IS NOT NULL))),
    CONSTRAINT api_keys_kind_check CHECK ((kind = ANY (ARRAY['environment'::text, 'account'::text])))
)
WITH (fillfactor='85');
ALTER TABLE control.api_keys ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME control.api_keys_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE control.connections (
    id bigint NOT NULL,
    uuid uuid NOT NULL,
    environment_id integer NOT NULL,
    integration_id integer NOT NULL,
    connection_id text NOT NULL COLLATE pg_catalog."C",
    connection_config jsonb DEFAULT '{}'::jsonb NOT NULL,
    metadata jsonb,
    tags jsonb DEFAULT '{}'::jsonb NOT NULL,
    end_user jsonb,
    webhook_url_override text,
    errors jsonb DEFAULT '[]'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    updated_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    last_fetched_at timestamp with time zone,
    deleted_at timestamp with time zone,
    pending boolean DEFAULT false NOT NULL
)
WITH (fillfactor='85');
ALTER TABLE control.connections ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME control.connections_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE control.deployments (
    environment_id integer NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL
);
CREATE TABLE control.environments (
    id integer NOT NULL,
    uuid uuid DEFAULT gen_random_uuid() NOT NULL,
    account_id integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    is_production boolean DEFAULT false NOT NULL,
    webhooks jsonb DEFAULT '{}'::jsonb NOT NULL,
    settings jsonb DEFAULT '{}'::jsonb NOT NULL,
    signing_key bytea,
    previous_signing_key bytea,
    signing_key_rotated_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    deleted_at timestamp with time zone
);
ALTER TABLE control.environments ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME control.environments_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE control.function_versions (
    environment_id integer NOT NULL,
    function_id integer NOT NULL,
    version integer NOT NULL,
    deployment_id text NOT NULL COLLATE pg_catalog."C",
    manifest jsonb NOT NULL,
    deployed_at timestamp with time zone DEFAULT kit.now() NOT NULL
);
CREATE TABLE control.functions (
    id integer NOT NULL,
    environment_id integer NOT NULL,
    integration_id integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    deployment_id text NOT NULL COLLATE pg_catalog."C",
    manifest jsonb NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    frequency_override text,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    last_deployed timestamp with time zone DEFAULT kit.now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT functions_type_check CHECK ((type = ANY (ARRAY['sync'::text, 'action'::text, 'on-event'::text])))
);
ALTER TABLE control.functions ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME control.functions_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE control.integrations (
    id integer NOT NULL,
    uuid uuid NOT NULL,
    environment_id integer NOT NULL,
    unique_key text NOT NULL COLLATE pg_catalog."C",
    provider text NOT NULL COLLATE pg_catalog."C",
    display_name text,
    forward_webhooks boolean DEFAULT true NOT NULL,
    config jsonb DEFAULT '{}'::jsonb NOT NULL,
    allowed_origins text[] DEFAULT '{}'::text[] NOT NULL,
    sealed bytea NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    updated_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    deleted_at timestamp with time zone
);
ALTER TABLE control.integrations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME control.integrations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW control.live_connections AS
 SELECT c.id,
    c.uuid,
    c.environment_id,
    c.integration_id,
    i.unique_key,
    i.provider,
    c.connection_id,
    c.connection_config,
    c.metadata,
    c.tags,
    c.end_user,
    c.webhook_url_override,
    c.errors,
    c.created_at,
    c.updated_at,
    c.last_fetched_at,
    c.pending
   FROM (control.connections c
     JOIN control.integrations i ON (((i.id = c.integration_id) AND (i.environment_id = c.environment_id))))
  WHERE ((c.deleted_at IS NULL) AND (i.deleted_at IS NULL));
CREATE VIEW control.live_functions AS
 SELECT f.id,
    f.environment_id,
    i.unique_key,
    f.name,
    f.type,
    f.deployment_id,
    f.manifest,
    f.enabled,
    f.last_deployed,
    f.frequency_override,
    f.version,
    f.integration_id
   FROM (control.functions f
     JOIN control.integrations i ON (((i.id = f.integration_id) AND (i.environment_id = f.environment_id))))
  WHERE ((f.deleted_at IS NULL) AND (i.deleted_at IS NULL));
CREATE TABLE control.syncs (
    id uuid NOT NULL,
    environment_id integer NOT NULL,
    connection_row_id bigint NOT NULL,
    function_id integer NOT NULL,
    variant text DEFAULT 'base'::text NOT NULL COLLATE pg_catalog."C",
    paused boolean DEFAULT false NOT NULL,
    frequency_override text,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL
);
CREATE VIEW control.live_syncs AS
 SELECT s.id,
    s.environment_id,
    s.connection_row_id,
    c.connection_id,
    f.unique_key,
    s.function_id,
    f.name,
    s.variant,
    s.paused,
    s.frequency_override,
    s.created_at,
    f.type,
    f.deployment_id,
    f.manifest,
    f.enabled,
    f.last_deployed,
    f.frequency_override AS function_frequency,
    f.version
   FROM (((control.syncs s
     JOIN control.connections c ON (((c.id = s.connection_row_id) AND (c.environment_id = s.environment_id))))
     JOIN control.live_functions f ON (((f.id = s.function_id) AND (f.environment_id = s.environment_id))))
     JOIN control.environments e ON ((e.id = s.environment_id)))
  WHERE ((c.deleted_at IS NULL) AND (e.deleted_at IS NULL));
CREATE TABLE control.runs (
    id uuid NOT NULL,
    environment_id integer NOT NULL,
    sync_id uuid,
    connection_row_id bigint,
    function_name text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    attempt integer NOT NULL,
    state text NOT NULL COLLATE pg_catalog."C",
    started_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    finished_at timestamp with time zone,
    result jsonb DEFAULT '{}'::jsonb NOT NULL,
    checkpoint_from jsonb,
    checkpoint_to jsonb,
    error jsonb,
    operation_id uuid,
    CONSTRAINT runs_check CHECK (((state = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT runs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'success'::text, 'failed'::text, 'cancelled'::text, 'interrupted'::text])))
)
WITH (fillfactor='80');
CREATE TABLE control.variables (
    environment_id integer NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    value bytea NOT NULL,
    updated_at timestamp with time zone DEFAULT kit.now() NOT NULL
);
ALTER TABLE ONLY control.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY control.accounts
    ADD CONSTRAINT accounts_uuid_key UNIQUE (uuid);
ALTER TABLE ONLY control.api_keys
    ADD CONSTRAINT api_keys_hash_key UNIQUE (hash);
ALTER TABLE ONLY control.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY control.connections
    ADD CONSTRAINT connections_pkey PRIMARY KEY (id);
ALTER TABLE ONLY control.connections
    ADD CONSTRAINT connections_uuid_key UNIQUE (uuid);
ALTER TABLE ONLY control.deployments
    ADD CONSTRAINT deployments_pkey PRIMARY KEY (environment_id, id);
ALTER TABLE ONLY control.environments
    ADD CONSTRAINT environments_pkey PRIMARY KEY (id);
ALTER TABLE ONLY control.environments
    ADD CONSTRAINT environments_uuid_key UNIQUE (uuid);
ALTER TABLE ONLY control.function_versions
    ADD CONSTRAINT function_versions_pkey PRIMARY KEY (environment_id, function_id, version);
ALTER TABLE ONLY control.functions
    ADD CONSTRAINT functions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY control.integrations
    ADD CONSTRAINT integrations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY control.runs
    ADD CONSTRAINT runs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY control.syncs
    ADD CONSTRAINT syncs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY control.variables
    ADD CONSTRAINT variables_pkey PRIMARY KEY (environment_id, name);
CREATE INDEX api_keys_account ON control.api_keys USING btree (account_id);
CREATE INDEX api_keys_environment ON control.api_keys USING btree (environment_id) WHERE (environment_id IS NOT NULL);
CREATE INDEX connections_deleted ON control.connections USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX connections_end_user ON control.connections USING btree (environment_id, ((end_user ->> 'id'::text))) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX connections_identity ON control.connections USING btree (environment_id, integration_id, connection_id) WHERE (deleted_at IS NULL);
CREATE INDEX connections_newest ON control.connections USING btree (environment_id, id) WHERE (deleted_at IS NULL);
CREATE INDEX connections_public ON control.connections USING btree (environment_id, connection_id) WHERE (deleted_at IS NULL);
CREATE INDEX connections_search ON control.connections USING gin (control.grams(environment_id, ARRAY[connection_id, (end_user ->> 'email'::text), (end_user ->> 'display_name'::text)])) WITH (fastupdate=off) WHERE (deleted_at IS NULL);
CREATE INDEX connections_tags ON control.connections USING gin (tags jsonb_path_ops) WITH (fastupdate=off) WHERE (deleted_at IS NULL);
CREATE INDEX environments_deleted ON control.environments USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE UNIQUE INDEX environments_name ON control.environments USING btree (account_id, name) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX functions_identity ON control.functions USING btree (environment_id, integration_id, name, type) WHERE (deleted_at IS NULL);
CREATE UNIQUE INDEX integrations_key ON control.integrations USING btree (environment_id, unique_key) WHERE (deleted_at IS NULL);
CREATE INDEX runs_age ON control.runs USING brin (started_at);
CREATE INDEX runs_sync ON control.runs USING btree (environment_id, sync_id, started_at) WHERE (sync_id IS NOT NULL);
CREATE INDEX syncs_function ON control.syncs USING btree (environment_id, function_id);
CREATE UNIQUE INDEX syncs_identity ON control.syncs USING btree (environment_id, connection_row_id, function_id, variant);
ALTER TABLE ONLY control.api_keys
    ADD CONSTRAINT api_keys_account_id_fkey FOREIGN KEY (account_id) REFERENCES control.accounts(id);
ALTER TABLE ONLY control.api_keys
    ADD CONSTRAINT api_keys_environment_id_fkey FOREIGN KEY (environment_id) REFERENCES control.environments(id);
ALTER TABLE ONLY control.environments
    ADD CONSTRAINT environments_account_id_fkey FOREIGN KEY (account_id) REFERENCES control.accounts(id);
