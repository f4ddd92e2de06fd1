-- Operations and their messages in daily partitions (UTC). No default partition: a row outside every day fails and the
-- writer makes the day, so nothing is ever swallowed into a table that retention cannot drop.
CREATE SCHEMA logs;

-- What a text search finds a row by: its words, and one word nobody can type for its environment, so that the index
-- intersects a word that is common elsewhere with the few rows of one customer.
CREATE FUNCTION logs.words_of(environment_id bigint, said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN array_to_tsvector(ARRAY[chr(1) || environment_id::text]) || to_tsvector('simple'::regconfig, said);

CREATE FUNCTION logs.query_of(environment_id bigint, asked text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ('''' || chr(1) || environment_id::text || '''')::tsquery && plainto_tsquery('simple'::regconfig, asked);

CREATE TABLE logs.operations (
    at timestamptz NOT NULL,  -- the milliseconds inside id (uuid7): whoever knows the id knows the partition
    id uuid NOT NULL,
    environment_id bigint NOT NULL,
    kind text COLLATE "C" NOT NULL,  -- '' until the process that started it has flushed
    state text COLLATE "C" NOT NULL
        CHECK (state IN ('waiting', 'running', 'success', 'failed', 'timeout', 'cancelled')),
    integration text COLLATE "C",
    connection text COLLATE "C",
    connection_row_id bigint,
    sync text COLLATE "C",
    function text COLLATE "C",
    words text NOT NULL DEFAULT '',
    meta text,
    error text,
    finished_at timestamptz,
    writer_id uuid,
    expires_at timestamptz
) PARTITION BY RANGE (at);
CREATE UNIQUE INDEX operations_id ON logs.operations (id, at);
CREATE INDEX operations_newest ON logs.operations (environment_id, at DESC, id DESC);
CREATE INDEX operations_by_connection ON logs.operations (environment_id, connection, at DESC, id DESC)
    WHERE connection IS NOT NULL;
CREATE INDEX operations_by_integration ON logs.operations (environment_id, integration, at DESC, id DESC)
    WHERE integration IS NOT NULL;
CREATE INDEX operations_by_sync ON logs.operations (environment_id, sync, at DESC, id DESC) WHERE sync IS NOT NULL;
CREATE INDEX operations_by_kind ON logs.operations (environment_id, kind, at DESC, id DESC);
CREATE INDEX operations_not_well ON logs.operations (environment_id, state, at DESC, id DESC)
    WHERE state IN ('failed', 'timeout', 'cancelled');
CREATE INDEX operations_open ON logs.operations (at) WHERE state IN ('waiting', 'running');
CREATE INDEX operations_of_row ON logs.operations (environment_id, connection_row_id)
    WHERE connection_row_id IS NOT NULL;
CREATE INDEX operations_words ON logs.operations USING gin (logs.words_of(environment_id, words));

CREATE TABLE logs.messages (
    at timestamptz NOT NULL,
    operation_id uuid NOT NULL,
    seq int NOT NULL,
    operation_at timestamptz NOT NULL,
    environment_id bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    level text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    message text NOT NULL,
    body text
) PARTITION BY RANGE (at);
CREATE UNIQUE INDEX messages_of_operation ON logs.messages (operation_id, at, seq);
CREATE INDEX messages_words ON logs.messages USING gin (logs.words_of(environment_id, message));

-- One row a day and table.
CREATE TABLE logs.days (
    day date NOT NULL,
    name text COLLATE "C" NOT NULL CHECK (name IN ('operations', 'messages')),
    PRIMARY KEY (day, name)
);

-- A process that writes logs; operations left running by a silent one are timed out.
CREATE TABLE logs.writers (
    id uuid PRIMARY KEY,
    beat_at timestamptz NOT NULL
);

-- Make the partitions of the days `first` to `last`. Safe with many callers: serialized by a transaction lock; ATTACH
-- takes SHARE UPDATE EXCLUSIVE on the parent, so reads and writes go on.
CREATE FUNCTION logs.ensure_days(first date, last date) RETURNS int LANGUAGE plpgsql
SET lock_timeout = '5s' SET timezone = 'UTC' AS $$
DECLARE
    wanted date;
    parent text;
    child text;
    made int := 0;
BEGIN
    FOR wanted IN SELECT generate_series(first, last, interval '1 day')::date LOOP
        FOREACH parent IN ARRAY ARRAY['operations', 'messages'] LOOP
            child := parent || '_p' || to_char(wanted, 'YYYYMMDD');
            CONTINUE WHEN EXISTS (SELECT FROM logs.days d WHERE d.day = wanted AND d.name = parent);
            PERFORM pg_advisory_xact_lock(7241, 30);
            CONTINUE WHEN EXISTS (SELECT FROM logs.days d WHERE d.day = wanted AND d.name = parent);
            EXECUTE format('CREATE TABLE logs.%I (LIKE logs.%I INCLUDING ALL)', child, parent);
            EXECUTE format('ALTER TABLE logs.%I ATTACH PARTITION logs.%I FOR VALUES FROM (%L) TO (%L)',
                parent, child, wanted::timestamptz, (wanted + 1)::timestamptz);
            INSERT INTO logs.days (day, name) VALUES (wanted, parent);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- Drop the partitions of days before `first_kept`. A day that a search still reads waits for the next turn.
CREATE FUNCTION logs.drop_days(first_kept date) RETURNS int LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    old record;
    dropped int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(7241, 30);
    FOR old IN SELECT d.day, d.name FROM logs.days d WHERE d.day < first_kept ORDER BY d.day, d.name LOOP
        EXECUTE format('DROP TABLE IF EXISTS logs.%I', old.name || '_p' || to_char(old.day, 'YYYYMMDD'));
        DELETE FROM logs.days d WHERE d.day = old.day AND d.name = old.name;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
