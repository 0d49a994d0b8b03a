DROP FUNCTION votes_in_scope(bigint, bigint, bigint[], text[], timestamptz, boolean, boolean);
ALTER TABLE annotator_doubts DROP COLUMN guideline_version_id;
ALTER TABLE guideline_versions DROP COLUMN doubt;
