ALTER TABLE credentials DROP COLUMN swept_ms;
