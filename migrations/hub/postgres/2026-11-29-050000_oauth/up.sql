-- The login that began a link: when it is revoked, what it began ends too.
ALTER TABLE oauth_states ADD COLUMN credential_id TEXT;
-- When a provider's tokens want to be refreshed; none where nothing can be.
ALTER TABLE oauth_links ADD COLUMN tokens_expire_ms BIGINT;
CREATE INDEX oauth_links_due ON oauth_links (tokens_expire_ms);
