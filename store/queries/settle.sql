-- How many answers photos need: those of the overlap, and one more at a time while all that are needed have been given,
-- answers differ and nobody has decided; none where every attribute's answer is set as gold. The same state always gives the same number. $1 photos whose tasks the caller
-- has locked in an earlier statement; $2 whether to mark what opens again for those whose place in the queue is past it.
UPDATE tasks t SET
    needed = w.needed,
    reopened = CASE WHEN $2 AND w.needed > t.needed AND t.taken < w.needed
                    THEN pg_current_xact_id()::text::bigint ELSE t.reopened END
FROM (
    SELECT s.photo_id,
           CASE WHEN p.extra_votes > 0 AND d.done >= o.base AND EXISTS (
                         SELECT 1 FROM labels l JOIN attributes a ON a.id = l.attribute_id
                         WHERE l.photo_id = s.photo_id AND l.superseded_at IS NULL AND NOT l.gold
                           AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
                           AND a.kind = 'annotated' AND a.retired_at IS NULL
                           AND NOT EXISTS (SELECT 1 FROM adjudications j
                                           WHERE j.photo_id = l.photo_id AND j.attribute_id = l.attribute_id
                                             AND j.superseded_at IS NULL)
                         GROUP BY l.attribute_id HAVING count(DISTINCT (l.answer, l.value_id)) > 1)
                THEN least(o.base + p.extra_votes, d.done + 1)
                ELSE o.base END::smallint AS needed
    FROM tasks s
    JOIN projects p ON p.id = s.project_id
    CROSS JOIN LATERAL (SELECT CASE WHEN EXISTS (SELECT 1 FROM gold_answers g
                                                 WHERE g.photo_id = s.photo_id AND g.removed_at IS NULL)
                                     AND NOT EXISTS (SELECT 1 FROM attributes a
                                                     WHERE a.project_id = s.project_id AND a.kind = 'annotated'
                                                       AND a.retired_at IS NULL
                                                       AND NOT EXISTS (SELECT 1 FROM gold_answers g
                                                                       WHERE g.photo_id = s.photo_id
                                                                         AND g.attribute_id = a.id AND g.removed_at IS NULL))
                                    THEN 0::smallint
                                    ELSE photo_overlap(s.photo_id, p.overlap, p.overlap_share) END AS base) o
    CROSS JOIN LATERAL (SELECT CASE WHEN p.extra_votes > 0 THEN (
                            SELECT count(*) FROM claims c
                            WHERE c.photo_id = s.photo_id AND c.released_at IS NULL AND c.done_at IS NOT NULL AND c.slot IS NOT NULL)
                        ELSE 0 END AS done) d
    WHERE s.photo_id = ANY($1)
) w
WHERE w.photo_id = t.photo_id AND t.needed <> w.needed
