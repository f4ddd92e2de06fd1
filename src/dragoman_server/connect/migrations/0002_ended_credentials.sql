-- A credential whose connection is deleted while its provider is still to be told: nobody reads or renews it any more,
-- only the revocation does; then it is shredded. `ended_by`: the integration whose client speaks to the provider.
ALTER TABLE connect.credentials
    ADD COLUMN ended_at timestamptz,
    ADD COLUMN ended_by bigint,
    ADD COLUMN tried_at timestamptz;
CREATE INDEX credentials_ended ON connect.credentials (environment_id, ended_by, connection_id) WHERE ended_at IS NOT NULL;
