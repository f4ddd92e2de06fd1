-- Connections that wait until their provider calls to say that our app was installed. match_print: whose installation
-- it is, as the application's backend said when it made the session; one connection of an integration waits for it.
-- `sealed` is what the call brought (an authorization code), until it is used. claimed_until: who uses it now, until
-- when at most.
CREATE TABLE connect.installations (
    environment_id bigint NOT NULL,
    connection_id bigint NOT NULL,
    integration_id bigint NOT NULL,
    match_print bytea NOT NULL,
    session_id uuid NOT NULL,
    sealed bytea,
    data_key_id bigint,
    received_at timestamptz,
    claimed_until timestamptz,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (environment_id, connection_id),
    CHECK ((sealed IS NULL) = (received_at IS NULL))
);
CREATE UNIQUE INDEX installations_awaited ON connect.installations (environment_id, integration_id, match_print);
CREATE INDEX installations_by_end ON connect.installations (expires_at);
