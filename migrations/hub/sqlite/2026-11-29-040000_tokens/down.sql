ALTER TABLE device_logins DROP COLUMN declined_ms;
ALTER TABLE device_logins DROP COLUMN address;
ALTER TABLE authorisations DROP COLUMN client;
DROP INDEX registration_keys_organisation;
ALTER TABLE registration_keys DROP COLUMN organisation_id;
DROP INDEX refresh_tokens_access;
ALTER TABLE refresh_tokens DROP COLUMN access_expires_ms;
ALTER TABLE refresh_tokens DROP COLUMN access_hash;
