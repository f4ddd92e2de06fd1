-- Authorizations begun with a code the person types in elsewhere (RFC 8628). `sealed` holds the device code and is
-- emptied with the end; `outcome` is what the browser that began it is told, nothing secret. polling_until: who polls
-- the provider for it now, until when at most.
CREATE TABLE connect.device_authorizations (
    id uuid PRIMARY KEY,
    environment_id bigint NOT NULL,
    session_id uuid NOT NULL,
    sealed bytea,
    data_key_id bigint,
    interval_seconds integer NOT NULL CHECK (interval_seconds BETWEEN 1 AND 300),
    polling_until timestamptz,
    outcome jsonb,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    expires_at timestamptz NOT NULL,
    CHECK ((sealed IS NULL) = (outcome IS NOT NULL))
);
CREATE INDEX device_authorizations_by_end ON connect.device_authorizations (expires_at);
CREATE INDEX device_authorizations_by_environment ON connect.device_authorizations (environment_id);
