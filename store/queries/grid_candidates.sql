-- Photos of one suggested value for the annotator's next screen: those that they hold, and open ones from their place on.
-- $1 source, $2 attribute, $3 value, $4 annotator, $5 claims to leave out, $6 how many.
WITH place AS (
    SELECT probability, photo_id FROM grid_places
    WHERE annotator_id = $4 AND source_id = $1 AND attribute_id = $2 AND value_id = $3
      AND begun_at > now() - interval '10 minutes'
)
SELECT photo_id AS "photo_id!", claim_id, probability AS "probability!" FROM (
    SELECT h.photo_id, h.claim_id, h.probability FROM grid_held($1, $2, $3, $4, $5) h
    UNION ALL
    SELECT w.photo_id, NULL, w.probability
    FROM (VALUES (1)) one
    LEFT JOIN place ON true
    CROSS JOIN LATERAL grid_open(
        $1, $2, $3, $4, coalesce(place.probability, 2), coalesce(place.photo_id, 0), $6
    ) w
) c
ORDER BY probability DESC, photo_id DESC
LIMIT $6
