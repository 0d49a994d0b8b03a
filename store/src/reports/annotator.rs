//! All about one annotator.

use kenami_domain::view::report::{AnnotatorReport, DayCount, DoubtRow, Speed};
use sqlx::{PgConnection, PgExecutor};

use super::{annotators, attributes};
use crate::{
    actor::Actor,
    annotate,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    quiz,
    rights::{self, Operation},
};

/// The report of an annotator.
///
/// # Errors
/// [`Error::NotFound`] for an unknown annotator; rights; the database.
pub async fn annotator(actor: &Actor, db: &Db, project: &str, annotator_id: i64) -> Result<AnnotatorReport> {
    let access = rights::require(actor, db, Operation::ReadReports, project).await?;
    report(db, access.project_id, annotator_id).await
}

/// The acting user's own report; none for somebody who has not begun.
///
/// # Errors
/// Rights; the database.
pub async fn mine(actor: &Actor, db: &Db, project: &str) -> Result<Option<AnnotatorReport>> {
    let access = rights::require(actor, db, Operation::Annotate, project).await?;
    let mut connection = db.acquire().await?;
    let annotator_id = annotate::annotator(&mut connection, &access).await?;
    drop(connection);
    match annotator_id {
        Some(id) => report(db, access.project_id, id).await.map(Some),
        None => Ok(None),
    }
}

async fn report(db: &Db, project_id: i64, annotator_id: i64) -> Result<AnnotatorReport> {
    // One snapshot: the figures of a page fit together.
    let mut tx = db.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let rows = annotators::rows(&mut tx, project_id, Some(annotator_id)).await?;
    let annotator = rows.into_iter().next().ok_or(Error::NotFound("annotator"))?;
    let catalog = Catalog::load(&mut *tx, project_id).await?;
    Ok(AnnotatorReport {
        annotator,
        speed: speed(&mut tx, annotator_id).await?,
        attributes: attributes::of(&mut tx, &catalog, annotator_id).await?,
        quizzes: quiz::results(&mut *tx, annotator_id).await?,
        doubts: doubts(&mut *tx, &catalog, annotator_id).await?,
    })
}

async fn speed(connection: &mut PgConnection, annotator_id: i64) -> Result<Speed> {
    let quartiles = sqlx::query!(
        r#"SELECT count(*) AS "photos!", percentile_cont(ARRAY[0.25, 0.5, 0.75]) WITHIN GROUP (ORDER BY s.ms::float8) AS parts
           FROM (SELECT sum(duration_ms) AS ms FROM labels
                 WHERE annotator_id = $1 AND superseded_at IS NULL AND duration_ms IS NOT NULL GROUP BY photo_id) s"#,
        annotator_id,
    )
    .fetch_one(&mut *connection)
    .await?;
    let parts = quartiles.parts.unwrap_or_default();
    let days = sqlx::query_as!(
        DayCount,
        r#"SELECT to_char(done_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "day!", count(*) AS "photos!" FROM claims
           WHERE annotator_id = $1 AND done_at > now() - interval '30 days' AND released_at IS NULL
           GROUP BY 1 ORDER BY 1"#,
        annotator_id,
    )
    .fetch_all(connection)
    .await?;
    let part = |at: usize| parts.get(at).copied();
    Ok(Speed { photos: quartiles.photos, lower_ms: part(0), median_ms: part(1), upper_ms: part(2), days })
}

async fn doubts(db: impl PgExecutor<'_>, catalog: &Catalog, annotator_id: i64) -> Result<Vec<DoubtRow>> {
    let rows = sqlx::query!(
        "SELECT d.id, d.attribute_id, d.since, d.reason, d.labels, d.photos, u.name, d.created_at, d.undone_at
         FROM annotator_doubts d JOIN users u ON u.id = d.created_by
         WHERE d.annotator_id = $1 AND d.guideline_version_id IS NULL AND d.schema_change_id IS NULL ORDER BY d.id DESC",
        annotator_id,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let attribute =
                row.attribute_id.map(|id| Ok::<_, Error>(catalog.by_id(id)?.key().to_owned())).transpose()?;
            Ok(DoubtRow {
                id: row.id,
                attribute,
                since: row.since,
                reason: row.reason,
                labels: row.labels,
                photos: row.photos,
                by: row.name,
                created_at: row.created_at,
                undone_at: row.undone_at,
            })
        })
        .collect()
}
