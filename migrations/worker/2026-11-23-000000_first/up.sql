-- The last screen of every terminal that was not closed.
CREATE TABLE terminals (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
    -- The workspace it was opened in; empty = the owner's own.
    workspace_id TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    -- wire::TerminalState
    state INTEGER NOT NULL,
    exit_code INTEGER NOT NULL,
    created_ms BIGINT NOT NULL,
    kept_ms BIGINT NOT NULL,
    -- The bytes that rebuild the screen in an empty terminal of that size.
    screen BLOB NOT NULL
);

-- Devices: trusted, waiting for somebody to say so, or removed (kept, so that no old certificate
-- brings them back).
CREATE TABLE devices (
    user_id TEXT NOT NULL,
    key BLOB NOT NULL,
    algorithm INTEGER NOT NULL,
    -- 1 trusted, 2 waiting, 3 removed
    state INTEGER NOT NULL,
    -- How it came to be trusted; empty while it waits.
    source TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    first_seen_ms BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    -- Unix seconds; NULL = until it is removed.
    expires_at BIGINT,
    PRIMARY KEY (user_id, key)
);

-- Roles that the owner signed for.
CREATE TABLE grants (
    user_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    -- wire::Role
    role INTEGER NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, workspace_id)
);

-- The highest serial accepted of certificates, by signer, subject and workspace (empty = none).
CREATE TABLE serials (
    signer TEXT NOT NULL,
    subject BLOB NOT NULL,
    workspace_id TEXT NOT NULL,
    serial BIGINT NOT NULL,
    PRIMARY KEY (signer, subject, workspace_id)
);
