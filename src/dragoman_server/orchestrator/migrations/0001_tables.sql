-- Schedules, active tasks, finished tasks by day, caps, turns, workers and idempotent submissions.
CREATE SCHEMA IF NOT EXISTS orchestrator;

-- Time-ordered (RFC 9562 version 7); Postgres has its own only from 18 on.
CREATE FUNCTION orchestrator.new_id() RETURNS uuid LANGUAGE sql VOLATILE AS $$
    SELECT encode(
        set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
            PLACING substring(int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
            FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- The first point of the grid starts_at + k * every that is later than `at`. STABLE, so that the planner inlines it.
CREATE FUNCTION orchestrator.next_on_grid(starts_at timestamptz, every_ms bigint, at timestamptz)
RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT starts_at + greatest(0, floor(extract(epoch FROM at - starts_at) * 1000 / every_ms) + 1)::float8
        * every_ms * interval '1 millisecond'
$$;

CREATE TABLE orchestrator.schedules (
    key text COLLATE "C" PRIMARY KEY,
    environment_id bigint NOT NULL,
    connection text COLLATE "C" NOT NULL,
    queue text COLLATE "C" NOT NULL,
    priority int NOT NULL,
    lock_key text COLLATE "C" NOT NULL,
    payload text NOT NULL,
    start_within interval,
    run_timeout interval NOT NULL,
    max_attempts int NOT NULL,
    backoff_seconds float8 NOT NULL,
    backoff_factor float8 NOT NULL,
    backoff_ceiling float8 NOT NULL,
    requeue_on_lost_lease boolean NOT NULL,
    every_ms bigint NOT NULL CHECK (every_ms > 0),
    starts_at timestamptz NOT NULL,
    next_run_at timestamptz NOT NULL,
    paused boolean NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX schedules_due ON orchestrator.schedules (next_run_at) WHERE NOT paused;

-- Payloads and errors are JSON kept as text: jsonb refuses the NUL that a customer's input may carry.
-- Only tasks that are not over: finishing moves the row to task_log in the same statement.
CREATE TABLE orchestrator.tasks (
    id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY,
    queue text COLLATE "C" NOT NULL,
    environment_id bigint NOT NULL,
    shard smallint GENERATED ALWAYS AS ((environment_id % 16)::smallint) STORED,
    connection text COLLATE "C" NOT NULL,
    priority int NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('created', 'delayed', 'started')),
    attempt int NOT NULL DEFAULT 0,
    lost int NOT NULL DEFAULT 0,
    lock_key text COLLATE "C",
    schedule_key text COLLATE "C",
    payload text NOT NULL,
    payload_extra text,
    created_at timestamptz NOT NULL,
    ready_at timestamptz NOT NULL,
    start_within interval,
    start_by timestamptz,
    run_timeout interval NOT NULL,
    started_at timestamptz,
    deadline timestamptz,
    worker text COLLATE "C",
    cancel_requested boolean NOT NULL DEFAULT false,
    max_attempts int NOT NULL,
    backoff_seconds float8 NOT NULL,
    backoff_factor float8 NOT NULL,
    backoff_ceiling float8 NOT NULL,
    requeue_on_lost_lease boolean NOT NULL,
    CHECK ((state = 'started') = (worker IS NOT NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0,
        autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX tasks_ready ON orchestrator.tasks (queue, shard, environment_id, connection, priority DESC, seq)
    WHERE state = 'created';
CREATE INDEX tasks_running ON orchestrator.tasks (queue, environment_id, connection) WHERE state = 'started';
CREATE INDEX tasks_delayed ON orchestrator.tasks (ready_at) WHERE state = 'delayed';
CREATE INDEX tasks_start_by ON orchestrator.tasks (start_by) WHERE state <> 'started' AND start_by IS NOT NULL;
CREATE UNIQUE INDEX tasks_lock ON orchestrator.tasks (lock_key) WHERE lock_key IS NOT NULL;

CREATE TABLE orchestrator.task_log (
    id uuid NOT NULL,
    queue text COLLATE "C" NOT NULL,
    environment_id bigint NOT NULL,
    connection text COLLATE "C" NOT NULL,
    schedule_key text COLLATE "C",
    state text COLLATE "C" NOT NULL CHECK (state IN ('succeeded', 'failed', 'cancelled', 'interrupted', 'expired')),
    attempt int NOT NULL,
    worker text COLLATE "C",
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz NOT NULL,
    output bytea,
    error text
) PARTITION BY RANGE (finished_at);
CREATE INDEX task_log_id ON orchestrator.task_log (id);
CREATE INDEX task_log_schedule ON orchestrator.task_log (schedule_key, finished_at) WHERE schedule_key IS NOT NULL;
-- Holds what finishes on a day whose partition nobody made (every orchestrator was down for days); emptied by age.
CREATE TABLE orchestrator.task_log_default PARTITION OF orchestrator.task_log DEFAULT;

-- Caps set by hand; connection NULL stands for the whole environment.
CREATE TABLE orchestrator.groups (
    queue text COLLATE "C" NOT NULL,
    environment_id bigint NOT NULL,
    connection text COLLATE "C",
    max_running int NOT NULL CHECK (max_running >= 0),
    UNIQUE NULLS NOT DISTINCT (queue, environment_id, connection)
);

-- Where the next claim goes on among an environment's connections. Unlogged: a crash only restarts the round.
CREATE UNLOGGED TABLE orchestrator.turns (
    queue text COLLATE "C" NOT NULL,
    environment_id bigint NOT NULL,
    low text COLLATE "C" NOT NULL,
    PRIMARY KEY (queue, environment_id)
) WITH (fillfactor = 60);

CREATE TABLE orchestrator.workers (
    id text COLLATE "C" PRIMARY KEY,
    slots jsonb NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE orchestrator.submissions (
    environment_id bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    task_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (environment_id, key)
);
CREATE INDEX submissions_age ON orchestrator.submissions (created_at);
