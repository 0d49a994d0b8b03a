//! Labels are written here: appended, and what they replace superseded.

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    catalog::Entry,
    error::{Error, Result},
    queue, slots,
};

/// One attribute's answer, checked and by ids.
pub(crate) struct NewLabel {
    pub(crate) attribute_id: i64,
    /// The columns `answer` and `value_id`.
    pub(crate) answer: &'static str,
    pub(crate) value_id: Option<i64>,
    pub(crate) note: String,
    pub(crate) duration_ms: Option<i32>,
    pub(crate) guideline_version_id: Option<i64>,
    pub(crate) suggestion: Option<Value>,
}

/// Where new labels belong.
pub(crate) struct Target {
    pub(crate) project_id: i64,
    pub(crate) photo_id: i64,
    pub(crate) annotator_id: i64,
    /// The column `source`.
    pub(crate) source: &'static str,
    /// The photo was given as gold: its labels are no votes.
    pub(crate) gold: bool,
}

impl Target {
    /// Whether a submission with this key has been stored before.
    pub(crate) async fn known(&self, connection: &mut PgConnection, key: Uuid) -> Result<bool> {
        let photo = sqlx::query_scalar!(
            "SELECT photo_id FROM labels WHERE annotator_id = $1 AND idempotency_key = $2 LIMIT 1",
            self.annotator_id,
            key,
        )
        .fetch_optional(connection)
        .await?;
        match photo {
            Some(photo) if photo != self.photo_id => {
                Err(Error::Conflict("this idempotency key has served for another photo: make a new one".to_owned()))
            }
            photo => Ok(photo.is_some()),
        }
    }

    /// Appends labels. An answer that stands already and that nobody gave again (it has no duration) stays as it is: how it
    /// came about is not forgotten.
    pub(crate) async fn append(&self, connection: &mut PgConnection, labels: &[NewLabel], key: Uuid) -> Result<()> {
        let standing = self.standing(connection).await?;
        let unchanged = |label: &&NewLabel| {
            label.duration_ms.is_none()
                && standing.get(&label.attribute_id).is_some_and(|(answer, value, note)| {
                    answer == label.answer && *value == label.value_id && *note == label.note
                })
        };
        let new: Vec<&NewLabel> = labels.iter().filter(|label| !unchanged(label)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let replaced = self.supersede(connection, &new).await?;
        self.insert(connection, &new, &replaced, key).await?;
        self.still_offered(connection, key).await
    }

    /// Refuses labels whose value or attribute has been retired since they were checked. The labels refer to the rows that a
    /// change of the schema locks: whoever gets here either comes before it or sees it.
    async fn still_offered(&self, connection: &mut PgConnection, key: Uuid) -> Result<()> {
        let retired = sqlx::query!(
            r#"SELECT a.key AS attribute, v.key AS "value?" FROM labels l
               JOIN attributes a ON a.id = l.attribute_id LEFT JOIN attribute_values v ON v.id = l.value_id
               WHERE l.annotator_id = $1 AND l.idempotency_key = $2
                 AND (a.retired_at IS NOT NULL OR v.retired_at IS NOT NULL)
               LIMIT 1"#,
            self.annotator_id,
            key,
        )
        .fetch_optional(connection)
        .await?;
        match retired {
            None => Ok(()),
            Some(row) => {
                let value = row.value.map_or_else(String::new, |value| format!("the value `{value}` of "));
                Err(Error::invalid("answers", format!("{value}`{}` has just been retired", row.attribute)))
            }
        }
    }

    /// The annotator's standing answers that no guideline has put in doubt.
    async fn standing(&self, connection: &mut PgConnection) -> Result<HashMap<i64, (String, Option<i64>, String)>> {
        let rows = sqlx::query!(
            "SELECT attribute_id, answer, value_id, note FROM labels l
             WHERE photo_id = $1 AND annotator_id = $2 AND superseded_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM label_doubts d WHERE d.label_id = l.id)",
            self.photo_id,
            self.annotator_id,
        )
        .fetch_all(connection)
        .await?;
        Ok(rows.into_iter().map(|row| (row.attribute_id, (row.answer, row.value_id, row.note))).collect())
    }

    /// Marks what the labels replace; its ids per attribute.
    async fn supersede(&self, connection: &mut PgConnection, labels: &[&NewLabel]) -> Result<HashMap<i64, i64>> {
        let attributes: Vec<i64> = labels.iter().map(|label| label.attribute_id).collect();
        let rows = sqlx::query!(
            "UPDATE labels SET superseded_at = now()
             WHERE photo_id = $1 AND annotator_id = $2 AND attribute_id = ANY($3) AND superseded_at IS NULL
             RETURNING id, attribute_id",
            self.photo_id,
            self.annotator_id,
            &attributes,
        )
        .fetch_all(connection)
        .await?;
        Ok(rows.into_iter().map(|row| (row.attribute_id, row.id)).collect())
    }

