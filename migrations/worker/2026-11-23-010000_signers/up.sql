-- What a certificate brought rests on the device that signed it. Older rows do not say which one
-- that was: they are forgotten, and their certificates bring them back.
ALTER TABLE devices ADD COLUMN signer BLOB;
DELETE FROM devices WHERE source IN ('certificate', 'grant');
DROP TABLE grants;
CREATE TABLE grants (
    user_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    -- wire::Role; 0 = withdrawn
    role INTEGER NOT NULL,
    expires_at BIGINT NOT NULL,
    -- The key of the device that it was granted to, and that of the owner's device that signed.
    device BLOB NOT NULL,
    signer BLOB NOT NULL,
    PRIMARY KEY (user_id, workspace_id)
);
DELETE FROM serials;
