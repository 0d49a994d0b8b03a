-- Labels of a split value are no votes until they are given again, like those that a publication puts in doubt.

ALTER TABLE annotator_doubts
    -- a doubt that a split raised, neither a lead about this annotator nor a publication
    ADD COLUMN schema_change_id bigint REFERENCES schema_changes,
    ADD CONSTRAINT annotator_doubts_one_reason CHECK (num_nonnulls(guideline_version_id, schema_change_id) <= 1);
CREATE INDEX annotator_doubts_schema_change ON annotator_doubts (schema_change_id) WHERE schema_change_id IS NOT NULL;

-- slot: a claim that gave its slot to others, since its annotator cannot answer again.
ALTER TABLE schema_change_rows
    DROP CONSTRAINT schema_change_rows_kind_check,
    ADD CONSTRAINT schema_change_rows_kind_check CHECK (
        kind IN ('label', 'decision', 'gold', 'claim', 'slot', 'restored_label', 'restored_decision'));
