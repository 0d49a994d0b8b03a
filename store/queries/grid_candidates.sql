-- A walk along the index suggestions_grid: photos of one suggested value, the surest first, that the annotator has not
-- answered for this attribute and may see, held by them or open. $1 source, $2 attribute, $3 value, $4 annotator, $5 claims to
-- leave out, $6 how many.
SELECT s.photo_id, c.id AS "claim_id?", s.probability
FROM suggestions s
JOIN suggestion_sources o ON o.id = s.source_id
JOIN tasks t ON t.photo_id = s.photo_id
LEFT JOIN claims c ON c.annotator_id = $4 AND c.photo_id = s.photo_id AND c.released_at IS NULL
WHERE s.source_id = $1 AND s.attribute_id = $2 AND s.value_id = $3
  AND CASE WHEN c.id IS NULL THEN t.taken < t.needed ELSE c.done_at IS NULL AND c.id <> ALL ($5::bigint[]) END
  AND NOT EXISTS (
      SELECT 1 FROM labels l
      WHERE l.photo_id = s.photo_id AND l.attribute_id = $2 AND l.annotator_id = $4 AND l.superseded_at IS NULL
  )
  AND NOT suggestion_control(s.photo_id, $4, o.control_share)
ORDER BY s.probability DESC, s.photo_id
LIMIT $6
