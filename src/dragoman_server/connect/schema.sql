-- What this part's migrations make of an empty database. Written by scripts/dump_schema.py; do not edit.

CREATE SCHEMA connect;
CREATE TABLE connect.credentials (
    environment_id bigint NOT NULL,
    connection_id bigint NOT NULL,
    connection_uuid uuid NOT NULL,
    mode text NOT NULL COLLATE pg_catalog."C",
    sealed bytea NOT NULL,
    data_key_id bigint NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    grant_print bytea,
    issued_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone,
    stale_at timestamp with time zone,
    due_at timestamp with time zone,
    learned_life interval,
    attempts integer DEFAULT 0 NOT NULL,
    counted integer DEFAULT 0 NOT NULL,
    counted_at timestamp with time zone,
    failed_at timestamp with time zone,
    exhausted boolean DEFAULT false NOT NULL,
    stored_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    refreshed_at timestamp with time zone,
    used_at timestamp with time zone,
    lease_holder uuid,
    lease_until timestamp with time zone,
    intent_grant bytea,
    intent_at timestamp with time zone,
    ended_at timestamp with time zone,
    ended_by bigint,
    tried_at timestamp with time zone,
    token_print bytea
)
WITH (fillfactor='80');
CREATE TABLE connect.device_authorizations (
    id uuid NOT NULL,
    environment_id bigint NOT NULL,
    session_id uuid NOT NULL,
    sealed bytea,
    data_key_id bigint,
    interval_seconds integer NOT NULL,
    polling_until timestamp with time zone,
    outcome jsonb,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT device_authorizations_check CHECK (((sealed IS NULL) = (outcome IS NOT NULL))),
    CONSTRAINT device_authorizations_interval_seconds_check CHECK (((interval_seconds >= 1) AND (interval_seconds <= 300)))
);
CREATE TABLE connect.installations (
    environment_id bigint NOT NULL,
    connection_id bigint NOT NULL,
    integration_id bigint NOT NULL,
    match_print bytea NOT NULL,
    session_id uuid NOT NULL,
    sealed bytea,
    data_key_id bigint,
    received_at timestamp with time zone,
    claimed_until timestamp with time zone,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    CONSTRAINT installations_check CHECK (((sealed IS NULL) = (received_at IS NULL)))
);
CREATE TABLE connect.oauth_states (
    state_hash bytea NOT NULL,
    environment_id bigint NOT NULL,
    browser_hash bytea NOT NULL,
    sealed bytea NOT NULL,
    data_key_id bigint NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
CREATE TABLE connect.sessions (
    id uuid NOT NULL,
    environment_id bigint NOT NULL,
    account_id bigint NOT NULL,
    token_hash bytea NOT NULL,
    options jsonb NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    expires_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY connect.credentials
    ADD CONSTRAINT credentials_pkey PRIMARY KEY (environment_id, connection_id);
ALTER TABLE ONLY connect.device_authorizations
    ADD CONSTRAINT device_authorizations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY connect.installations
    ADD CONSTRAINT installations_pkey PRIMARY KEY (environment_id, connection_id);
ALTER TABLE ONLY connect.oauth_states
    ADD CONSTRAINT oauth_states_pkey PRIMARY KEY (state_hash);
ALTER TABLE ONLY connect.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY connect.sessions
    ADD CONSTRAINT sessions_token_hash_key UNIQUE (token_hash);
CREATE INDEX credentials_by_data_key ON connect.credentials USING btree (environment_id, data_key_id);
CREATE INDEX credentials_due ON connect.credentials USING btree (due_at) WHERE (due_at IS NOT NULL);
CREATE INDEX credentials_ended ON connect.credentials USING btree (environment_id, ended_by, connection_id) WHERE (ended_at IS NOT NULL);
CREATE INDEX device_authorizations_by_end ON connect.device_authorizations USING btree (expires_at);
CREATE INDEX device_authorizations_by_environment ON connect.device_authorizations USING btree (environment_id);
CREATE UNIQUE INDEX installations_awaited ON connect.installations USING btree (environment_id, integration_id, match_print);
CREATE INDEX installations_by_end ON connect.installations USING btree (expires_at);
CREATE INDEX oauth_states_by_data_key ON connect.oauth_states USING btree (environment_id, data_key_id);
CREATE INDEX oauth_states_by_end ON connect.oauth_states USING btree (expires_at);
CREATE INDEX sessions_by_end ON connect.sessions USING btree (expires_at);
