-- What no page has put into the document yet is lost: pages say it again, where they still know it.
DROP TABLE workspace_layout_updates;
ALTER TABLE workspace_layouts DROP COLUMN base_sequence;
