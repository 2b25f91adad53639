DROP TRIGGER audit_log_kept;
DROP TRIGGER audit_log_whole;
