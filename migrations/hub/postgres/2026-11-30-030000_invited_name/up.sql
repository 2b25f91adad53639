-- What was typed where nobody has such a name: an invitation like any other to whoever looks at it.
ALTER TABLE invitations ADD COLUMN invited_name TEXT;
