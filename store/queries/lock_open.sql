-- The queue's hot path: open photos that an annotator has not had, most urgent first, locked. Tasks that another
-- transaction is just taking are skipped. It walks along the index tasks_open from the annotator's place on, priority $4
-- and photo $5; of what lies before it only that can be new which a transaction from $6 on has opened again.
-- OFFSET 0 keeps the planner from reading all claims at once for a join.
-- $1 project, $2 annotator, $3 how many (at most 20: with that the planner knows that few are wanted).
SELECT photo_id AS "photo_id!" FROM (
    SELECT * FROM (
        SELECT t.photo_id
        FROM (SELECT r.photo_id FROM tasks r
              WHERE r.project_id = $1 AND r.taken < r.needed AND r.reopened >= $6
                AND (r.priority > $4 OR r.priority = $4 AND r.photo_id < $5)
                AND NOT EXISTS (SELECT 1 FROM claims c
                                WHERE c.annotator_id = $2 AND c.photo_id = r.photo_id AND c.released_at IS NULL OFFSET 0)
              ORDER BY r.reopened LIMIT 50) again
        JOIN tasks t ON t.photo_id = again.photo_id
        WHERE t.taken < t.needed
        ORDER BY t.priority DESC, t.photo_id LIMIT 20
        FOR UPDATE OF t SKIP LOCKED) opened_again
    UNION ALL
    SELECT * FROM (
        SELECT t.photo_id FROM tasks t
        WHERE t.project_id = $1 AND t.taken < t.needed AND t.priority = $4 AND t.photo_id >= $5
          AND NOT EXISTS (SELECT 1 FROM claims c
                          WHERE c.annotator_id = $2 AND c.photo_id = t.photo_id AND c.released_at IS NULL OFFSET 0)
        ORDER BY t.photo_id LIMIT 20
        FOR UPDATE OF t SKIP LOCKED) as_urgent
    UNION ALL
    SELECT * FROM (
        SELECT t.photo_id FROM tasks t
        WHERE t.project_id = $1 AND t.taken < t.needed AND t.priority < $4
          AND NOT EXISTS (SELECT 1 FROM claims c
                          WHERE c.annotator_id = $2 AND c.photo_id = t.photo_id AND c.released_at IS NULL OFFSET 0)
        ORDER BY t.priority DESC, t.photo_id LIMIT 20
        FOR UPDATE OF t SKIP LOCKED) less_urgent
) AS found
LIMIT $3
