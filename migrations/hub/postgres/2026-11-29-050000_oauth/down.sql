DROP INDEX oauth_links_due;
ALTER TABLE oauth_links DROP COLUMN tokens_expire_ms;
ALTER TABLE oauth_states DROP COLUMN credential_id;
