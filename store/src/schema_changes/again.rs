//! Photos that go back to those who answered them.

use super::Change;
use crate::error::Result;

impl Change<'_> {
    /// Puts the standing labels with a value in doubt; their photos go back to their annotators, as far as these can answer.
    pub(super) async fn doubt(&mut self, attribute_id: i64, value_id: i64) -> Result<()> {
        self.counts.labels_in_doubt = self.standing(attribute_id, Some(value_id)).await?;
        // A label that a rule has put in doubt already stays so, and is this change's no less.
        sqlx::query!(
            "INSERT INTO label_doubts (label_id, schema_change_id)
             SELECT id, $1 FROM labels
             WHERE project_id = $2 AND attribute_id = $3 AND value_id = $4 AND superseded_at IS NULL
             ON CONFLICT (label_id) DO UPDATE SET schema_change_id = EXCLUDED.schema_change_id",
            self.id,
            self.access.project_id,
            attribute_id,
            value_id,
        )
        .execute(&mut *self.tx)
        .await?;
        self.counts.photos_returned = sqlx::query!(
            "WITH back AS (
                 SELECT c.id, c.done_at FROM label_doubts d
                 JOIN labels l ON l.id = d.label_id
                 JOIN able_annotators a ON a.annotator_id = l.annotator_id
                 JOIN claims c ON c.photo_id = l.photo_id AND c.annotator_id = l.annotator_id
                 WHERE d.schema_change_id = $1 AND l.superseded_at IS NULL
                   AND c.released_at IS NULL AND c.done_at IS NOT NULL),
             kept AS (INSERT INTO schema_change_rows (change_id, kind, old_id, done_at)
                      SELECT $1, 'claim', id, done_at FROM back)
             UPDATE claims c SET returned_at = now(), done_at = NULL FROM back WHERE c.id = back.id",
            self.id,
        )
        .execute(&mut *self.tx)
        .await?
        .rows_affected() as i64;
        Ok(())
    }

    /// Photos that are done go back to those who answered them, where they have no answer to the attribute.
    pub(super) async fn ask_again(&mut self, attribute_id: i64) -> Result<()> {
        self.counts.photos_returned = sqlx::query!(
            "WITH back AS (
                 SELECT c.id, c.done_at FROM claims c
                 JOIN able_annotators a ON a.annotator_id = c.annotator_id
                 WHERE c.project_id = $2 AND c.released_at IS NULL AND c.done_at IS NOT NULL
                   AND NOT EXISTS (SELECT 1 FROM labels l
                                   WHERE l.photo_id = c.photo_id AND l.attribute_id = $3
                                     AND l.annotator_id = c.annotator_id AND l.superseded_at IS NULL)),
             kept AS (INSERT INTO schema_change_rows (change_id, kind, old_id, done_at)
                      SELECT $1, 'claim', id, done_at FROM back)
             UPDATE claims c SET returned_at = now(), done_at = NULL FROM back WHERE c.id = back.id",
            self.id,
            self.access.project_id,
            attribute_id,
        )
        .execute(&mut *self.tx)
        .await?
        .rows_affected() as i64;
        Ok(())
    }
}
