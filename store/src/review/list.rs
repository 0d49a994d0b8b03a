//! Finding disagreements.

use kenami_domain::{
    answer::{Answer, UNSURE},
    view::{
        Page,
        review::{Disagreement, DisagreementFilter, QueueCause},
    },
};
use sqlx::PgConnection;

use super::{labelled_photo, load};
use crate::{
    actor::Actor,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
    runs::unseen,
};

/// A page's cursor is photo id * STRIDE + the attribute's place: pages go on in the middle of a photo, too.
const STRIDE: i64 = 4096;
/// The most disagreements of one page.
const MOST: usize = 200;

/// Photos and attributes of one queue; `limit` from 1 to 200. Where votes differ or an annotator is unsure, by photo id, then
/// in the attributes' order; suspects, as they were last found, the worst first.
///
/// With a pair of two different answers, both occur among the votes; a pair of the same answer twice lists all photos
/// with that answer, whether the votes differ or not (all that are unsure, say).
///
/// # Errors
/// [`Error::NotFound`] for an unknown attribute; rights; the database.
pub async fn disagreements(
    actor: &Actor,
    db: &Db,
    project: &str,
    filter: &DisagreementFilter,
    limit: usize,
) -> Result<Page<Disagreement>> {
    let access = rights::require(actor, db, Operation::ReadDisagreements, project).await?;
    let limit = limit.clamp(1, MOST);
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, access.project_id).await?;
    let found = match filter.cause {
        QueueCause::Uncertain | QueueCause::Model => {
            suspected(&mut connection, access.project_id, &catalog, filter, limit + 1).await?
        }
        QueueCause::Differ => {
            let pair = filter.pair.as_ref().map(|(a, b)| (a.as_str(), b.as_str()));
            find(&mut connection, access.project_id, &catalog, filter, pair, limit + 1).await?
        }
        QueueCause::Unsure => {
            let pair = Some((UNSURE, UNSURE));
            find(&mut connection, access.project_id, &catalog, filter, pair, limit + 1).await?
        }
        QueueCause::Gold => failed_gold(&mut connection, access.project_id, &catalog, filter, limit + 1).await?,
    };
    let gold = filter.cause == QueueCause::Gold;
    let page = Page::from_rows(found, limit, |found| found.cursor);
    let pairs: Vec<load::Pair> = page.items.iter().map(|found| found.pair).collect();
    let items = load::disagreements(&mut connection, &catalog, &pairs, gold).await?;
    Ok(Page { items, next_cursor: page.next_cursor })
}

/// A disagreement that was found, and how to go on after it.
struct Found {
    pair: load::Pair,
    cursor: i64,
}

/// One side of a pair of answers: as it stands in the columns of labels.
struct Side {
    answer: Option<&'static str>,
    value_ids: Vec<i64>,
}

impl Side {
    fn new(catalog: &Catalog, key: &str) -> Self {
        match Answer::from(key) {
            Answer::NotVisible => Self { answer: Some("not_visible"), value_ids: Vec::new() },
            Answer::Unsure => Self { answer: Some("unsure"), value_ids: Vec::new() },
            Answer::Value(key) => {
                let value_ids = catalog.annotated().filter_map(|entry| entry.value_id(&key)).collect();
                Self { answer: None, value_ids }
            }
        }
    }
}

async fn find(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    filter: &DisagreementFilter,
    pair: Option<(&str, &str)>,
    rows: usize,
) -> Result<Vec<Found>> {
    let attributes: Vec<i64> = catalog.annotated().map(|entry| entry.id).collect();
    let only = filter.attribute.as_deref().map(|key| catalog.annotated_by_key(key)).transpose()?.map(|entry| entry.id);
    let (a, b) = match pair {
        Some((a, b)) => (Some(Side::new(catalog, a)), Some(Side::new(catalog, b))),
        None => (None, None),
    };
    let values = |side: &Option<Side>| side.as_ref().map(|side| side.value_ids.clone()).unwrap_or_default();
    // Photos in the order of ids, each with its labels through the index of standing labels: a page stops early.
    let found = sqlx::query!(
        r#"SELECT p.id AS photo_id, d.attribute_id, p.id * $11 + d.place AS "cursor!"
           FROM photos p CROSS JOIN LATERAL (
               SELECT l.attribute_id, array_position($2::bigint[], l.attribute_id) AS place
               FROM labels l
               WHERE l.photo_id = p.id AND l.superseded_at IS NULL AND NOT l.gold
                 AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
                 AND l.attribute_id = ANY($2) AND ($3::bigint IS NULL OR l.attribute_id = $3)
               GROUP BY l.attribute_id
               HAVING CASE WHEN $4 THEN bool_or(l.answer = $5 OR l.value_id = ANY($6))
                                    AND bool_or(l.answer = $7 OR l.value_id = ANY($8))
                           ELSE count(DISTINCT (l.answer, l.value_id)) > 1 END
           ) d
           WHERE p.project_id = $1 AND p.duplicate_of IS NULL
             AND p.id >= $9 / $11 AND p.id * $11 + d.place > $9
             AND ($10 OR NOT EXISTS (SELECT 1 FROM adjudications x WHERE x.photo_id = p.id
                                     AND x.attribute_id = d.attribute_id AND x.superseded_at IS NULL))
           ORDER BY p.id, d.place
           LIMIT $12"#,
        project_id,
        &attributes,
        only,
        a.is_some(),
        a.as_ref().and_then(|side| side.answer),
        &values(&a),
        b.as_ref().and_then(|side| side.answer),
        &values(&b),
        filter.cursor.unwrap_or(0),
        filter.decided,
        STRIDE,
        i64::try_from(rows).map_err(Error::internal)?,
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|row| Found { pair: (row.photo_id, row.attribute_id), cursor: row.cursor }).collect())
}

