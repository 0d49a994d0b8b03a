-- What splits put in doubt stays marked in label_doubts, and is votes again until it is answered.
DELETE FROM doubted_labels WHERE doubt_id IN (SELECT id FROM annotator_doubts WHERE schema_change_id IS NOT NULL);
DELETE FROM annotator_doubts WHERE schema_change_id IS NOT NULL;
ALTER TABLE annotator_doubts DROP COLUMN schema_change_id;
DELETE FROM schema_change_rows WHERE kind = 'slot';
ALTER TABLE schema_change_rows
    DROP CONSTRAINT schema_change_rows_kind_check,
    ADD CONSTRAINT schema_change_rows_kind_check CHECK (
        kind IN ('label', 'decision', 'gold', 'claim', 'restored_label', 'restored_decision'));
