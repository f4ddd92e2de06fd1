CREATE SCHEMA outbox;

-- One row per effect still to happen. `due_at` of a leased row is the end of its lease.
CREATE TABLE outbox.facts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment_id int NOT NULL,
    kind text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    body jsonb NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'parked')),
    due_at timestamptz NOT NULL,
    leased boolean NOT NULL DEFAULT false,
    version int NOT NULL DEFAULT 1,
    attempts int NOT NULL DEFAULT 0,
    strikes int NOT NULL DEFAULT 0,
    last_error text,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    UNIQUE (environment_id, kind, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE INDEX facts_due ON outbox.facts (kind, due_at) WHERE state = 'waiting';
CREATE INDEX facts_parked ON outbox.facts (environment_id, id) WHERE state = 'parked';