/// Gold answers that an annotator has missed since they were last decided (whenever, with `decided`), by photo.
async fn failed_gold(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    filter: &DisagreementFilter,
    rows: usize,
) -> Result<Vec<Found>> {
    let attributes: Vec<i64> = catalog.annotated().map(|entry| entry.id).collect();
    let only = filter.attribute.as_deref().map(|key| catalog.annotated_by_key(key)).transpose()?.map(|entry| entry.id);
    let found = sqlx::query!(
        r#"SELECT g.photo_id, g.attribute_id, g.photo_id * $6 + array_position($2::bigint[], g.attribute_id) AS "cursor!"
           FROM gold_answers g
           LEFT JOIN adjudications x ON x.photo_id = g.photo_id AND x.attribute_id = g.attribute_id
                                        AND x.superseded_at IS NULL
           WHERE g.project_id = $1 AND g.removed_at IS NULL AND g.attribute_id = ANY($2)
             AND ($3::bigint IS NULL OR g.attribute_id = $3)
             AND g.photo_id * $6 + array_position($2::bigint[], g.attribute_id) > $4
             AND EXISTS (SELECT 1 FROM labels l
                         WHERE l.photo_id = g.photo_id AND l.attribute_id = g.attribute_id
                           AND l.superseded_at IS NULL AND l.gold
                           AND (l.answer, l.value_id) IS DISTINCT FROM (g.answer, g.value_id)
                           AND ($5 OR x.created_at IS NULL OR l.created_at > x.created_at)
                           AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id))
           ORDER BY 3 LIMIT $7"#,
        project_id,
        &attributes,
        only,
        filter.cursor.unwrap_or(0),
        filter.decided,
        STRIDE,
        i64::try_from(rows).map_err(Error::internal)?,
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|row| Found { pair: (row.photo_id, row.attribute_id), cursor: row.cursor }).collect())
}

/// The suspects of a queue; the cursor names the last one of the page before.
async fn suspected(
    connection: &mut PgConnection,
    project_id: i64,
    catalog: &Catalog,
    filter: &DisagreementFilter,
    rows: usize,
) -> Result<Vec<Found>> {
    let attributes: Vec<i64> = catalog.annotated().map(|entry| entry.id).collect();
    let only = filter.attribute.as_deref().map(|key| catalog.annotated_by_key(key)).transpose()?.map(|entry| entry.id);
    let last = filter.cursor.map(|cursor| (cursor / STRIDE, cursor % STRIDE));
    let last_attribute = last.and_then(|(_, place)| attributes.get(usize::try_from(place - 1).ok()?).copied());
    let found = sqlx::query!(
        r#"SELECT s.photo_id, s.attribute_id, s.photo_id * $8 + array_position($2::bigint[], s.attribute_id) AS "cursor!"
           FROM review_suspects s
           LEFT JOIN review_suspects last
               ON last.project_id = $1 AND last.cause = $3 AND last.photo_id = $5 AND last.attribute_id = $6
           WHERE s.project_id = $1 AND s.cause = $3 AND s.attribute_id = ANY($2)
             AND ($4::bigint IS NULL OR s.attribute_id = $4)
             AND (last.score IS NULL
                  OR (s.score, s.photo_id, s.attribute_id) < (last.score, last.photo_id, last.attribute_id))
             AND ($7 OR NOT EXISTS (SELECT 1 FROM adjudications x WHERE x.photo_id = s.photo_id
                                    AND x.attribute_id = s.attribute_id AND x.superseded_at IS NULL))
           ORDER BY s.score DESC, s.photo_id DESC, s.attribute_id DESC
           LIMIT $9"#,
        project_id,
        &attributes,
        filter.cause.as_str(),
        only,
        last.map(|(photo, _)| photo),
        last_attribute,
        filter.decided,
        STRIDE,
        i64::try_from(rows).map_err(Error::internal)?,
    )
    .fetch_all(connection)
    .await?;
    Ok(found.into_iter().map(|row| Found { pair: (row.photo_id, row.attribute_id), cursor: row.cursor }).collect())
}

/// One photo and attribute with its votes and decision, whether the votes differ or not. An exact duplicate stands for
/// its original.
///
/// # Errors
/// [`Error::NotFound`] for an unknown photo or attribute; rights; the database.
pub async fn disagreement(
    actor: &Actor,
    db: &Db,
    project: &str,
    photo_id: i64,
    attribute: &str,
) -> Result<Disagreement> {
    let access = rights::require(actor, db, Operation::ReadDisagreements, project).await?;
    let mut connection = db.acquire().await?;
    let catalog = Catalog::load(&mut *connection, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let photo_id = labelled_photo(&mut *connection, access.project_id, photo_id).await?;
    let loaded = load::disagreements(&mut connection, &catalog, &[(photo_id, entry.id)], true).await?;
    let mut one = loaded.into_iter().next().ok_or(Error::NotFound("photo"))?;
    if let Some(run_id) = unseen::latest_run(&mut connection, access.project_id).await? {
        one.opinion = unseen::opinion(&mut connection, run_id, photo_id, entry.id).await?;
    }
    Ok(one)
}
