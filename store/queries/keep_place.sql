-- Moves an annotator's place to the first open photo that they have not had, whether or not somebody is just taking it;
-- past all photos where there is none. `more`: there is one, or one has been opened again before the place.
-- $1 project, $2 annotator, $3 priority and $4 photo of the place so far, $5 since when what lies before it is to be
-- looked at, $6 the queue's epoch then (if it has changed the place is worth nothing), $7 whether the place is a new one.
WITH next AS (
    SELECT w.priority, w.photo_id FROM (
        (SELECT t.priority, t.photo_id FROM tasks t
         WHERE t.project_id = $1 AND t.taken < t.needed AND t.priority = $3 AND t.photo_id >= $4
           AND NOT EXISTS (SELECT 1 FROM claims c
                           WHERE c.annotator_id = $2 AND c.photo_id = t.photo_id AND c.released_at IS NULL OFFSET 0)
         ORDER BY t.photo_id LIMIT 1)
        UNION ALL
        (SELECT t.priority, t.photo_id FROM tasks t
         WHERE t.project_id = $1 AND t.taken < t.needed AND t.priority < $3
           AND NOT EXISTS (SELECT 1 FROM claims c
                           WHERE c.annotator_id = $2 AND c.photo_id = t.photo_id AND c.released_at IS NULL OFFSET 0)
         ORDER BY t.priority DESC, t.photo_id LIMIT 1)
    ) AS w LIMIT 1
), missed AS (
    SELECT (SELECT t.reopened FROM tasks t
            WHERE t.project_id = $1 AND t.taken < t.needed AND t.reopened >= $5
              AND (t.priority > $3 OR t.priority = $3 AND t.photo_id < $4)
              AND NOT EXISTS (SELECT 1 FROM claims c
                              WHERE c.annotator_id = $2 AND c.photo_id = t.photo_id AND c.released_at IS NULL OFFSET 0)
            ORDER BY t.reopened LIMIT 1) AS reopened
), kept AS (
    INSERT INTO queue_places (annotator_id, priority, photo_id, since, epoch)
    SELECT $2, coalesce(next.priority, 0),
           coalesce(next.photo_id, 1 + (SELECT coalesce(max(id), 0) FROM photos WHERE project_id = $1)),
           least(pg_snapshot_xmin(pg_current_snapshot())::text::bigint, missed.reopened), $6
    FROM projects p CROSS JOIN missed LEFT JOIN next ON true
    WHERE p.id = $1 AND p.queue_epoch = $6
    ON CONFLICT (annotator_id) DO UPDATE SET
        priority = EXCLUDED.priority, photo_id = EXCLUDED.photo_id, since = EXCLUDED.since, epoch = EXCLUDED.epoch,
        begun_at = CASE WHEN $7 THEN now() ELSE queue_places.begun_at END
)
SELECT EXISTS (SELECT 1 FROM next) OR missed.reopened IS NOT NULL AS "more!" FROM missed
