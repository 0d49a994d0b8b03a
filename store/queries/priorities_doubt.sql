-- How much the latest finished run doubts a photo, 0 to 1: the mean, over the annotated attributes that it predicts, of the
-- entropy over its maximum or, where $2, of 1 less the lead of the first answer over the second. $1 project.
INSERT INTO queue_priorities (project_id, photo_id, priority)
SELECT t.project_id, t.photo_id, coalesce(d.doubt, 0)::real
FROM tasks t
LEFT JOIN (
    SELECT p.photo_id,
           avg(greatest(0, CASE WHEN e.answers < 2 THEN 0 WHEN $2 THEN 1 - (e.best[1] - e.best[2])
                                ELSE e.entropy / ln(e.answers::double precision) END)) AS doubt
    FROM run_predictions p
    JOIN attributes a ON a.id = p.attribute_id AND a.kind = 'annotated' AND a.retired_at IS NULL
    CROSS JOIN LATERAL (
        SELECT count(*) AS answers, array_agg(v.value::double precision ORDER BY v.value::double precision DESC) AS best,
               sum(CASE WHEN v.value::double precision > 0
                        THEN -v.value::double precision * ln(v.value::double precision) ELSE 0 END) AS entropy
        FROM jsonb_each(p.distribution) v
    ) e
    WHERE p.run_id = (SELECT r.id FROM runs r WHERE r.project_id = $1 AND r.finished_at IS NOT NULL
                      ORDER BY r.finished_at DESC, r.id DESC LIMIT 1)
    GROUP BY p.photo_id
) d ON d.photo_id = t.photo_id
WHERE t.project_id = $1 AND t.priority <> coalesce(d.doubt, 0)::real
