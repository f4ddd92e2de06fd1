-- What this part's migrations make of an empty database. Written by scripts/dump_schema.py; do not edit.

CREATE SCHEMA outbox;
CREATE TABLE outbox.facts (
    id bigint NOT NULL,
    environment_id integer NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    body jsonb NOT NULL,
    state text DEFAULT 'waiting'::text NOT NULL COLLATE pg_catalog."C",
    due_at timestamp with time zone NOT NULL,
    leased boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    strikes integer DEFAULT 0 NOT NULL,
    last_error text,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    CONSTRAINT facts_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'parked'::text])))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000');
ALTER TABLE outbox.facts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME outbox.facts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
ALTER TABLE ONLY outbox.facts
    ADD CONSTRAINT facts_environment_id_kind_key_key UNIQUE (environment_id, kind, key);
ALTER TABLE ONLY outbox.facts
    ADD CONSTRAINT facts_pkey PRIMARY KEY (id);
CREATE INDEX facts_due ON outbox.facts USING btree (kind, due_at) WHERE (state = 'waiting'::text);
CREATE INDEX facts_parked ON outbox.facts USING btree (environment_id, id) WHERE (state = 'parked'::text);
