-- Where a terminal's output stood when its screen was kept; 0 = an older row does not say.
ALTER TABLE terminals ADD COLUMN sequence BIGINT NOT NULL DEFAULT 0;
