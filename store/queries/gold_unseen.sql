-- Gold photos that could be mixed in for an annotator: not had before, not seen in the quiz, not waiting for votes. By a hash
-- of annotator and photo, so that everybody has an order of their own. $1 annotator, $2 how many.
SELECT g.photo_id
FROM (SELECT DISTINCT o.photo_id FROM gold_answers o
      WHERE o.project_id = (SELECT project_id FROM annotators WHERE id = $1) AND o.removed_at IS NULL) g
JOIN tasks t ON t.photo_id = g.photo_id
WHERE t.taken >= t.needed
  AND NOT EXISTS (SELECT 1 FROM claims c
                  WHERE c.annotator_id = $1 AND c.photo_id = g.photo_id AND c.released_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM labels l
                  WHERE l.photo_id = g.photo_id AND l.annotator_id = $1 AND l.superseded_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM quiz_photos q JOIN quizzes z ON z.id = q.quiz_id
                  WHERE q.photo_id = g.photo_id AND z.annotator_id = $1)
ORDER BY md5($1 || '/' || g.photo_id), g.photo_id
LIMIT $2
