-- What this part's migrations make of an empty database. Written by scripts/dump_schema.py; do not edit.

CREATE SCHEMA logs;
CREATE FUNCTION logs.drop_days(first_kept date) RETURNS integer
    LANGUAGE plpgsql
    SET lock_timeout TO '2s'
    AS $$
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
CREATE FUNCTION logs.ensure_days(first date, last date) RETURNS integer
    LANGUAGE plpgsql
    SET lock_timeout TO '5s'
    SET "TimeZone" TO 'UTC'
    AS $$
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
CREATE FUNCTION logs.query_of(environment_id bigint, asked text) RETURNS tsquery
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((((''''::text || chr(1)) || (environment_id)::text) || ''''::text))::tsquery && plainto_tsquery('simple'::regconfig, asked));
CREATE FUNCTION logs.words_of(environment_id bigint, said text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (array_to_tsvector(ARRAY[(chr(1) || (environment_id)::text)]) || to_tsvector('simple'::regconfig, said));
CREATE TABLE logs.days (
    day date NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    CONSTRAINT days_name_check CHECK ((name = ANY (ARRAY['operations'::text, 'messages'::text])))
);
CREATE TABLE logs.messages (
    at timestamp with time zone NOT NULL,
    operation_id uuid NOT NULL,
    seq integer NOT NULL,
    operation_at timestamp with time zone NOT NULL,
    environment_id bigint NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    level text NOT NULL COLLATE pg_catalog."C",
    source text NOT NULL COLLATE pg_catalog."C",
    message text NOT NULL,
    body text
)
PARTITION BY RANGE (at);
CREATE TABLE logs.operations (
    at timestamp with time zone NOT NULL,
    id uuid NOT NULL,
    environment_id bigint NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    integration text COLLATE pg_catalog."C",
    connection text COLLATE pg_catalog."C",
    connection_row_id bigint,
    sync text COLLATE pg_catalog."C",
    function text COLLATE pg_catalog."C",
    words text DEFAULT ''::text NOT NULL,
    meta text,
    error text,
    finished_at timestamp with time zone,
    writer_id uuid,
    expires_at timestamp with time zone,
    CONSTRAINT operations_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'running'::text, 'success'::text, 'failed'::text, 'timeout'::text, 'cancelled'::text])))
)
PARTITION BY RANGE (at);
CREATE TABLE logs.writers (
    id uuid NOT NULL,
    beat_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY logs.days
    ADD CONSTRAINT days_pkey PRIMARY KEY (day, name);
ALTER TABLE ONLY logs.writers
    ADD CONSTRAINT writers_pkey PRIMARY KEY (id);
CREATE UNIQUE INDEX messages_of_operation ON ONLY logs.messages USING btree (operation_id, at, seq);
CREATE INDEX messages_words ON ONLY logs.messages USING gin (logs.words_of(environment_id, message));
CREATE INDEX operations_by_connection ON ONLY logs.operations USING btree (environment_id, connection, at DESC, id DESC) WHERE (connection IS NOT NULL);
CREATE INDEX operations_by_integration ON ONLY logs.operations USING btree (environment_id, integration, at DESC, id DESC) WHERE (integration IS NOT NULL);
CREATE INDEX operations_by_kind ON ONLY logs.operations USING btree (environment_id, kind, at DESC, id DESC);
CREATE INDEX operations_by_sync ON ONLY logs.operations USING btree (environment_id, sync, at DESC, id DESC) WHERE (sync IS NOT NULL);
CREATE UNIQUE INDEX operations_id ON ONLY logs.operations USING btree (id, at);
CREATE INDEX operations_newest ON ONLY logs.operations USING btree (environment_id, at DESC, id DESC);
CREATE INDEX operations_not_well ON ONLY logs.operations USING btree (environment_id, state, at DESC, id DESC) WHERE (state = ANY (ARRAY['failed'::text, 'timeout'::text, 'cancelled'::text]));
CREATE INDEX operations_of_row ON ONLY logs.operations USING btree (environment_id, connection_row_id) WHERE (connection_row_id IS NOT NULL);
CREATE INDEX operations_open ON ONLY logs.operations USING btree (at) WHERE (state = ANY (ARRAY['waiting'::text, 'running'::text]));
CREATE INDEX operations_words ON ONLY logs.operations USING gin (logs.words_of(environment_id, words));
