-- What this part's migrations make of an empty database. Written by scripts/dump_schema.py; do not edit.

CREATE SCHEMA vault;
CREATE TABLE vault.data_keys (
    id integer NOT NULL,
    environment_id integer NOT NULL,
    kek_id bytea NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    retired_at timestamp with time zone
);
ALTER TABLE vault.data_keys ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME vault.data_keys_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE vault.hash_keys (
    environment_id integer NOT NULL,
    kek_id bytea NOT NULL,
    wrapped bytea NOT NULL
);
CREATE TABLE vault.ring (
    singleton boolean DEFAULT true NOT NULL,
    current_kek bytea NOT NULL,
    rotated_at timestamp with time zone DEFAULT kit.now() NOT NULL,
    CONSTRAINT ring_singleton_check CHECK (singleton)
);
CREATE TABLE vault.salts (
    environment_id integer NOT NULL,
    subject uuid NOT NULL,
    salt bytea,
    shredded_at timestamp with time zone,
    CONSTRAINT salts_check CHECK (((salt IS NULL) = (shredded_at IS NOT NULL)))
);
CREATE TABLE vault.system_keys (
    name text NOT NULL COLLATE pg_catalog."C",
    kek_id bytea NOT NULL,
    wrapped bytea NOT NULL
);
ALTER TABLE ONLY vault.data_keys
    ADD CONSTRAINT data_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY vault.hash_keys
    ADD CONSTRAINT hash_keys_pkey PRIMARY KEY (environment_id);
ALTER TABLE ONLY vault.ring
    ADD CONSTRAINT ring_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY vault.salts
    ADD CONSTRAINT salts_pkey PRIMARY KEY (environment_id, subject);
ALTER TABLE ONLY vault.system_keys
    ADD CONSTRAINT system_keys_pkey PRIMARY KEY (name);
CREATE UNIQUE INDEX data_keys_active ON vault.data_keys USING btree (environment_id) WHERE (retired_at IS NULL);
CREATE INDEX data_keys_environment ON vault.data_keys USING btree (environment_id);
