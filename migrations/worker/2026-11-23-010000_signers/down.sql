DROP TABLE grants;
CREATE TABLE grants (
    user_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    role INTEGER NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, workspace_id)
);
ALTER TABLE devices DROP COLUMN signer;
