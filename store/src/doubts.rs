//! Labels that a publication or a split puts in doubt: they are kept, and no votes until they are given again. Nothing is
//! held against their annotators; what a lead doubts of one is in [`crate::oversight`].

use kenami_domain::view::guidelines::Requeue;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{error::Result, queue, rights::Access, slots};

/// What puts labels in doubt.
#[derive(Clone, Copy)]
pub(crate) enum Reason {
    /// The publication of a guideline's version.
    Version(i64),
    /// A change that split their value.
    Change(i64),
}

impl Reason {
    /// The columns `guideline_version_id` and `schema_change_id`.
    fn columns(self) -> (Option<i64>, Option<i64>) {
        match self {
            Self::Version(id) => (Some(id), None),
            Self::Change(id) => (None, Some(id)),
        }
    }
}

/// A label in doubt.
pub(crate) struct Doubted {
    pub(crate) photo_id: i64,
    pub(crate) annotator_id: i64,
    /// The annotator can still answer.
    pub(crate) here: bool,
}

/// Puts labels of an attribute in doubt; in the order of photos, who gave them. `since` is kept where a moment chose them.
pub(crate) async fn raise(
    connection: &mut PgConnection,
    access: &Access,
    attribute_id: i64,
    labels: &[i64],
    since: Option<OffsetDateTime>,
    reason: Reason,
) -> Result<Vec<Doubted>> {
    let (version, change) = reason.columns();
    sqlx::query!(
        "WITH meant AS MATERIALIZED (
             SELECT id, annotator_id FROM labels WHERE id = ANY($4)
         ), doubts AS (
             INSERT INTO annotator_doubts (project_id, annotator_id, attribute_id, since, labels, photos, created_by,
                                           guideline_version_id, schema_change_id)
             SELECT $1, annotator_id, $2, $3, count(*), count(*), $5, $6, $7 FROM meant GROUP BY annotator_id
             RETURNING id, annotator_id
         ), marked AS (
             INSERT INTO doubted_labels (label_id, doubt_id)
             SELECT m.id, d.id FROM meant m JOIN doubts d ON d.annotator_id = m.annotator_id
         )
         INSERT INTO label_doubts (label_id, guideline_version_id, schema_change_id) SELECT id, $6, $7 FROM meant
         ON CONFLICT (label_id) DO UPDATE SET
             guideline_version_id = coalesce(EXCLUDED.guideline_version_id, label_doubts.guideline_version_id),
             -- the oldest: changes are undone from the newest on
             schema_change_id = coalesce(label_doubts.schema_change_id, EXCLUDED.schema_change_id)",
        access.project_id,
        attribute_id,
        since,
        labels,
        access.user_id,
        version,
        change,
    )
    .execute(&mut *connection)
    .await?;
    Ok(sqlx::query_as!(
        Doubted,
        r#"SELECT l.photo_id, l.annotator_id,
                  EXISTS (SELECT 1 FROM able_annotators w WHERE w.annotator_id = l.annotator_id) AS "here!"
           FROM labels l WHERE l.id = ANY($1) ORDER BY l.photo_id, l.annotator_id"#,
        labels,
    )
    .fetch_all(connection)
    .await?)
}

/// Sends the photos of labels in doubt back: to those who gave them as far as `to` says so and they can answer, else to
/// others. How many photos. The caller has locked all annotators of the project, and counts them anew.
pub(crate) async fn send_back(connection: &mut PgConnection, doubted: &[Doubted], to: Requeue) -> Result<i64> {
    let (same, others): (Vec<&Doubted>, Vec<&Doubted>) =
        doubted.iter().partition(|vote| vote.here && to == Requeue::Same);
    let pairs = |votes: &[&Doubted]| -> (Vec<i64>, Vec<i64>) {
        votes.iter().map(|vote| (vote.annotator_id, vote.photo_id)).unzip()
    };
    let (annotators, photos) = pairs(&same);
    slots::return_each(&mut *connection, &annotators, &photos).await?;
    let (annotators, photos) = pairs(&others);
    slots::leave_each(&mut *connection, &annotators, &photos).await?;
    let mut photos: Vec<i64> = doubted.iter().map(|vote| vote.photo_id).collect();
    photos.dedup();
    slots::lock_tasks(&mut *connection, &photos).await?;
    queue::settle(&mut *connection, &photos).await?;
    Ok(photos.len() as i64)
}
