-- The audit log is only added to. A guard against accidents: its owner can drop these, and then the
-- chain of hashes shows what was done.
CREATE TRIGGER audit_log_kept BEFORE UPDATE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
CREATE TRIGGER audit_log_whole BEFORE DELETE ON audit_log BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
