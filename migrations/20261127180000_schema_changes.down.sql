-- Doubts go; labels stay.
DELETE FROM label_doubts WHERE guideline_version_id IS NULL;
ALTER TABLE label_doubts DROP COLUMN schema_change_id;
ALTER TABLE label_doubts ALTER COLUMN guideline_version_id SET NOT NULL;
DROP VIEW able_annotators;
DROP TABLE schema_change_rows;
DROP TABLE schema_changes;
