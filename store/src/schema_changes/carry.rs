//! Labels of one attribute that become labels of another.

use kenami_domain::{answer::Answer, view::schema_change::AnswerMap};

use super::Change;
use crate::error::{Error, Result};

/// An answer map by the columns of labels.
#[derive(Default)]
struct Columns {
    from_answers: Vec<String>,
    from_values: Vec<Option<i64>>,
    to_answers: Vec<String>,
    to_values: Vec<Option<i64>>,
}

impl Change<'_> {
    /// Standing labels and decisions that `map` knows become labels and decisions of `into`, where there is none by the same
    /// annotator (none at all, for decisions). The old ones stay. Labels that a lead doubts are not carried over.
    pub(super) async fn carry(&mut self, map: &AnswerMap, into: &str) -> Result<()> {
        let columns = self.columns(map, into)?;
        let from = self.catalog.annotated_by_key(&map.attribute)?.id;
        let target = self.catalog.annotated_by_key(into)?.id;
        self.counts.labels_moved = sqlx::query!(
            "WITH new AS (
                 INSERT INTO labels (project_id, photo_id, attribute_id, annotator_id, answer, value_id, note, source,
                                     created_at, gold)
                 SELECT l.project_id, l.photo_id, $4, l.annotator_id, m.to_answer, m.to_value, l.note, l.source,
                        l.created_at, l.gold
                 FROM labels l
                 JOIN unnest($5::text[], $6::bigint[], $7::text[], $8::bigint[]) AS m (answer, value, to_answer, to_value)
                      ON m.answer = l.answer AND m.value IS NOT DISTINCT FROM l.value_id
                 WHERE l.project_id = $2 AND l.attribute_id = $3 AND l.superseded_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM labels o
                                   WHERE o.photo_id = l.photo_id AND o.attribute_id = $4
                                     AND o.annotator_id = l.annotator_id AND o.superseded_at IS NULL)
                   AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
                 RETURNING id)
             INSERT INTO schema_change_rows (change_id, kind, new_id) SELECT $1, 'label', id FROM new",
            self.id,
            self.access.project_id,
            from,
            target,
            &columns.from_answers,
            &columns.from_values as &[Option<i64>],
            &columns.to_answers,
            &columns.to_values as &[Option<i64>],
        )
        .execute(&mut *self.tx)
        .await?
        .rows_affected() as i64;
        self.counts.decisions_moved = sqlx::query!(
            "WITH new AS (
                 INSERT INTO adjudications (project_id, photo_id, attribute_id, reviewer_id, answer, value_id, cause, reason,
                                            created_at)
                 SELECT a.project_id, a.photo_id, $4, a.reviewer_id, m.to_answer, m.to_value, a.cause, a.reason, a.created_at
                 FROM adjudications a
                 JOIN unnest($5::text[], $6::bigint[], $7::text[], $8::bigint[]) AS m (answer, value, to_answer, to_value)
                      ON m.answer = a.answer AND m.value IS NOT DISTINCT FROM a.value_id
                 WHERE a.project_id = $2 AND a.attribute_id = $3 AND a.superseded_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM adjudications o WHERE o.photo_id = a.photo_id AND o.attribute_id = $4
                                                                  AND o.superseded_at IS NULL)
                 RETURNING id)
             INSERT INTO schema_change_rows (change_id, kind, new_id) SELECT $1, 'decision', id FROM new",
            self.id,
            self.access.project_id,
            from,
            target,
            &columns.from_answers,
            &columns.from_values as &[Option<i64>],
            &columns.to_answers,
            &columns.to_values as &[Option<i64>],
        )
        .execute(&mut *self.tx)
        .await?
        .rows_affected() as i64;
        Ok(())
    }

    fn columns(&self, map: &AnswerMap, into: &str) -> Result<Columns> {
        let (from, target) = (self.catalog.annotated_by_key(&map.attribute)?, self.catalog.annotated_by_key(into)?);
        let mut columns = Columns::default();
        for (old, new) in &map.answers {
            let unknown =
                |key: &str, entry: &str| Error::invalid("answers", format!("`{entry}` has no answer `{key}`"));
            let (answer, value) = from.columns(&Answer::from(old.as_str())).ok_or_else(|| unknown(old, from.key()))?;
            let (to_answer, to_value) =
                target.offered(&Answer::from(new.as_str())).map_err(|message| Error::invalid("answers", message))?;
            columns.from_answers.push(answer.to_owned());
            columns.from_values.push(value);
            columns.to_answers.push(to_answer.to_owned());
            columns.to_values.push(to_value);
        }
        if columns.from_answers.is_empty() {
            return Err(Error::invalid("answers", "say what at least one answer becomes"));
        }
        Ok(columns)
    }
}
