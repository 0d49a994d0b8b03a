-- Photos that wait for the annotator under each value, counted up to a limit, and the first open one, from which the next walk
-- may begin. $1 source, $2 attribute, $3 values, $4 annotator, $5 claims to leave out, $6 the limit.
SELECT v.value_id AS "value_id!",
       least($6, (SELECT count(*) FROM grid_held($1, $2, v.value_id, $4, $5)) + open.photos) AS "photos!",
       coalesce(open.firsts[1], -1) AS "probability!", coalesce(open.first_photos[1], 0) AS "photo_id!",
       place.annotator_id IS NULL AS "anew!"
FROM unnest($3::bigint[]) WITH ORDINALITY AS v (value_id, place)
LEFT JOIN grid_places place
    ON place.annotator_id = $4 AND place.source_id = $1 AND place.attribute_id = $2 AND place.value_id = v.value_id
    AND place.begun_at > now() - interval '10 minutes'
CROSS JOIN LATERAL (
    SELECT count(*) AS photos, array_agg(w.probability ORDER BY w.probability DESC, w.photo_id DESC) AS firsts,
           array_agg(w.photo_id ORDER BY w.probability DESC, w.photo_id DESC) AS first_photos
    FROM grid_open(
        $1, $2, v.value_id, $4, coalesce(place.probability, 2), coalesce(place.photo_id, 0), $6
    ) w
) open
ORDER BY v.place
