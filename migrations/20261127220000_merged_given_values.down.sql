-- Photos keep the values that they have.
DELETE FROM schema_change_rows WHERE kind = 'photo';
ALTER TABLE schema_change_rows
    DROP CONSTRAINT schema_change_rows_kind_check,
    ADD CONSTRAINT schema_change_rows_kind_check CHECK (
        kind IN ('label', 'decision', 'gold', 'claim', 'slot', 'restored_label', 'restored_decision'));
ALTER TABLE attribute_values DROP COLUMN merged_into;
