-- Back to one user per organisation: what the version before does not know is lost, and so are
-- users without a personal organisation.
PRAGMA legacy_alter_table = ON;
ALTER TABLE organisations RENAME TO new_organisations;
ALTER TABLE users RENAME TO new_users;
ALTER TABLE workspaces RENAME TO new_workspaces;
ALTER TABLE credentials RENAME TO new_credentials;
ALTER TABLE workers RENAME TO new_workers;
ALTER TABLE registration_keys RENAME TO new_registration_keys;
PRAGMA legacy_alter_table = OFF;
DROP INDEX users_verified_email;
DROP INDEX workspaces_organisation;
DROP INDEX workspaces_owner;
DROP INDEX workers_owner;
DROP INDEX workers_organisation;
DROP INDEX workers_bundled;
DROP INDEX credentials_user;
DROP INDEX credentials_family;
DROP INDEX credentials_parent;
DROP INDEX credentials_workspace;
DROP INDEX credentials_worker;
DROP INDEX credentials_expires;
DROP INDEX registration_keys_user;
DROP INDEX registration_keys_expires;

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

INSERT INTO organisations (id, name)
SELECT id, name FROM new_organisations WHERE personal_user_id IS NOT NULL;

INSERT INTO users (id, organisation_id, username, created_ms)
SELECT new_users.id, new_organisations.id, username, new_users.created_ms
FROM new_users JOIN new_organisations ON personal_user_id = new_users.id;

INSERT INTO workspaces (id, owner_user_id, title, created_ms)
SELECT id, owner_user_id, title, created_ms FROM new_workspaces
WHERE owner_user_id IN (SELECT id FROM users);

INSERT INTO credentials
    (id, user_id, kind, parent_id, secret_hash, created_ms, expires_ms, revoked_ms)
SELECT id, user_id, kind, parent_id, secret_hash, created_ms, expires_ms, revoked_ms
FROM new_credentials
WHERE kind <= 3 AND user_id IN (SELECT id FROM users)
    AND (parent_id IS NULL OR parent_id IN (SELECT id FROM new_credentials WHERE kind <= 3));

INSERT INTO workers
    (id, owner_user_id, name, public_key, encryption_mode, token_hash, bundled, version,
     registered_ms, last_seen_ms, registration_id, registration_tag)
SELECT id, owner_user_id, name, public_key, encryption_mode, token_hash, bundled, version,
    registered_ms, last_seen_ms, registration_id, registration_tag
FROM new_workers WHERE owner_user_id IN (SELECT id FROM users);

INSERT INTO registration_keys
SELECT id_hash, user_id, worker_name, device_algorithm, device_key, device_tag, expires_ms
FROM new_registration_keys WHERE user_id IN (SELECT id FROM users);

DROP TABLE settings;
DROP TABLE audit_log;
DROP TABLE ledger_counter;
DROP TABLE ledger;
DROP TABLE authorisations;
DROP TABLE device_logins;
DROP TABLE oauth_states;
DROP TABLE oauth_links;
DROP TABLE oauth_providers;
DROP TABLE new_registration_keys;
DROP TABLE user_devices;
DROP TABLE device_certificates;
DROP TABLE grant_certificates;
DROP TABLE mail_codes;
DROP TABLE new_credentials;
DROP TABLE refresh_tokens;
DROP TABLE token_families;
DROP TABLE worker_workspaces;
DROP TABLE new_workers;
DROP TABLE workspace_shares;
DROP TABLE workspace_layouts;
DROP TABLE new_workspaces;
DROP TABLE invitations;
DROP TABLE memberships;
DROP TABLE new_organisations;
DROP TABLE new_users;
