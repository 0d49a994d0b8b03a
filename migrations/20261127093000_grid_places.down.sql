DROP FUNCTION grid_open, grid_held;
CREATE INDEX suggestions_grid ON suggestions (source_id, attribute_id, value_id, probability DESC, photo_id);
DROP INDEX suggestions_walk;
DROP TABLE grid_places;
