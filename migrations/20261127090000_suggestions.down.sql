ALTER TABLE memberships DROP COLUMN sees_suggestions;
DROP TABLE suggestions, suggestion_sources;
DROP FUNCTION suggestion_control;
