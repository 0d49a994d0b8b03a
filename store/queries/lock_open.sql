-- The queue's hot path: a walk along the index tasks_open, most urgent first. Tasks that another transaction is just
-- taking are skipped. $1 project, $2 annotator, $3 how many.
SELECT t.photo_id
FROM tasks t
WHERE t.project_id = $1 AND t.taken < t.needed
  AND NOT EXISTS (
      SELECT 1 FROM claims c
      WHERE c.annotator_id = $2 AND c.photo_id = t.photo_id AND c.released_at IS NULL
  )
ORDER BY t.priority DESC, t.photo_id
LIMIT $3
FOR UPDATE OF t SKIP LOCKED
