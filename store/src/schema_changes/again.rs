//! Photos that go back to those who answered them.

use kenami_domain::view::guidelines::Requeue;

use super::Change;
use crate::{
    doubts::{self, Doubted, Reason},
    error::Result,
};

impl Change<'_> {
    /// Puts the standing labels with a value in doubt: nobody can say what they mean, so that they are no votes until they are
    /// given again. Their photos go back to their annotators, or to others where these cannot answer. Answers on gold stay.
    pub(super) async fn doubt(&mut self, attribute_id: i64, value_id: i64) -> Result<()> {
        let all = self.standing(attribute_id, Some(value_id)).await?;
        let labels = sqlx::query_scalar!(
            "SELECT id FROM labels
             WHERE project_id = $1 AND attribute_id = $2 AND value_id = $3 AND superseded_at IS NULL AND NOT gold",
            self.access.project_id,
            attribute_id,
            value_id,
        )
        .fetch_all(&mut *self.tx)
        .await?;
        self.counts.labels_in_doubt = labels.len() as i64;
        self.counts.labels_kept = all - self.counts.labels_in_doubt;
        // Labels that are in doubt already are in this one, too: when that ends, nobody can say what they mean, either.
        let reason = Reason::Change(self.id);
        let doubted = doubts::raise(&mut *self.tx, self.access, attribute_id, &labels, None, reason).await?;
        self.keep_claims(&doubted).await?;
        doubts::send_back(&mut *self.tx, &doubted, Requeue::Same).await?;
        Ok(())
    }

    /// Remembers the claims of labels in doubt, which are about to go back.
    async fn keep_claims(&mut self, doubted: &[Doubted]) -> Result<()> {
        let annotators: Vec<i64> = doubted.iter().map(|label| label.annotator_id).collect();
        let photos: Vec<i64> = doubted.iter().map(|label| label.photo_id).collect();
        let here: Vec<bool> = doubted.iter().map(|label| label.here).collect();
        let kinds = sqlx::query_scalar!(
            "INSERT INTO schema_change_rows (change_id, kind, old_id, done_at)
             SELECT $1, CASE WHEN p.here THEN 'claim' ELSE 'slot' END, c.id, c.done_at
             FROM unnest($2::bigint[], $3::bigint[], $4::boolean[]) AS p (annotator_id, photo_id, here)
             JOIN claims c ON c.annotator_id = p.annotator_id AND c.photo_id = p.photo_id
             WHERE c.released_at IS NULL AND CASE WHEN p.here THEN c.done_at IS NOT NULL ELSE c.slot IS NOT NULL END
             RETURNING kind",
            self.id,
            &annotators,
            &photos,
            &here,
        )
        .fetch_all(&mut *self.tx)
        .await?;
        self.counts.photos_opened = kinds.iter().filter(|kind| *kind == "slot").count() as i64;
        self.counts.photos_returned = kinds.len() as i64 - self.counts.photos_opened;
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
