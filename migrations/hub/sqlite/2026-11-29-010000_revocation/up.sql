-- The end that was written into the ledger. One that is moved on is beyond it again.
ALTER TABLE credentials ADD COLUMN swept_ms BIGINT;
