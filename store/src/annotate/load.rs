//! Claimed photos with the answers that stand.

use std::collections::{BTreeMap, HashMap};

use kenami_domain::view::annotate::{ClaimedPhoto, GivenAnswer};
use sqlx::PgConnection;

use crate::{
    cards::Cards,
    catalog::Catalog,
    error::{Error, Result},
    suggestions::shown,
};

/// Loads one annotator's claims, in the order of `claim_ids`.
pub(super) async fn claimed_photos(
    connection: &mut PgConnection,
    project_id: i64,
    claim_ids: &[i64],
) -> Result<Vec<ClaimedPhoto>> {
    if claim_ids.is_empty() {
        return Ok(Vec::new());
    }
    let claims = sqlx::query!(
        "SELECT c.id, c.photo_id, c.annotator_id, c.expires_at
         FROM unnest($1::bigint[]) WITH ORDINALITY AS wanted(id, place) JOIN claims c ON c.id = wanted.id
         ORDER BY wanted.place",
        claim_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let photo_ids: Vec<i64> = claims.iter().map(|claim| claim.photo_id).collect();
    let cards = Cards::load(&mut *connection, &photo_ids).await?;
    let catalog = Catalog::load(&mut *connection, project_id).await?;
    let suggestions = match claims.first() {
        Some(claim) => shown::of_photos(&mut *connection, project_id, claim.annotator_id, &photo_ids, &catalog).await?,
        None => HashMap::new(),
    };
    let labels = sqlx::query!(
        r#"SELECT c.id AS claim_id, l.attribute_id, l.answer, l.value_id, l.note, d.label_id IS NOT NULL AS "in_doubt!"
           FROM claims c
           JOIN labels l ON l.photo_id = c.photo_id AND l.annotator_id = c.annotator_id AND l.superseded_at IS NULL
           LEFT JOIN label_doubts d ON d.label_id = l.id
           WHERE c.id = ANY($1)"#,
        claim_ids,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut answers: HashMap<i64, BTreeMap<String, GivenAnswer>> = HashMap::new();
    let mut in_doubt: HashMap<i64, Vec<String>> = HashMap::new();
    for label in labels {
        let entry = catalog.by_id(label.attribute_id)?;
        if entry.retired {
            continue;
        }
        let answer = entry.answer(&label.answer, label.value_id)?;
        answers
            .entry(label.claim_id)
            .or_default()
            .insert(entry.key().to_owned(), GivenAnswer { answer, note: label.note });
        if label.in_doubt {
            in_doubt.entry(label.claim_id).or_default().push(entry.key().to_owned());
        }
    }
    claims
        .into_iter()
        .map(|claim| {
            let mut in_doubt = in_doubt.remove(&claim.id).unwrap_or_default();
            in_doubt.sort();
            Ok(ClaimedPhoto {
                claim_id: claim.id,
                photo: cards.get(claim.photo_id)?,
                expires_at: claim.expires_at,
                answers: answers.remove(&claim.id).unwrap_or_default(),
                in_doubt,
                suggestions: suggestions.get(&claim.photo_id).cloned().unwrap_or_default(),
            })
        })
        .collect()
}

/// Loads one claim.
pub(super) async fn claimed_photo(
    connection: &mut PgConnection,
    project_id: i64,
    claim_id: i64,
) -> Result<ClaimedPhoto> {
    claimed_photos(connection, project_id, &[claim_id]).await?.pop().ok_or(Error::NotFound("claim"))
}
