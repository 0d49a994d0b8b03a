//! Photos and attributes with their votes and decisions.

use std::collections::HashMap;

use kenami_domain::view::review::{Cause, Decision, Disagreement, Vote};
use sqlx::PgConnection;

use crate::{cards::Cards, catalog::Catalog, error::Result};

/// A photo and an attribute.
pub(super) type Pair = (i64, i64);

/// Loads what was said about each pair, in the order of `pairs`; `gold` adds what was answered without being a vote, since
/// the photo was given as gold.
pub(super) async fn disagreements(
    connection: &mut PgConnection,
    catalog: &Catalog,
    pairs: &[Pair],
    gold: bool,
) -> Result<Vec<Disagreement>> {
    let photos: Vec<i64> = pairs.iter().map(|(photo, _)| *photo).collect();
    let attributes: Vec<i64> = pairs.iter().map(|(_, attribute)| *attribute).collect();
    let cards = Cards::load(&mut *connection, &photos).await?;
    let mut votes = votes(connection, catalog, &photos, &attributes, gold).await?;
    let mut decisions = decisions(connection, catalog, &photos, &attributes).await?;
    let load = |pair: &Pair| {
        Ok(Disagreement {
            photo: cards.get(pair.0)?,
            attribute: catalog.by_id(pair.1)?.key().to_owned(),
            votes: votes.remove(pair).unwrap_or_default(),
            decision: decisions.remove(pair),
            opinion: None,
        })
    };
    pairs.iter().map(load).collect()
}

async fn votes(
    connection: &mut PgConnection,
    catalog: &Catalog,
    photos: &[i64],
    attributes: &[i64],
    gold: bool,
) -> Result<HashMap<Pair, Vec<Vote>>> {
    let rows = sqlx::query!(
        r#"SELECT l.photo_id, l.attribute_id, a.name AS annotator, l.answer, l.value_id, l.note,
                  g.version AS "guideline_version?", l.duration_ms, l.gold, l.created_at
           FROM unnest($1::bigint[], $2::bigint[]) AS w(photo_id, attribute_id)
           JOIN labels l ON l.photo_id = w.photo_id AND l.attribute_id = w.attribute_id AND l.superseded_at IS NULL
           JOIN annotators a ON a.id = l.annotator_id
           LEFT JOIN guideline_versions g ON g.id = l.guideline_version_id
           WHERE ($3 OR NOT l.gold) AND NOT EXISTS (SELECT 1 FROM doubted_labels d WHERE d.label_id = l.id)
           ORDER BY l.gold, l.created_at, l.id"#,
        photos,
        attributes,
        gold,
    )
    .fetch_all(connection)
    .await?;
    let mut votes: HashMap<Pair, Vec<Vote>> = HashMap::new();
    for row in rows {
        let vote = Vote {
            annotator: row.annotator,
            answer: catalog.by_id(row.attribute_id)?.answer(&row.answer, row.value_id)?,
            note: row.note,
            guideline_version: row.guideline_version,
            duration_ms: row.duration_ms,
            gold: row.gold,
            created_at: row.created_at,
        };
        votes.entry((row.photo_id, row.attribute_id)).or_default().push(vote);
    }
    Ok(votes)
}

async fn decisions(
    connection: &mut PgConnection,
    catalog: &Catalog,
    photos: &[i64],
    attributes: &[i64],
) -> Result<HashMap<Pair, Decision>> {
    let rows = sqlx::query!(
        "SELECT d.photo_id, d.attribute_id, d.answer, d.value_id, d.cause, d.reason, u.name AS reviewer, d.created_at
         FROM unnest($1::bigint[], $2::bigint[]) AS w(photo_id, attribute_id)
         JOIN adjudications d ON d.photo_id = w.photo_id AND d.attribute_id = w.attribute_id AND d.superseded_at IS NULL
         JOIN users u ON u.id = d.reviewer_id",
        photos,
        attributes,
    )
    .fetch_all(connection)
    .await?;
    let mut decisions = HashMap::new();
    for row in rows {
        let decision = Decision {
            answer: catalog.by_id(row.attribute_id)?.answer(&row.answer, row.value_id)?,
            cause: row.cause.parse::<Cause>().unwrap_or(Cause::Other),
            reason: row.reason,
            reviewer: row.reviewer,
            created_at: row.created_at,
        };
        decisions.insert((row.photo_id, row.attribute_id), decision);
    }
    Ok(decisions)
}
