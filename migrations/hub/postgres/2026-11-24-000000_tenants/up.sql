-- Times are milliseconds since 1970, UTC. Hashes are BLAKE2b-256 under the Hub's pepper.
-- Names sort by their bytes, as in SQLite.
CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    -- Lower-cased: 1 to 32 of a-z 0-9 - . _
    username TEXT COLLATE "C" NOT NULL UNIQUE,
    display_name TEXT COLLATE "C" NOT NULL,
    email TEXT,
    email_verified BOOLEAN NOT NULL,
    -- A PHC string; none for who signs in otherwise.
    password_hash TEXT,
    admin BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL,
    disabled_ms BIGINT,
    failed_logins INTEGER NOT NULL,
    locked_until_ms BIGINT NOT NULL
);
CREATE UNIQUE INDEX users_verified_email ON users (email) WHERE email_verified;

CREATE TABLE organisations (
    id TEXT NOT NULL PRIMARY KEY,
    -- 1 to 32 of a-z 0-9 -
    slug TEXT COLLATE "C" NOT NULL UNIQUE,
    name TEXT COLLATE "C" NOT NULL,
    -- Whose personal organisation it is, if it is one.
    personal_user_id TEXT UNIQUE REFERENCES users (id) ON DELETE CASCADE,
    created_ms BIGINT NOT NULL,
    -- Quotas; none means the Hub's default.
    max_members INTEGER,
    max_workers INTEGER,
    max_channels INTEGER,
    max_bytes_per_second BIGINT
);

CREATE TABLE memberships (
    organisation_id TEXT NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- 1 member, 2 admin, 3 owner
    role SMALLINT NOT NULL CHECK (role BETWEEN 1 AND 3),
    joined_ms BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, user_id)
);
CREATE INDEX memberships_user ON memberships (user_id);

CREATE TABLE invitations (
    id TEXT NOT NULL PRIMARY KEY,
    -- None for an invitation by name.
    secret_hash BYTEA UNIQUE,
    organisation_id TEXT NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    role SMALLINT NOT NULL CHECK (role BETWEEN 1 AND 3),
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    created_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    uses_left INTEGER NOT NULL CHECK (uses_left >= 0)
);
CREATE INDEX invitations_organisation ON invitations (organisation_id);
CREATE INDEX invitations_user ON invitations (user_id);

CREATE TABLE workspaces (
    id TEXT NOT NULL PRIMARY KEY,
    organisation_id TEXT NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    owner_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    archived_ms BIGINT
);
CREATE INDEX workspaces_organisation ON workspaces (organisation_id);
CREATE INDEX workspaces_owner ON workspaces (owner_user_id);

CREATE TABLE workspace_layouts (
    workspace_id TEXT NOT NULL PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE,
    -- The state of a Yjs document.
    document BYTEA NOT NULL,
    updated_ms BIGINT NOT NULL
);

CREATE TABLE workspace_shares (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    -- 1 user, 2 organisation
    grantee_kind SMALLINT NOT NULL CHECK (grantee_kind BETWEEN 1 AND 2),
    grantee_id TEXT NOT NULL,
    -- 1 viewer, 2 editor
    role SMALLINT NOT NULL CHECK (role BETWEEN 1 AND 2),
    granted_by TEXT NOT NULL,
    granted_ms BIGINT NOT NULL,
    PRIMARY KEY (workspace_id, grantee_kind, grantee_id)
);
CREATE INDEX workspace_shares_grantee ON workspace_shares (grantee_kind, grantee_id);

