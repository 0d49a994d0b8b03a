DROP FUNCTION votes_in_scope(bigint, bigint, bigint[], text[], timestamptz, boolean, boolean);
-- What publications put in doubt stays marked in label_doubts, and is votes again until it is answered: without the version,
-- these would be doubts of leads about annotators.
DELETE FROM doubted_labels WHERE doubt_id IN (SELECT id FROM annotator_doubts WHERE guideline_version_id IS NOT NULL);
DELETE FROM annotator_doubts WHERE guideline_version_id IS NOT NULL;
ALTER TABLE annotator_doubts DROP COLUMN guideline_version_id;
ALTER TABLE guideline_versions DROP COLUMN doubt;
