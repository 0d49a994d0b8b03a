-- How little the latest finished run believes a photo's standing votes, 0 to 1: the mean, over the votes for values of
-- attributes that it predicts, of 1 less the vote's probability; 0 without votes. $1 project.
INSERT INTO queue_priorities (project_id, photo_id, priority)
SELECT t.project_id, t.photo_id, coalesce(d.doubt, 0)::real
FROM tasks t
LEFT JOIN (
    SELECT l.photo_id, avg(greatest(0, 1 - coalesce((p.distribution ->> v.key)::double precision, 0))) AS doubt
    FROM labels l
    JOIN attributes a ON a.id = l.attribute_id AND a.kind = 'annotated' AND a.retired_at IS NULL
    JOIN attribute_values v ON v.id = l.value_id
    JOIN run_predictions p ON p.photo_id = l.photo_id AND p.attribute_id = l.attribute_id
         AND p.run_id = (SELECT r.id FROM runs r WHERE r.project_id = $1 AND r.finished_at IS NOT NULL
                         ORDER BY r.finished_at DESC, r.id DESC LIMIT 1)
    WHERE l.project_id = $1 AND l.superseded_at IS NULL AND NOT l.gold
      AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
    GROUP BY l.photo_id
) d ON d.photo_id = t.photo_id
WHERE t.project_id = $1 AND t.priority <> coalesce(d.doubt, 0)::real
