-- Times are milliseconds since 1970, UTC. Hashes are BLAKE2b-256 under the Hub's pepper.
CREATE TABLE organisations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id),
    username TEXT NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL
);

CREATE TABLE workspaces (
    id TEXT NOT NULL PRIMARY KEY,
    owner_user_id TEXT NOT NULL REFERENCES users (id),
    title TEXT NOT NULL,
    created_ms BIGINT NOT NULL
);

-- What a session, a link or a channel stands or falls with.
-- kind: 1 solo's automatic admin (no secret), 2 access token, 3 login traded for one.
CREATE TABLE credentials (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    kind SMALLINT NOT NULL,
    parent_id TEXT REFERENCES credentials (id),
    secret_hash BLOB UNIQUE,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    revoked_ms BIGINT
);
CREATE INDEX credentials_parent ON credentials (parent_id);

CREATE TABLE workers (
    id TEXT NOT NULL PRIMARY KEY,
    owner_user_id TEXT NOT NULL REFERENCES users (id),
    name TEXT NOT NULL,
    public_key BLOB NOT NULL,
    encryption_mode SMALLINT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    bundled BOOLEAN NOT NULL,
    version TEXT NOT NULL,
    registered_ms BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    registration_id TEXT NOT NULL,
    registration_tag BLOB NOT NULL
);
CREATE INDEX workers_owner ON workers (owner_user_id);
CREATE UNIQUE INDEX workers_bundled ON workers (bundled) WHERE bundled;

-- A row lives until it is used, revoked or found expired: a used key leaves nothing behind.
CREATE TABLE registration_keys (
    id_hash BLOB NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id),
    worker_name TEXT NOT NULL,
    device_algorithm INTEGER NOT NULL,
    device_key BLOB NOT NULL,
    device_tag BLOB NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX registration_keys_user ON registration_keys (user_id);
