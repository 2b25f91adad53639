ALTER TABLE terminals DROP COLUMN sequence;
