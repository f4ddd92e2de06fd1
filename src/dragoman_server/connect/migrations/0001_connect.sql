-- Connect sessions, pending authorizations and credentials. Nothing here is readable without the vault.
CREATE SCHEMA connect;

CREATE TABLE connect.sessions (
    id uuid PRIMARY KEY,
    environment_id bigint NOT NULL,
    account_id bigint NOT NULL,
    token_hash bytea NOT NULL UNIQUE,
    options jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_end ON connect.sessions (expires_at);

CREATE TABLE connect.oauth_states (
    state_hash bytea PRIMARY KEY,
    environment_id bigint NOT NULL,
    browser_hash bytea NOT NULL,
    sealed bytea NOT NULL,
    data_key_id bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX oauth_states_by_end ON connect.oauth_states (expires_at);
CREATE INDEX oauth_states_by_data_key ON connect.oauth_states (environment_id, data_key_id);

-- One row per connection. grant_print: keyed fingerprint of what the next token is asked with. intent_*: the attempt
-- that was last allowed to send it; still there after a crash. fillfactor: leases come and go as HOT updates.
CREATE TABLE connect.credentials (
    environment_id bigint NOT NULL,
    connection_id bigint NOT NULL,
    connection_uuid uuid NOT NULL,
    mode text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    data_key_id bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    grant_print bytea,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz,
    stale_at timestamptz,
    due_at timestamptz,
    learned_life interval,
    attempts integer NOT NULL DEFAULT 0,
    counted integer NOT NULL DEFAULT 0,
    counted_at timestamptz,
    failed_at timestamptz,
    exhausted boolean NOT NULL DEFAULT false,
    stored_at timestamptz NOT NULL DEFAULT kit.now(),
    refreshed_at timestamptz,
    used_at timestamptz,
    lease_holder uuid,
    lease_until timestamptz,
    intent_grant bytea,
    intent_at timestamptz,
    PRIMARY KEY (environment_id, connection_id)
) WITH (fillfactor = 80);
CREATE INDEX credentials_due ON connect.credentials (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX credentials_by_data_key ON connect.credentials (environment_id, data_key_id);
