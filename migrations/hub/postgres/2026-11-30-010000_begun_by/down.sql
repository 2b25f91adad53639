DROP TABLE link_intents;
ALTER TABLE authorisations DROP COLUMN credential_id;
ALTER TABLE device_logins DROP COLUMN credential_id;
