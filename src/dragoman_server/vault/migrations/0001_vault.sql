CREATE SCHEMA vault;

-- Which KEK new keys are wrapped with: every wrap reads this row FOR SHARE, a rotation updates it, so that no process
-- with an older key file can wrap under a key that is about to be dropped.
CREATE TABLE vault.ring (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    current_kek bytea NOT NULL,
    rotated_at timestamptz NOT NULL DEFAULT kit.now()
);

CREATE TABLE vault.data_keys (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment_id int NOT NULL,
    kek_id bytea NOT NULL,
    wrapped bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT kit.now(),
    retired_at timestamptz
);
CREATE UNIQUE INDEX data_keys_active ON vault.data_keys (environment_id) WHERE retired_at IS NULL;
CREATE INDEX data_keys_environment ON vault.data_keys (environment_id);

-- Keyed hashes of records: one key per environment for ever, or every record would look changed.
CREATE TABLE vault.hash_keys (
    environment_id int PRIMARY KEY,
    kek_id bytea NOT NULL,
    wrapped bytea NOT NULL
);

CREATE TABLE vault.system_keys (
    name text COLLATE "C" PRIMARY KEY,
    kek_id bytea NOT NULL,
    wrapped bytea NOT NULL
);

-- A subject's salt; NULL once destroyed, so that it can never come back.
CREATE TABLE vault.salts (
    environment_id int NOT NULL,
    subject uuid NOT NULL,
    salt bytea,
    shredded_at timestamptz,
    PRIMARY KEY (environment_id, subject),
    CHECK ((salt IS NULL) = (shredded_at IS NOT NULL))
);
