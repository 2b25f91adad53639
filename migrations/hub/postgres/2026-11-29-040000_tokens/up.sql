-- A refresh token and the access token that was given out with it are one row, a pair.
ALTER TABLE refresh_tokens ADD COLUMN access_hash BYTEA;
ALTER TABLE refresh_tokens ADD COLUMN access_expires_ms BIGINT;
CREATE UNIQUE INDEX refresh_tokens_access ON refresh_tokens (access_hash);
-- Where the Worker is to belong; none means the user's personal organisation.
ALTER TABLE registration_keys ADD COLUMN organisation_id TEXT REFERENCES organisations (id) ON DELETE CASCADE;
CREATE INDEX registration_keys_organisation ON registration_keys (organisation_id);
-- What asks for the login, for the list of tokens.
ALTER TABLE authorisations ADD COLUMN client TEXT NOT NULL DEFAULT '';
-- Where it was started from, for the person who is to approve it.
ALTER TABLE device_logins ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE device_logins ADD COLUMN declined_ms BIGINT;
