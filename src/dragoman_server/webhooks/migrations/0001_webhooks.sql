-- Outbound webhooks: what is sent (messages), to whom (destinations), how that went (deliveries, attempts).
CREATE SCHEMA webhooks;

-- One row an event: the exact bytes of the body, whatever the number of destinations and redeliveries.
CREATE TABLE webhooks.messages (
    environment_id bigint NOT NULL,
    id text COLLATE "C" NOT NULL,
    body text NOT NULL,
    headers text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (environment_id, id)
);
CREATE INDEX messages_age ON webhooks.messages (created_at);

-- One row a URL of an environment, with its circuit: closed below five failures in a row, else open until a time.
CREATE TABLE webhooks.destinations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment_id bigint NOT NULL,
    url text COLLATE "C" NOT NULL,
    failures int NOT NULL DEFAULT 0,
    open_until timestamptz,
    UNIQUE (environment_id, url)
);

CREATE TABLE webhooks.deliveries (
    id uuid PRIMARY KEY,
    environment_id bigint NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    destination_id bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    integration text COLLATE "C",
    connection text COLLATE "C",
    connection_row_id bigint,
    redelivery_of uuid,
    state text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'success', 'failed')),
    attempts int NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL,  -- while one is being sent: the end of the sender's lease
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    finished_at timestamptz
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
CREATE UNIQUE INDEX deliveries_once ON webhooks.deliveries (environment_id, message_id, destination_id)
    WHERE redelivery_of IS NULL;
CREATE INDEX deliveries_ready ON webhooks.deliveries (destination_id, due_at) WHERE state = 'pending';
CREATE INDEX deliveries_expiry ON webhooks.deliveries (expires_at) WHERE state = 'pending';
CREATE INDEX deliveries_newest ON webhooks.deliveries (environment_id, id DESC);
CREATE INDEX deliveries_failed ON webhooks.deliveries (environment_id, id DESC) WHERE state = 'failed';
CREATE INDEX deliveries_of_connection ON webhooks.deliveries (environment_id, connection_row_id)
    WHERE connection_row_id IS NOT NULL;
CREATE INDEX deliveries_of_message ON webhooks.deliveries (environment_id, message_id);
CREATE INDEX deliveries_age ON webhooks.deliveries (created_at);

CREATE TABLE webhooks.attempts (
    delivery_id uuid NOT NULL REFERENCES webhooks.deliveries (id) ON DELETE CASCADE,
    number int NOT NULL,
    environment_id bigint NOT NULL,
    at timestamptz NOT NULL,
    status int,
    duration_ms int NOT NULL,
    error text,
    excerpt text,
    PRIMARY KEY (delivery_id, number)
);
