-- "Not visible" can be suggested, too: its value_id is 0. The foreign keys hold for the real values.

ALTER TABLE suggestions
    DROP CONSTRAINT suggestions_attribute_id_value_id_fkey,
    ADD COLUMN named_value_id bigint GENERATED ALWAYS AS (nullif(value_id, 0)) STORED,
    ADD CONSTRAINT suggestions_named_value_fkey
        FOREIGN KEY (attribute_id, named_value_id) REFERENCES attribute_values (attribute_id, id);

ALTER TABLE grid_places
    DROP CONSTRAINT grid_places_attribute_id_value_id_fkey,
    ADD COLUMN named_value_id bigint GENERATED ALWAYS AS (nullif(value_id, 0)) STORED,
    ADD CONSTRAINT grid_places_named_value_fkey
        FOREIGN KEY (attribute_id, named_value_id) REFERENCES attribute_values (attribute_id, id);
