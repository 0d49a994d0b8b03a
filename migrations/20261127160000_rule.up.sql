-- From dispute to rule: a publication says which votes it puts in doubt; they are no votes until they are given again.

ALTER TABLE guideline_versions
    -- which votes its publication put in doubt, as the lead chose; null: none, or published before this was kept
    ADD COLUMN doubt jsonb;

ALTER TABLE annotator_doubts
    -- a doubt that a publication raised, not a lead about this annotator
    ADD COLUMN guideline_version_id bigint REFERENCES guideline_versions;
CREATE INDEX annotator_doubts_version ON annotator_doubts (guideline_version_id) WHERE guideline_version_id IS NOT NULL;

-- The votes on an attribute that a publication may put in doubt; one definition for the count that is shown and for what
-- is done. $1 project, $2 attribute; $3 values and $4 'not_visible' or 'unsure': votes for one of these (both null: for any
-- answer); $5 given since; $6 only unsure votes, those on photos where one of $3, $4 is voted, too; $7 only on photos whose
-- votes differ, those for one of $3, $4. Votes on photos that a reviewer has decided are `decided`.
CREATE FUNCTION votes_in_scope(bigint, bigint, bigint[], text[], timestamptz, boolean, boolean)
RETURNS TABLE (label_id bigint, photo_id bigint, annotator_id bigint, decided boolean)
LANGUAGE sql STABLE AS $$
    WITH votes AS (
        SELECT l.id, l.photo_id AS photo, l.annotator_id AS annotator, l.created_at, l.answer, l.value_id,
               ($3 IS NULL AND $4 IS NULL) OR coalesce(l.value_id = ANY($3), false) OR coalesce(l.answer = ANY($4), false)
                   AS named
        FROM labels l
        WHERE l.project_id = $1 AND l.attribute_id = $2 AND l.superseded_at IS NULL AND NOT l.gold
          AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
    ), photos AS (
        SELECT v.photo, count(DISTINCT (v.answer, v.value_id)) AS answers FROM votes v WHERE v.named GROUP BY v.photo
    )
    SELECT v.id, v.photo, v.annotator,
           EXISTS (SELECT 1 FROM adjudications x
                   WHERE x.photo_id = v.photo AND x.attribute_id = $2 AND x.superseded_at IS NULL)
    FROM votes v JOIN photos p ON p.photo = v.photo
    WHERE ($5 IS NULL OR v.created_at >= $5)
      AND CASE WHEN $6 THEN v.answer = 'unsure' ELSE v.named END
      AND (NOT $7 OR p.answers > 1)
$$;