CREATE TABLE workers (
    id TEXT NOT NULL PRIMARY KEY,
    owner_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organisation_id TEXT NOT NULL REFERENCES organisations (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    public_key BYTEA NOT NULL,
    encryption_mode SMALLINT NOT NULL,
    token_hash BYTEA NOT NULL UNIQUE,
    bundled BOOLEAN NOT NULL,
    version TEXT NOT NULL,
    registered_ms BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    registration_id TEXT NOT NULL,
    registration_tag BYTEA NOT NULL,
    -- Asked to go, and not confirmed by the Worker yet.
    deregistering_ms BIGINT
);
CREATE INDEX workers_owner ON workers (owner_user_id);
CREATE INDEX workers_organisation ON workers (organisation_id);
CREATE UNIQUE INDEX workers_bundled ON workers (bundled) WHERE bundled;

CREATE TABLE worker_workspaces (
    worker_id TEXT NOT NULL REFERENCES workers (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    PRIMARY KEY (worker_id, workspace_id)
);
CREATE INDEX worker_workspaces_workspace ON worker_workspaces (workspace_id);

CREATE TABLE token_families (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    label TEXT COLLATE "C" NOT NULL,
    scopes TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    revoked_ms BIGINT
);
CREATE INDEX token_families_user ON token_families (user_id);

CREATE TABLE refresh_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    family_id TEXT NOT NULL REFERENCES token_families (id) ON DELETE CASCADE,
    secret_hash BYTEA NOT NULL UNIQUE,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    used_ms BIGINT,
    replaced_by TEXT
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_expires ON refresh_tokens (expires_ms);

CREATE TABLE credentials (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- 1 solo's automatic admin (no secret), 2 access token of the data folder, 3 login,
    -- 4 API access, 5 delegation
    kind SMALLINT NOT NULL CHECK (kind BETWEEN 1 AND 5),
    family_id TEXT REFERENCES token_families (id) ON DELETE CASCADE,
    -- It ends with its parent.
    parent_id TEXT REFERENCES credentials (id) ON DELETE CASCADE,
    secret_hash BYTEA UNIQUE,
    label TEXT COLLATE "C" NOT NULL,
    user_agent TEXT NOT NULL,
    address TEXT NOT NULL,
    scopes TEXT NOT NULL,
    -- What a delegation is bound to.
    workspace_id TEXT REFERENCES workspaces (id) ON DELETE CASCADE,
    worker_id TEXT REFERENCES workers (id) ON DELETE CASCADE,
    tab_id TEXT,
    created_ms BIGINT NOT NULL,
    last_used_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    revoked_ms BIGINT,
    revoke_reason SMALLINT
);
CREATE INDEX credentials_user ON credentials (user_id);
CREATE INDEX credentials_family ON credentials (family_id);
CREATE INDEX credentials_parent ON credentials (parent_id);
CREATE INDEX credentials_workspace ON credentials (workspace_id);
CREATE INDEX credentials_worker ON credentials (worker_id);
CREATE INDEX credentials_expires ON credentials (expires_ms);

CREATE TABLE mail_codes (
    secret_hash BYTEA NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose SMALLINT NOT NULL,
    email TEXT NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX mail_codes_user ON mail_codes (user_id);
CREATE INDEX mail_codes_expires ON mail_codes (expires_ms);

CREATE TABLE grant_certificates (
    id TEXT NOT NULL PRIMARY KEY,
    worker_id TEXT NOT NULL REFERENCES workers (id) ON DELETE CASCADE,
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    grantee_user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    serial BIGINT NOT NULL,
    signed BYTEA NOT NULL,
    expires_ms BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX grant_certificates_worker ON grant_certificates (worker_id, grantee_user_id);
CREATE INDEX grant_certificates_workspace ON grant_certificates (workspace_id, grantee_user_id);
CREATE INDEX grant_certificates_grantee ON grant_certificates (grantee_user_id);

CREATE TABLE device_certificates (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    serial BIGINT NOT NULL,
    signed BYTEA NOT NULL,
    expires_ms BIGINT NOT NULL,
    created_ms BIGINT NOT NULL
);
CREATE INDEX device_certificates_user ON device_certificates (user_id);

CREATE TABLE user_devices (
    -- What grants can name.
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    algorithm INTEGER NOT NULL,
    key BYTEA NOT NULL,
    label TEXT COLLATE "C" NOT NULL,
    created_ms BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, key)
);

CREATE TABLE registration_keys (
    -- A row lives until it is used, revoked or found expired: a used key leaves nothing behind.
    id_hash BYTEA NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    worker_name TEXT COLLATE "C" NOT NULL,
    device_algorithm INTEGER NOT NULL,
    device_key BYTEA NOT NULL,
    device_tag BYTEA NOT NULL,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX registration_keys_user ON registration_keys (user_id);
CREATE INDEX registration_keys_expires ON registration_keys (expires_ms);

CREATE TABLE oauth_providers (
    id TEXT NOT NULL PRIMARY KEY,
    kind SMALLINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL UNIQUE,
    issuer TEXT NOT NULL,
    client_id TEXT NOT NULL,
    sealed_client_secret BYTEA NOT NULL,
    scopes TEXT NOT NULL,
    trusted_email BOOLEAN NOT NULL,
    enabled BOOLEAN NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE oauth_links (
    provider_id TEXT NOT NULL REFERENCES oauth_providers (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    email TEXT,
    sealed_tokens BYTEA,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (provider_id, subject)
);
CREATE INDEX oauth_links_user ON oauth_links (user_id);

CREATE TABLE oauth_states (
    secret_hash BYTEA NOT NULL PRIMARY KEY,
    provider_id TEXT NOT NULL REFERENCES oauth_providers (id) ON DELETE CASCADE,
    browser_hash BYTEA NOT NULL,
    nonce TEXT NOT NULL,
    sealed_verifier BYTEA NOT NULL,
    redirect_to TEXT NOT NULL,
    -- Who links an account, if somebody does.
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX oauth_states_expires ON oauth_states (expires_ms);
CREATE INDEX oauth_states_user ON oauth_states (user_id);

CREATE TABLE device_logins (
    code_hash BYTEA NOT NULL PRIMARY KEY,
    user_code TEXT NOT NULL UNIQUE,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    client TEXT NOT NULL,
    approved_ms BIGINT,
    expires_ms BIGINT NOT NULL,
    polled_ms BIGINT NOT NULL
);
CREATE INDEX device_logins_expires ON device_logins (expires_ms);
CREATE INDEX device_logins_user ON device_logins (user_id);

CREATE TABLE authorisations (
    code_hash BYTEA NOT NULL PRIMARY KEY,
    challenge TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX authorisations_expires ON authorisations (expires_ms);
CREATE INDEX authorisations_user ON authorisations (user_id);

CREATE TABLE ledger (
    -- Without gaps, in the order of commits: the counter below is taken last in a transaction.
    seq BIGINT NOT NULL PRIMARY KEY,
    kind SMALLINT NOT NULL,
    subject_id TEXT NOT NULL,
    reason SMALLINT NOT NULL,
    at_ms BIGINT NOT NULL
);
CREATE INDEX ledger_at ON ledger (at_ms);

CREATE TABLE ledger_counter (
    id SMALLINT NOT NULL PRIMARY KEY CHECK (id = 1),
    last BIGINT NOT NULL
);

CREATE TABLE audit_log (
    seq BIGINT NOT NULL PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    address TEXT NOT NULL,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    organisation_id TEXT,
    detail TEXT NOT NULL,
    -- BLAKE2b-256 over the previous hash and all that stands before it.
    previous_hash BYTEA NOT NULL,
    hash BYTEA NOT NULL
);
CREATE INDEX audit_log_at ON audit_log (at_ms);
CREATE INDEX audit_log_organisation ON audit_log (organisation_id, seq);
CREATE INDEX audit_log_actor ON audit_log (actor_id, seq);
CREATE INDEX audit_log_object ON audit_log (object_id, seq);

CREATE TABLE settings (
    key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

INSERT INTO ledger_counter (id, last) VALUES (1, 0);
