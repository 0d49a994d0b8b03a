//! The list of annotators.

use kenami_domain::view::report::{AnnotatorRow, Right};
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    db::Db,
    error::{Error, Result},
    quiz,
    rights::{self, Operation},
};

/// Everybody who labels in the project, imported names included, most photos first.
///
/// # Errors
/// Rights; the database.
pub async fn annotators(actor: &Actor, db: &Db, project: &str) -> Result<Vec<AnnotatorRow>> {
    let access = rights::require(actor, db, Operation::ReadReports, project).await?;
    rows(&mut *db.acquire().await?, access.project_id, None).await
}

/// Rows of the list: all, or the one of `only`.
pub(super) async fn rows(
    connection: &mut PgConnection,
    project_id: i64,
    only: Option<i64>,
) -> Result<Vec<AnnotatorRow>> {
    let rows = sqlx::query!(
        r#"SELECT a.id, a.name, m.role AS "role?", a.photos_done, a.paused_at, a.quiz_retries, p.quiz_repeats, p.quiz_length,
                  a.quiz_excused_at IS NOT NULL AS "excused!",
                  (SELECT max(c.done_at) FROM claims c
                   WHERE c.annotator_id = a.id AND c.done_at IS NOT NULL AND c.released_at IS NULL) AS last_at,
                  (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY s.ms::float8)
                   FROM (SELECT sum(l.duration_ms) AS ms FROM labels l
                         WHERE l.annotator_id = a.id AND l.superseded_at IS NULL AND l.duration_ms IS NOT NULL
                         GROUP BY l.photo_id) s) AS median_ms,
                  g.answers AS "answers!", g.correct AS "correct!",
                  (SELECT count(DISTINCT d.label_id) FROM annotator_doubts o JOIN doubted_labels d ON d.doubt_id = o.id
                   JOIN labels l ON l.id = d.label_id AND l.superseded_at IS NULL
                   WHERE o.annotator_id = a.id AND o.guideline_version_id IS NULL AND o.schema_change_id IS NULL) AS "doubted!"
           FROM annotators a JOIN projects p ON p.id = a.project_id
           LEFT JOIN memberships m ON m.project_id = a.project_id AND m.user_id = a.user_id
           CROSS JOIN LATERAL (
               SELECT count(*) AS answers,
                      count(*) FILTER (WHERE l.answer = r.answer AND l.value_id IS NOT DISTINCT FROM r.value_id) AS correct
               FROM labels l JOIN gold_answers r ON r.photo_id = l.photo_id AND r.attribute_id = l.attribute_id
                                                AND r.removed_at IS NULL
               WHERE l.annotator_id = a.id AND l.gold AND l.superseded_at IS NULL
           ) g
           WHERE a.project_id = $1 AND ($2::bigint IS NULL OR a.id = $2)
           ORDER BY a.photos_done DESC, a.name"#,
        project_id,
        only,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut annotators = Vec::with_capacity(rows.len());
    for row in rows {
        let results = quiz::results(&mut *connection, row.id).await?;
        let passed = row.excused || results.iter().any(|result| result.passed);
        let tries = results.len() as i64;
        annotators.push(AnnotatorRow {
            id: row.id,
            name: row.name,
            role: row.role.as_deref().map(str::parse).transpose().map_err(Error::internal)?,
            photos_done: row.photos_done,
            median_ms: row.median_ms,
            last_at: row.last_at,
            gold: Right { answers: row.answers, right: row.correct },
            quiz: results.into_iter().next_back(),
            quiz_excused: row.excused,
            quiz_waiting: !passed
                && row.quiz_length > 0
                && row.photos_done == 0
                && tries > 0
                && !row.quiz_repeats
                && tries > i64::from(row.quiz_retries),
            paused_at: row.paused_at,
            doubted: row.doubted,
        });
    }
    Ok(annotators)
}
