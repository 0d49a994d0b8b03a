-- Breeds (values of the first given attribute) in turn, those with fewest finished photos first: a breed's photos are
-- numbered, finished and full ones before the others, and low numbers come first. So it stays balanced as the photos are
-- answered. $1 project.
INSERT INTO queue_priorities (project_id, photo_id, priority)
SELECT n.project_id, n.photo_id, n.place
FROM (
    SELECT t.project_id, t.photo_id, t.priority,
           (1.0 / row_number() OVER (PARTITION BY v.value_id ORDER BY t.taken >= t.needed DESC, t.photo_id))::real AS place
    FROM tasks t
    LEFT JOIN photo_values v ON v.photo_id = t.photo_id
         AND v.attribute_id = (SELECT a.id FROM attributes a
                               WHERE a.project_id = $1 AND a.kind = 'given' AND a.retired_at IS NULL
                               ORDER BY a.position, a.id LIMIT 1)
    WHERE t.project_id = $1
) n
WHERE n.priority <> n.place
