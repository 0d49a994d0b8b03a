//! Labels, decisions, gold answers and priors of values that become another value of the same attribute.

use super::Change;
use crate::{error::Result, queue, slots};

impl Change<'_> {
    /// Standing labels with one of `gone` are superseded by labels with `target`, by the same annotators, as they were given.
    pub(super) async fn move_labels(
        &mut self,
        attribute_id: i64,
        gone: &[i64],
        target: i64,
        gone_keys: &[String],
        target_key: &str,
    ) -> Result<()> {
        self.counts.labels_moved = sqlx::query!(
            "INSERT INTO schema_change_rows (change_id, kind, old_id)
             SELECT $1, 'label', id FROM labels
             WHERE project_id = $2 AND attribute_id = $3 AND value_id = ANY($4) AND superseded_at IS NULL",
            self.id,
            self.access.project_id,
            attribute_id,
            gone,
        )
        .execute(&mut *self.tx)
        .await?
        .rows_affected() as i64;
        sqlx::query!(
            "UPDATE labels l SET superseded_at = now() FROM schema_change_rows r
             WHERE r.change_id = $1 AND r.kind = 'label' AND l.id = r.old_id",
            self.id,
        )
        .execute(&mut *self.tx)
        .await?;
        // What was suggested is renamed along: the label followed the suggestion, or not, as before.
        sqlx::query!(
            "WITH new AS (
                 INSERT INTO labels (project_id, photo_id, attribute_id, annotator_id, answer, value_id, note,
                                     guideline_version_id, duration_ms, suggestion, source, created_at, supersedes, gold)
                 SELECT l.project_id, l.photo_id, l.attribute_id, l.annotator_id, l.answer, $2, l.note,
                        l.guideline_version_id, l.duration_ms,
                        CASE WHEN l.suggestion ->> 'value' = ANY($3)
                             THEN jsonb_set(l.suggestion, '{value}', to_jsonb($4::text)) ELSE l.suggestion END,
                        l.source, l.created_at, l.id, l.gold
                 FROM schema_change_rows r JOIN labels l ON l.id = r.old_id
                 WHERE r.change_id = $1 AND r.kind = 'label'
                 RETURNING id, supersedes)
             UPDATE schema_change_rows r SET new_id = new.id FROM new
             WHERE r.change_id = $1 AND r.kind = 'label' AND r.old_id = new.supersedes",
            self.id,
            target,
            gone_keys,
            target_key,
        )
        .execute(&mut *self.tx)
        .await?;
        self.keep_doubts().await
    }

    /// What was in doubt stays in doubt.
    async fn keep_doubts(&mut self) -> Result<()> {
        sqlx::query!(
            "INSERT INTO label_doubts (label_id, guideline_version_id, schema_change_id, created_at)
             SELECT r.new_id, d.guideline_version_id, d.schema_change_id, d.created_at
             FROM schema_change_rows r JOIN label_doubts d ON d.label_id = r.old_id
             WHERE r.change_id = $1 AND r.kind = 'label'",
            self.id,
        )
        .execute(&mut *self.tx)
        .await?;
        sqlx::query!(
            "INSERT INTO doubted_labels (label_id, doubt_id)
             SELECT r.new_id, d.doubt_id FROM schema_change_rows r JOIN doubted_labels d ON d.label_id = r.old_id
             WHERE r.change_id = $1 AND r.kind = 'label'",
            self.id,
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Standing decisions likewise.
    pub(super) async fn move_decisions(&mut self, attribute_id: i64, gone: &[i64], target: i64) -> Result<()> {
        self.counts.decisions_moved = sqlx::query!(
            "INSERT INTO schema_change_rows (change_id, kind, old_id)
             SELECT $1, 'decision', id FROM adjudications
             WHERE project_id = $2 AND attribute_id = $3 AND value_id = ANY($4) AND superseded_at IS NULL",
            self.id,
            self.access.project_id,
            attribute_id,
            gone,
        )
        .execute(&mut *self.tx)
        .await?
        .rows_affected() as i64;
        sqlx::query!(
            "UPDATE adjudications a SET superseded_at = now() FROM schema_change_rows r
             WHERE r.change_id = $1 AND r.kind = 'decision' AND a.id = r.old_id",
            self.id,
        )
        .execute(&mut *self.tx)
        .await?;
        sqlx::query!(
            "WITH new AS (
                 INSERT INTO adjudications (project_id, photo_id, attribute_id, reviewer_id, answer, value_id, cause, reason,
                                            guideline_version_id, created_at, supersedes)
                 SELECT a.project_id, a.photo_id, a.attribute_id, a.reviewer_id, a.answer, $2, a.cause, a.reason,
                        a.guideline_version_id, a.created_at, a.id
                 FROM schema_change_rows r JOIN adjudications a ON a.id = r.old_id
                 WHERE r.change_id = $1 AND r.kind = 'decision'
                 RETURNING id, supersedes)
             UPDATE schema_change_rows r SET new_id = new.id FROM new
             WHERE r.change_id = $1 AND r.kind = 'decision' AND r.old_id = new.supersedes",
            self.id,
            target,
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Gold answers likewise: removed, and made anew.
    pub(super) async fn move_gold(&mut self, attribute_id: i64, gone: &[i64], target: i64) -> Result<()> {
        self.counts.gold_moved = sqlx::query!(
            "INSERT INTO schema_change_rows (change_id, kind, old_id)
             SELECT $1, 'gold', id FROM gold_answers
             WHERE project_id = $2 AND attribute_id = $3 AND value_id = ANY($4) AND removed_at IS NULL",
            self.id,
            self.access.project_id,
            attribute_id,
            gone,
        )
        .execute(&mut *self.tx)
        .await?
        .rows_affected() as i64;
        sqlx::query!(
            "UPDATE gold_answers g SET removed_at = now(), removed_by = $2 FROM schema_change_rows r
             WHERE r.change_id = $1 AND r.kind = 'gold' AND g.id = r.old_id",
            self.id,
            self.access.user_id,
        )
        .execute(&mut *self.tx)
        .await?;
        sqlx::query!(
            "WITH new AS (
                 INSERT INTO gold_answers (project_id, photo_id, attribute_id, answer, value_id, explanation, created_by, created_at)
                 SELECT g.project_id, g.photo_id, g.attribute_id, g.answer, $2, g.explanation, g.created_by, g.created_at
                 FROM schema_change_rows r JOIN gold_answers g ON g.id = r.old_id
                 WHERE r.change_id = $1 AND r.kind = 'gold'
                 RETURNING id, photo_id)
             UPDATE schema_change_rows r SET new_id = new.id FROM new JOIN gold_answers g ON g.photo_id = new.photo_id
             WHERE r.change_id = $1 AND r.kind = 'gold' AND r.old_id = g.id",
            self.id,
            target,
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// What was expected of the values is expected of `target`.
    pub(super) async fn merge_priors(&mut self, gone: &[i64], target: i64) -> Result<()> {
        let values: Vec<i64> = gone.iter().copied().chain([target]).collect();
        self.before.keep_priors(self.tx, &values).await?;
        sqlx::query!(
            "INSERT INTO priors (given_value_id, value_id, probability)
             SELECT given_value_id, $2, least(sum(probability), 1) FROM priors WHERE value_id = ANY($1) GROUP BY given_value_id
             ON CONFLICT (given_value_id, value_id) DO UPDATE SET probability = EXCLUDED.probability",
            &values,
            target,
        )
        .execute(&mut *self.tx)
        .await?;
        sqlx::query!("DELETE FROM priors WHERE value_id = ANY($1)", gone).execute(&mut *self.tx).await?;
        Ok(())
    }

    /// Votes have changed: what their photos need. Also counts the photos whose annotators agree now and did not before.
    pub(super) async fn settle_moved(&mut self) -> Result<()> {
        self.counts.photos_settled = sqlx::query_scalar!(
            r#"WITH moved AS (SELECT DISTINCT n.photo_id, n.attribute_id FROM schema_change_rows r JOIN labels n ON n.id = r.new_id
                              WHERE r.change_id = $1 AND r.kind = 'label'),
               votes AS (SELECT m.photo_id, l.answer, l.value_id, coalesce(o.value_id, l.value_id) AS old_value_id
                         FROM moved m
                         JOIN labels l ON l.photo_id = m.photo_id AND l.attribute_id = m.attribute_id
                              AND l.superseded_at IS NULL AND NOT l.gold
                         LEFT JOIN schema_change_rows r ON r.change_id = $1 AND r.kind = 'label' AND r.new_id = l.id
                         LEFT JOIN labels o ON o.id = r.old_id
                         WHERE NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)),
               photos AS (SELECT photo_id FROM votes GROUP BY photo_id
                          HAVING count(DISTINCT (answer, value_id)) = 1 AND count(DISTINCT (answer, old_value_id)) > 1)
               SELECT count(*) AS "n!" FROM photos"#,
            self.id,
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let photos = sqlx::query_scalar!(
            r#"SELECT DISTINCT l.photo_id AS "photo_id!" FROM schema_change_rows r JOIN labels l ON l.id = r.old_id
               WHERE r.change_id = $1 AND r.kind = 'label' ORDER BY 1"#,
            self.id,
        )
        .fetch_all(&mut *self.tx)
        .await?;
        slots::lock_tasks(&mut *self.tx, &photos).await?;
        queue::settle(&mut *self.tx, &photos).await
    }
}
