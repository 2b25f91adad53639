-- The Hub keeps what pages say about a layout and reads none of it: a document, and a log of what came
-- behind it. A document that is there already is all that anybody has said.
ALTER TABLE workspace_layouts ADD COLUMN base_sequence BIGINT NOT NULL DEFAULT 1;
CREATE TABLE workspace_layout_updates (
    workspace_id TEXT NOT NULL REFERENCES workspaces (id) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    -- An update of Yjs, as far as anybody knows.
    content BLOB NOT NULL,
    PRIMARY KEY (workspace_id, sequence)
);
