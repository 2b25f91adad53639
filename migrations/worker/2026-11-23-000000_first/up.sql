-- The last screen of every terminal that was not closed.
CREATE TABLE terminals (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
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

-- Devices that may claim to be a user, and those that wait for somebody to say so.
CREATE TABLE devices (
    user_id TEXT NOT NULL,
    key BLOB NOT NULL,
    algorithm INTEGER NOT NULL,
    -- wire::DeviceState
    state INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    label TEXT NOT NULL,
    first_seen_ms BIGINT NOT NULL,
    last_seen_ms BIGINT NOT NULL,
    -- Unix seconds; NULL = for good.
    expires_at BIGINT,
    PRIMARY KEY (user_id, key)
);

-- The highest serial accepted of certificates, by signer, subject and workspace.
CREATE TABLE serials (
    signer TEXT NOT NULL,
    subject BLOB NOT NULL,
    workspace TEXT NOT NULL,
    serial BIGINT NOT NULL,
    PRIMARY KEY (signer, subject, workspace)
);
