//! How far the project is, and for how long it goes on.

use std::sync::Arc;

use kenami_domain::view::report::{AttributeProgress, DayCount, ProgressReport, ValueProgress};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::{
    actor::Actor,
    counts::{Count, Counts},
    db::Db,
    error::Result,
    rights::{self, Operation},
};

/// How far the project is, per attribute and per value of the first given attribute (breeds), and the speed of the last 24
/// hours. In a large project the figures are counted beside the requests and are up to 50 times as old as counting takes.
///
/// # Errors
/// Rights; the database.
pub async fn progress(actor: &Actor, db: &Db, project: &str) -> Result<ProgressReport> {
    let access = rights::require(actor, db, Operation::ReadReports, project).await?;
    let counted = REPORTS.get(db, access.project_id, count).await?;
    Ok((*counted.0).clone())
}

static REPORTS: Counts<Counted> = Counts::new(50);

#[derive(Debug, Clone)]
struct Counted(Arc<ProgressReport>);

impl Count for Counted {
    fn rows(&self) -> i64 {
        self.0.photos
    }
}

async fn count(db: Db, project_id: i64) -> Result<Counted> {
    let mut tx = db.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let mut report = photos(&mut tx, project_id).await?;
    (report.active, report.median_ms) = speed(&mut tx, project_id).await?;
    report.attributes = attributes(&mut tx, project_id).await?;
    report.given = sqlx::query_scalar!(
        "SELECT key FROM attributes WHERE project_id = $1 AND kind = 'given' AND retired_at IS NULL
         ORDER BY position, id LIMIT 1",
        project_id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    report.values = values(&mut tx, project_id).await?;
    report.days = days(&mut tx, project_id).await?;
    report.counted_at = Some(OffsetDateTime::now_utc());
    Ok(Counted(Arc::new(report)))
}

/// Photos and votes. What is held counts as left.
async fn photos(connection: &mut PgConnection, project_id: i64) -> Result<ProgressReport> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "photos!",
                  count(*) FILTER (WHERE t.taken - coalesce(h.held, 0) >= t.needed) AS "photos_done!",
                  coalesce(sum(greatest(t.needed - t.taken + coalesce(h.held, 0), 0)), 0)::bigint AS "votes_left!",
                  (SELECT coalesce(sum(photos_done - photos_outside), 0)::bigint FROM annotators
                   WHERE project_id = $1) AS "votes_done!"
           FROM tasks t LEFT JOIN (SELECT photo_id, count(*) AS held FROM claims
                                   WHERE project_id = $1 AND released_at IS NULL AND done_at IS NULL AND slot IS NOT NULL
                                   GROUP BY photo_id) h ON h.photo_id = t.photo_id
           WHERE t.project_id = $1"#,
        project_id,
    )
    .fetch_one(connection)
    .await?;
    Ok(ProgressReport {
        photos: row.photos,
        photos_done: row.photos_done,
        votes_done: row.votes_done,
        votes_left: row.votes_left,
        ..ProgressReport::default()
    })
}

/// Annotators who finished a photo in the last 24 hours, and the median time of the photos answered then.
async fn speed(connection: &mut PgConnection, project_id: i64) -> Result<(i64, Option<f64>)> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM annotators a
                   WHERE a.project_id = $1
                     AND EXISTS (SELECT 1 FROM claims c WHERE c.annotator_id = a.id AND c.done_at > now() - interval '1 day'
                                                          AND c.released_at IS NULL)) AS "active!",
                  (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s.ms::float8)
                   FROM (SELECT sum(l.duration_ms) AS ms FROM annotators a JOIN labels l ON l.annotator_id = a.id
                         WHERE a.project_id = $1 AND l.created_at > now() - interval '1 day' AND l.source <> 'import'
                           AND l.duration_ms IS NOT NULL
                         GROUP BY l.annotator_id, l.photo_id) s) AS median_ms"#,
        project_id,
    )
    .fetch_one(connection)
    .await?;
    Ok((row.active, row.median_ms))
}

/// Along the index of standing labels.
async fn attributes(connection: &mut PgConnection, project_id: i64) -> Result<Vec<AttributeProgress>> {
    Ok(sqlx::query_as!(
        AttributeProgress,
        r#"SELECT a.key AS attribute, coalesce(v.given, 0) AS "values!", coalesce(v.not_visible, 0) AS "not_visible!",
                  coalesce(v.unsure, 0) AS "unsure!"
           FROM attributes a
           LEFT JOIN (SELECT l.attribute_id, count(*) FILTER (WHERE l.answer = 'value') AS given,
                             count(*) FILTER (WHERE l.answer = 'not_visible') AS not_visible,
                             count(*) FILTER (WHERE l.answer = 'unsure') AS unsure
                      FROM labels l
                      WHERE l.project_id = $1 AND l.superseded_at IS NULL AND NOT l.gold
                        AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
                      GROUP BY l.attribute_id) v ON v.attribute_id = a.id
           WHERE a.project_id = $1 AND a.kind = 'annotated' AND a.retired_at IS NULL ORDER BY a.position, a.id"#,
        project_id,
    )
    .fetch_all(connection)
    .await?)
}

async fn values(connection: &mut PgConnection, project_id: i64) -> Result<Vec<ValueProgress>> {
    Ok(sqlx::query_as!(
        ValueProgress,
        r#"SELECT v.key AS value, n.photos AS "photos!", n.photos_done AS "photos_done!", n.votes_left AS "votes_left!"
           FROM (SELECT pv.value_id, count(*) AS photos,
                        count(*) FILTER (WHERE t.taken - coalesce(h.held, 0) >= t.needed) AS photos_done,
                        sum(greatest(t.needed - t.taken + coalesce(h.held, 0), 0))::bigint AS votes_left
                 FROM tasks t
                 LEFT JOIN (SELECT photo_id, count(*) AS held FROM claims
                            WHERE project_id = $1 AND released_at IS NULL AND done_at IS NULL AND slot IS NOT NULL
                            GROUP BY photo_id) h ON h.photo_id = t.photo_id
                 JOIN photo_values pv ON pv.photo_id = t.photo_id
                      AND pv.attribute_id = (SELECT id FROM attributes
                                             WHERE project_id = $1 AND kind = 'given' AND retired_at IS NULL
                                             ORDER BY position, id LIMIT 1)
                 WHERE t.project_id = $1 GROUP BY pv.value_id) n
           JOIN attribute_values v ON v.id = n.value_id ORDER BY v.position, v.id"#,
        project_id,
    )
    .fetch_all(connection)
    .await?)
}

async fn days(connection: &mut PgConnection, project_id: i64) -> Result<Vec<DayCount>> {
    Ok(sqlx::query_as!(
        DayCount,
        r#"SELECT to_char(c.done_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS "day!", count(*) AS "photos!"
           FROM annotators a JOIN claims c ON c.annotator_id = a.id
           WHERE a.project_id = $1 AND c.done_at > now() - interval '30 days' AND c.released_at IS NULL
             AND c.slot IS NOT NULL
           GROUP BY 1 ORDER BY 1"#,
        project_id,
    )
    .fetch_all(connection)
    .await?)
}
