-- Suggestions are made anew from their source; labels keep their own copy.
DELETE FROM suggestions WHERE value_id = 0;
DELETE FROM grid_places WHERE value_id = 0;

ALTER TABLE suggestions
    DROP CONSTRAINT suggestions_named_value_fkey,
    DROP COLUMN named_value_id,
    ADD CONSTRAINT suggestions_attribute_id_value_id_fkey
        FOREIGN KEY (attribute_id, value_id) REFERENCES attribute_values (attribute_id, id);

ALTER TABLE grid_places
    DROP CONSTRAINT grid_places_named_value_fkey,
    DROP COLUMN named_value_id,
    ADD CONSTRAINT grid_places_attribute_id_value_id_fkey
        FOREIGN KEY (attribute_id, value_id) REFERENCES attribute_values (attribute_id, id);
