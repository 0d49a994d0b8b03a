-- Where an annotator's walk over one value's suggestions stands: everything surer had no photo for them. A place is good for
-- some minutes; then the walk begins anew, and meets what has been given back meanwhile.
CREATE TABLE grid_places (
    annotator_id bigint NOT NULL REFERENCES annotators,
    source_id    bigint NOT NULL REFERENCES suggestion_sources,
    attribute_id bigint NOT NULL,
    value_id     bigint NOT NULL,
    -- of the first suggestion that may have a photo for them; -1 where there was none
    probability  real NOT NULL,
    photo_id     bigint NOT NULL,
    begun_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (annotator_id, source_id, attribute_id, value_id),
    FOREIGN KEY (attribute_id, value_id) REFERENCES attribute_values (attribute_id, id)
) WITH (fillfactor = 50);

-- Both columns in one direction: a comparison of the pair is then one range of the index.
CREATE INDEX suggestions_walk ON suggestions (source_id, attribute_id, value_id, probability, photo_id);
DROP INDEX suggestions_grid;

-- Photos that the annotator holds without an answer to the attribute, with one value suggested.
CREATE FUNCTION grid_held(source bigint, attribute bigint, value bigint, annotator bigint, skip bigint[])
RETURNS TABLE (photo_id bigint, claim_id bigint, probability real) LANGUAGE sql STABLE AS
$$
    SELECT s.photo_id, c.id, s.probability
    FROM claims c
    JOIN suggestions s ON s.photo_id = c.photo_id AND s.attribute_id = attribute AND s.source_id = source
    JOIN suggestion_sources o ON o.id = source
    WHERE c.annotator_id = annotator AND c.released_at IS NULL AND c.done_at IS NULL AND c.id <> ALL (skip)
      AND s.value_id = value
      AND NOT suggestion_control(s.photo_id, annotator, o.control_share)
      AND NOT EXISTS (
          SELECT 1 FROM labels l
          WHERE l.photo_id = s.photo_id AND l.attribute_id = attribute AND l.annotator_id = annotator
            AND l.superseded_at IS NULL
      )
$$;

-- The first `most` open photos with one value suggested that the annotator has not answered, the surest first, from a place on.
CREATE FUNCTION grid_open(
    source bigint, attribute bigint, value bigint, annotator bigint, from_probability real, from_photo bigint, most bigint
) RETURNS TABLE (photo_id bigint, probability real) LANGUAGE sql STABLE AS
$$
    SELECT s.photo_id, s.probability
    FROM suggestions s
    JOIN suggestion_sources o ON o.id = s.source_id
    JOIN tasks t ON t.photo_id = s.photo_id
    WHERE s.source_id = source AND s.attribute_id = attribute AND s.value_id = value
      AND (s.probability, s.photo_id) <= (from_probability, from_photo)
      AND t.taken < t.needed
      AND NOT EXISTS (
          SELECT 1 FROM claims c
          WHERE c.photo_id = s.photo_id AND c.annotator_id = annotator AND c.released_at IS NULL
      )
      AND NOT EXISTS (
          SELECT 1 FROM labels l
          WHERE l.photo_id = s.photo_id AND l.attribute_id = attribute AND l.annotator_id = annotator
            AND l.superseded_at IS NULL
      )
      AND NOT suggestion_control(s.photo_id, annotator, o.control_share)
    ORDER BY s.probability DESC, s.photo_id DESC
    LIMIT most
$$;
