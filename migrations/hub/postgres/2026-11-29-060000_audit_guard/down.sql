DROP TRIGGER audit_log_kept ON audit_log;
DROP FUNCTION audit_log_is_only_added_to();
