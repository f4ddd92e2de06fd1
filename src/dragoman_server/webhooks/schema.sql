-- What this part's migrations make of an empty database. Written by scripts/dump_schema.py; do not edit.

CREATE SCHEMA webhooks;
CREATE TABLE webhooks.attempts (
    delivery_id uuid NOT NULL,
    number integer NOT NULL,
    environment_id bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    status integer,
    duration_ms integer NOT NULL,
    error text,
    excerpt text
);
CREATE TABLE webhooks.deliveries (
    id uuid NOT NULL,
    environment_id bigint NOT NULL,
    message_id text NOT NULL COLLATE pg_catalog."C",
    destination_id bigint NOT NULL,
    type text NOT NULL COLLATE pg_catalog."C",
    integration text COLLATE pg_catalog."C",
    connection text COLLATE pg_catalog."C",
    connection_row_id bigint,
    redelivery_of uuid,
    state text DEFAULT 'pending'::text NOT NULL COLLATE pg_catalog."C",
    attempts integer DEFAULT 0 NOT NULL,
    due_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    created_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'success'::text, 'failed'::text])))
)
WITH (fillfactor='80', autovacuum_vacuum_scale_factor='0.02');
CREATE TABLE webhooks.destinations (
    id bigint NOT NULL,
    environment_id bigint NOT NULL,
    url text NOT NULL COLLATE pg_catalog."C",
    failures integer DEFAULT 0 NOT NULL,
    open_until timestamp with time zone
);
ALTER TABLE webhooks.destinations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME webhooks.destinations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE webhooks.messages (
    environment_id bigint NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    body text NOT NULL,
    headers text,
    created_at timestamp with time zone NOT NULL
);
ALTER TABLE ONLY webhooks.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (delivery_id, number);
ALTER TABLE ONLY webhooks.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (id);
ALTER TABLE ONLY webhooks.destinations
    ADD CONSTRAINT destinations_environment_id_url_key UNIQUE (environment_id, url);
ALTER TABLE ONLY webhooks.destinations
    ADD CONSTRAINT destinations_pkey PRIMARY KEY (id);
ALTER TABLE ONLY webhooks.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (environment_id, id);
CREATE INDEX deliveries_age ON webhooks.deliveries USING btree (created_at);
CREATE INDEX deliveries_expiry ON webhooks.deliveries USING btree (expires_at) WHERE (state = 'pending'::text);
CREATE INDEX deliveries_failed ON webhooks.deliveries USING btree (environment_id, id DESC) WHERE (state = 'failed'::text);
CREATE INDEX deliveries_newest ON webhooks.deliveries USING btree (environment_id, id DESC);
CREATE INDEX deliveries_of_connection ON webhooks.deliveries USING btree (environment_id, connection_row_id) WHERE (connection_row_id IS NOT NULL);
CREATE INDEX deliveries_of_message ON webhooks.deliveries USING btree (environment_id, message_id);
CREATE UNIQUE INDEX deliveries_once ON webhooks.deliveries USING btree (environment_id, message_id, destination_id) WHERE (redelivery_of IS NULL);
CREATE INDEX deliveries_ready ON webhooks.deliveries USING btree (destination_id, due_at) WHERE (state = 'pending'::text);
CREATE INDEX messages_age ON webhooks.messages USING btree (created_at);
ALTER TABLE ONLY webhooks.attempts
    ADD CONSTRAINT attempts_delivery_id_fkey FOREIGN KEY (delivery_id) REFERENCES webhooks.deliveries(id) ON DELETE CASCADE;
