-- What a person agreed with: without it, what was agreed to is worth nothing.
ALTER TABLE device_logins ADD COLUMN credential_id TEXT;
ALTER TABLE authorisations ADD COLUMN credential_id TEXT;
-- Logins that may link an account elsewhere, once, for the password was shown.
CREATE TABLE link_intents (
    credential_id TEXT NOT NULL PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE,
    expires_ms BIGINT NOT NULL
);
CREATE INDEX link_intents_expires ON link_intents (expires_ms);
