CREATE SCHEMA records;

-- One row per (connection, model, variant). `key` names it for ever (cursors, ciphertexts); `stream_id` names its
-- present contents and is swapped when the cache is emptied. Whoever changes the contents holds this row's lock
-- (`SELECT … FOR NO KEY UPDATE`) to the end of its transaction: positions are given out in the order of commits.
CREATE SEQUENCE records.stream_ids;
CREATE TABLE records.streams (
    key bigint GENERATED ALWAYS AS IDENTITY,
    environment_id int NOT NULL,
    connection_row_id bigint NOT NULL,
    connection_uuid uuid NOT NULL,
    model text COLLATE "C" NOT NULL,
    variant text COLLATE "C" NOT NULL,
    stream_id bigint NOT NULL DEFAULT nextval('records.stream_ids'),
    last_seq bigint NOT NULL DEFAULT 0,
    next_rid int NOT NULL DEFAULT 1,
    live bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    last_modified_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00',
    prune_floor bigint NOT NULL DEFAULT 0,   -- every row at or below it is pruned
    saved_at timestamptz NOT NULL DEFAULT kit.now(),   -- the last save, to the day
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    PRIMARY KEY (environment_id, connection_row_id, model, variant)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX streams_key ON records.streams (key);

-- Connections whose records are gone for good; no stream of theirs is ever made again.
CREATE TABLE records.erased (
    environment_id int NOT NULL,
    connection_row_id bigint NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT kit.now(),
    PRIMARY KEY (environment_id, connection_row_id)
);

-- The head of each record. action: 1 added, 2 updated, 3 deleted. `writer` tells a run's own writes from others'.
CREATE TABLE records.records (
    stream_id bigint NOT NULL,
    seq bigint NOT NULL,
    payload_seq bigint,                      -- where its payload is; NULL once pruned
    first_seen bigint NOT NULL,              -- times as microseconds since 1970: a page formats each once, unparsed
    modified bigint NOT NULL,                -- never falls as seq rises
    pruned bigint,
    environment_id int NOT NULL,
    rid int NOT NULL,
    size int NOT NULL,
    writer int NOT NULL,
    action smallint NOT NULL CHECK (action BETWEEN 1 AND 3),
    hash_version smallint NOT NULL,
    hash bytea NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (stream_id, external_id)
) PARTITION BY HASH (stream_id);
-- The feed's indexes are over expressions so that each query has exactly one index it can use: with plain columns the
-- planner, on empty statistics, walked a whole stream by the feed's index to look up one id (and the reverse).
CREATE INDEX records_feed ON records.records ((stream_id + 0), seq);
CREATE INDEX records_deleted ON records.records ((stream_id + 1), seq) WHERE action = 3;

-- Sealed payloads: rows are inserted and deleted, never changed (but for a key rotation).
CREATE TABLE records.payloads (
    stream_id bigint NOT NULL,
    seq bigint NOT NULL,
    environment_id int NOT NULL,
    payload bytea NOT NULL,
    PRIMARY KEY (stream_id, seq)
) PARTITION BY HASH (stream_id);
ALTER TABLE records.payloads ALTER COLUMN payload SET STORAGE EXTERNAL;

DO $$
BEGIN
    FOR n IN 0..15 LOOP
        EXECUTE format('CREATE TABLE records.records_%1$s PARTITION OF records.records'
            ' FOR VALUES WITH (MODULUS 16, REMAINDER %1$s)'
            ' WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1)', n);
        EXECUTE format('CREATE TABLE records.payloads_%1$s PARTITION OF records.payloads'
            ' FOR VALUES WITH (MODULUS 16, REMAINDER %1$s)'
            ' WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.1)', n);
        EXECUTE format('ALTER TABLE records.payloads_%s ALTER COLUMN payload SET STORAGE EXTERNAL', n);
    END LOOP;
END
$$;

-- Contents that were swapped out or erased, to be deleted in chunks.
CREATE TABLE records.purges (
    stream_id bigint PRIMARY KEY,
    environment_id int NOT NULL,
    since timestamptz NOT NULL DEFAULT kit.now()
);

-- The current (run, attempt) of each owner (a sync); an older one may not write. `past` holds the last runs before it.
CREATE TABLE records.fences (
    owner uuid PRIMARY KEY,
    environment_id int NOT NULL,
    run_id uuid NOT NULL,
    attempt int NOT NULL,
    past uuid[] NOT NULL DEFAULT '{}',
    begun_at timestamptz NOT NULL DEFAULT kit.now()
) WITH (fillfactor = 50);

CREATE TABLE records.checkpoints (
    owner uuid PRIMARY KEY,
    environment_id int NOT NULL,
    body text,
    version int NOT NULL DEFAULT 1,
    saved_at timestamptz NOT NULL DEFAULT kit.now()
) WITH (fillfactor = 50);

-- The answers of an owner's recent batches, so that a repeat changes nothing.
CREATE TABLE records.batches (
    owner uuid NOT NULL,
    run_id uuid NOT NULL,
    attempt int NOT NULL,
    batch int NOT NULL,
    environment_id int NOT NULL,
    answer text NOT NULL,
    PRIMARY KEY (owner, run_id, attempt, batch)
);

CREATE TABLE records.run_totals (
    run_id uuid NOT NULL,
    model text COLLATE "C" NOT NULL,
    environment_id int NOT NULL,
    added bigint NOT NULL,
    updated bigint NOT NULL,
    deleted bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    PRIMARY KEY (run_id, model)
) WITH (fillfactor = 50);
CREATE INDEX run_totals_created ON records.run_totals (created_at);

-- Delete tracking: while a generation is open, every writer of its stream leaves the rids it saw as a chunk.
CREATE SEQUENCE records.chunk_numbers;
CREATE TABLE records.generations (
    stream_key bigint NOT NULL,
    owner uuid NOT NULL,
    environment_id int NOT NULL,
    run_id uuid NOT NULL,
    attempt int NOT NULL,
    stream_id bigint NOT NULL,
    first_chunk bigint NOT NULL,
    start_seq bigint NOT NULL,
    closing boolean NOT NULL DEFAULT false,
    position bigint NOT NULL DEFAULT 0,      -- rows up to here are done
    deleted bigint NOT NULL DEFAULT 0,
    opened_at timestamptz NOT NULL DEFAULT kit.now(),
    PRIMARY KEY (stream_key, owner)
);
CREATE TABLE records.seen (
    stream_key bigint NOT NULL,
    chunk bigint NOT NULL DEFAULT nextval('records.chunk_numbers'),
    environment_id int NOT NULL,
    owner uuid,
    rids int4multirange NOT NULL,
    PRIMARY KEY (stream_key, chunk)
);

-- How far a key rotation has walked.
CREATE TABLE records.reseals (
    environment_id int NOT NULL,
    data_key_id int NOT NULL,
    stream_key bigint NOT NULL,
    seq bigint NOT NULL,
    PRIMARY KEY (environment_id, data_key_id)
);