    async fn insert(
        &self,
        connection: &mut PgConnection,
        labels: &[&NewLabel],
        replaced: &HashMap<i64, i64>,
        key: Uuid,
    ) -> Result<()> {
        let attributes: Vec<i64> = labels.iter().map(|label| label.attribute_id).collect();
        let answers: Vec<String> = labels.iter().map(|label| label.answer.to_owned()).collect();
        let values: Vec<Option<i64>> = labels.iter().map(|label| label.value_id).collect();
        let notes: Vec<String> = labels.iter().map(|label| label.note.clone()).collect();
        let durations: Vec<Option<i32>> = labels.iter().map(|label| label.duration_ms).collect();
        let versions: Vec<Option<i64>> = labels.iter().map(|label| label.guideline_version_id).collect();
        let suggestions: Vec<Option<Value>> = labels.iter().map(|label| label.suggestion.clone()).collect();
        let replaced: Vec<Option<i64>> = attributes.iter().map(|id| replaced.get(id).copied()).collect();
        sqlx::query!(
            "INSERT INTO labels (project_id, photo_id, annotator_id, source, idempotency_key, attribute_id, answer,
                                 value_id, note, duration_ms, guideline_version_id, suggestion, supersedes, gold)
             SELECT $1, $2, $3, $4, $5, *, $14
             FROM unnest($6::bigint[], $7::text[], $8::bigint[], $9::text[], $10::integer[], $11::bigint[], $12::jsonb[],
                         $13::bigint[])",
            self.project_id,
            self.photo_id,
            self.annotator_id,
            self.source,
            key,
            &attributes,
            &answers,
            &values as &[Option<i64>],
            &notes,
            &durations as &[Option<i32>],
            &versions as &[Option<i64>],
            &suggestions as &[Option<Value>],
            &replaced as &[Option<i64>],
            self.gold,
        )
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// The version of an attribute's guideline that a page has shown; none if it showed none.
pub(crate) struct ShownVersion<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) version: Option<i32>,
}

/// The ids of versions, in their order.
///
/// # Errors
/// [`Error::Invalid`] of `answers` where an attribute has no such version.
pub(crate) async fn version_ids(connection: &mut PgConnection, shown: &[ShownVersion<'_>]) -> Result<Vec<Option<i64>>> {
    let attributes: Vec<i64> = shown.iter().map(|shown| shown.entry.id).collect();
    let versions: Vec<Option<i32>> = shown.iter().map(|shown| shown.version).collect();
    let ids = sqlx::query_scalar!(
        r#"SELECT g.id AS "id?"
           FROM unnest($1::bigint[], $2::integer[]) WITH ORDINALITY AS s (attribute_id, version, place)
           LEFT JOIN guideline_versions g ON g.attribute_id = s.attribute_id AND g.version = s.version
           ORDER BY s.place"#,
        &attributes,
        &versions as &[Option<i32>],
    )
    .fetch_all(connection)
    .await?;
    for (ShownVersion { entry, version }, id) in shown.iter().zip(&ids) {
        if let (Some(version), None) = (version, id) {
            return Err(Error::invalid("answers", format!("`{}` has no guideline version {version}", entry.key())));
        }
    }
    Ok(ids)
}

/// A claim whose photo has all of its answers.
pub(crate) struct Done {
    pub(crate) claim_id: i64,
    pub(crate) photo_id: i64,
    /// It had been given back before.
    pub(crate) released: bool,
}

/// Marks a claim's photo as done by its annotator; where the project asks for extra votes (`extra_votes`), its votes decide
/// whether it needs another one.
pub(crate) async fn finish(
    connection: &mut PgConnection,
    annotator_id: i64,
    done: Done,
    extra_votes: bool,
) -> Result<()> {
    // The claim itself, or, where it had been released, a later one of the same photo.
    let had = slots::finish(&mut *connection, done.photo_id, annotator_id).await?;
    if !had || extra_votes {
        slots::lock_tasks(&mut *connection, &[done.photo_id]).await?;
    }
    if !had && done.released {
        slots::retake_done(&mut *connection, done.claim_id, done.photo_id).await?;
    }
    if extra_votes {
        queue::settle(&mut *connection, &[done.photo_id]).await?;
    }
    Ok(())
}
