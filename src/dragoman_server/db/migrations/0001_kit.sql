-- The database clock and the list of applied migrations.
CREATE SCHEMA IF NOT EXISTS kit;

-- STABLE and inlined by the planner, so it can drive index scans. Tests replace it to move time.
CREATE OR REPLACE FUNCTION kit.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT statement_timestamp() $$;

CREATE TABLE IF NOT EXISTS kit.migrations (
    part text COLLATE "C" NOT NULL,
    number int NOT NULL,
    name text NOT NULL,
    phase text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT statement_timestamp(),
    PRIMARY KEY (part, number)
);
