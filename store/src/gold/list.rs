//! What is gold.

use kenami_domain::view::{
    Page,
    gold::{GoldAnswer, GoldSummary},
};

use crate::{
    actor::Actor,
    cards::Cards,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// The most answers of one page.
const MOST: usize = 200;

/// Gold answers, newest first; `cursor` is the last page's, `limit` from 1 to 200.
///
/// # Errors
/// Rights; the database.
pub async fn list(
    actor: &Actor,
    db: &Db,
    project: &str,
    cursor: Option<i64>,
    limit: usize,
) -> Result<Page<GoldAnswer>> {
    let access = rights::require(actor, db, Operation::ManageGold, project).await?;
    let limit = limit.clamp(1, MOST);
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, access.project_id).await?;
    let rows = sqlx::query!(
        r#"SELECT g.id, g.photo_id, g.attribute_id, g.answer, g.value_id, g.explanation, u.name, g.created_at,
                  l.answers AS "answers!", l.correct AS "correct!"
           FROM gold_answers g JOIN users u ON u.id = g.created_by
           CROSS JOIN LATERAL (
               SELECT count(*) AS answers,
                      count(*) FILTER (WHERE l.answer = g.answer AND l.value_id IS NOT DISTINCT FROM g.value_id) AS correct
               FROM labels l
               WHERE l.photo_id = g.photo_id AND l.attribute_id = g.attribute_id AND l.superseded_at IS NULL AND l.gold
           ) l
           WHERE g.project_id = $1 AND g.removed_at IS NULL AND ($2::bigint IS NULL OR g.id < $2)
           ORDER BY g.id DESC LIMIT $3"#,
        access.project_id,
        cursor,
        i64::try_from(limit + 1).map_err(Error::internal)?,
    )
    .fetch_all(&mut *connection)
    .await?;
    let photos: Vec<i64> = rows.iter().map(|row| row.photo_id).collect();
    let cards = Cards::load(&mut *connection, &photos).await?;
    let answers = rows.into_iter().map(|row| {
        let entry = catalog.by_id(row.attribute_id)?;
        Ok(GoldAnswer {
            id: row.id,
            photo: cards.get(row.photo_id)?,
            attribute: entry.key().to_owned(),
            answer: entry.answer(&row.answer, row.value_id)?,
            explanation: row.explanation,
            by: row.name,
            created_at: row.created_at,
            answers: row.answers,
            right: row.correct,
        })
    });
    Ok(Page::from_rows(answers.collect::<Result<_>>()?, limit, |answer: &GoldAnswer| answer.id))
}

/// What there is of gold, and what could be.
///
/// # Errors
/// Rights; the database.
pub async fn summary(actor: &Actor, db: &Db, project: &str) -> Result<GoldSummary> {
    let access = rights::require(actor, db, Operation::ManageGold, project).await?;
    Ok(sqlx::query_as!(
        GoldSummary,
        r#"SELECT (SELECT count(DISTINCT photo_id) FROM gold_answers WHERE project_id = $1 AND removed_at IS NULL) AS "photos!",
                  (SELECT count(*) FROM gold_answers WHERE project_id = $1 AND removed_at IS NULL) AS "answers!",
                  (SELECT count(DISTINCT d.photo_id) FROM adjudications d
                   JOIN attributes a ON a.id = d.attribute_id AND a.kind = 'annotated' AND a.retired_at IS NULL
                   WHERE d.project_id = $1 AND d.superseded_at IS NULL AND d.answer <> 'unsure'
                     AND NOT EXISTS (SELECT 1 FROM gold_answers g WHERE g.photo_id = d.photo_id
                                     AND g.attribute_id = d.attribute_id AND g.removed_at IS NULL)) AS "decided!""#,
        access.project_id,
    )
    .fetch_one(db)
    .await?)
}
