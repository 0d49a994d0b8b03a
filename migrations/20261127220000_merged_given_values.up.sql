-- Values of given attributes become one.

ALTER TABLE attribute_values
    -- of a given attribute: the value that it has become; photos that come in under its key have that one
    ADD COLUMN merged_into bigint REFERENCES attribute_values;
CREATE INDEX attribute_values_merged ON attribute_values (merged_into) WHERE merged_into IS NOT NULL;

-- photo: old_id is the value that the photo new_id had.
ALTER TABLE schema_change_rows
    DROP CONSTRAINT schema_change_rows_kind_check,
    ADD CONSTRAINT schema_change_rows_kind_check CHECK (
        kind IN ('label', 'decision', 'gold', 'claim', 'slot', 'photo', 'restored_label', 'restored_decision'));
