-- Each photo's and attribute's most probable answer by a run, by the model of a fold that has not seen the photo where there is
-- one. Where the project has priors for what is given with the photo, the probabilities of the values are weighed with them:
-- p(value | photo) (p(value | breed) + 0.03) over its sum, so that what the standards rule out may still be seen. "Not visible"
-- (value_id 0), where the run knows it, keeps its probability: standards say nothing of it.
-- $1 source, $2 run, $3 project.
INSERT INTO suggestions (source_id, photo_id, attribute_id, value_id, probability)
WITH said AS (
    SELECT r.photo_id, r.attribute_id, coalesce(v.id, 0) AS value_id, v.position, greatest(d.value::double precision, 0) AS p
    FROM run_predictions r
    JOIN attributes a ON a.id = r.attribute_id AND a.kind = 'annotated' AND a.retired_at IS NULL
    CROSS JOIN LATERAL jsonb_each_text(coalesce(r.held_out, r.distribution)) d
    LEFT JOIN attribute_values v ON v.attribute_id = r.attribute_id AND v.key = d.key AND v.retired_at IS NULL
    WHERE r.run_id = $2 AND (v.id IS NOT NULL OR d.key = 'not_visible')
),
expected AS (
    SELECT pv.photo_id, pr.value_id, sum(pr.probability) AS p
    FROM photos p
    JOIN photo_values pv ON pv.photo_id = p.id
    JOIN priors pr ON pr.given_value_id = pv.value_id
    WHERE p.project_id = $3
    GROUP BY pv.photo_id, pr.value_id
),
beside AS (
    SELECT s.*, e.p AS expected, sum(e.p) OVER (PARTITION BY s.photo_id, s.attribute_id) AS expected_all
    FROM said s
    LEFT JOIN expected e ON e.photo_id = s.photo_id AND e.value_id = s.value_id
),
weighed AS (
    SELECT photo_id, attribute_id, value_id, position, p,
           CASE WHEN value_id <> 0 THEN p END AS of_values,
           CASE WHEN value_id <> 0
                THEN p * (coalesce(expected / nullif(expected_all, 0), 0) + 0.03) END AS weight
    FROM beside
),
posterior AS (
    SELECT photo_id, attribute_id, value_id, position,
           CASE WHEN value_id = 0 THEN p
                ELSE coalesce(weight / nullif(sum(weight) OVER same, 0) * sum(of_values) OVER same, p) END AS p
    FROM weighed
    WINDOW same AS (PARTITION BY photo_id, attribute_id)
)
SELECT DISTINCT ON (photo_id, attribute_id) $1, photo_id, attribute_id, value_id, least(p, 1)::real
FROM posterior
ORDER BY photo_id, attribute_id, p DESC, position NULLS LAST
