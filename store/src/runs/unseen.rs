//! What models say of photos that they have not seen.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use kenami_domain::{csvio::Probabilities, metrics::Overlays, view::review::Opinion};
use sqlx::{PgConnection, types::Json};

use crate::{catalog::Catalog, error::Result};

/// A run's predictions by models that have not seen the photos: those of its folds, and its own for photos that it was not
/// trained on. What a model says of its training photos is no second opinion. `item` names a photo by its id; photos that it
/// does not know are left out.
pub(crate) async fn probabilities<'a>(
    connection: &mut PgConnection,
    run_id: i64,
    catalog: &Catalog,
    mut item: impl FnMut(i64) -> Option<&'a str>,
) -> Result<Probabilities> {
    let mut rows = sqlx::query!(
        r#"SELECT r.photo_id, r.attribute_id,
                  coalesce(r.held_out, r.distribution) AS "distribution!: Json<BTreeMap<String, f64>>"
           FROM run_predictions r
           JOIN runs n ON n.id = r.run_id
           JOIN dataset_items i ON i.dataset_id = n.dataset_id AND i.photo_id = r.photo_id
           WHERE r.run_id = $1 AND (r.held_out IS NOT NULL OR i.item ->> 'split' <> 'train')
           ORDER BY r.photo_id, r.attribute_id"#,
        run_id,
    )
    .fetch(connection);
    let mut probabilities = Probabilities::new();
    while let Some(row) = rows.try_next().await? {
        let Some(name) = item(row.photo_id) else { continue };
        let entry = catalog.by_id(row.attribute_id)?;
        for (answer, probability) in &row.distribution.0 {
            probabilities.push(name, entry.key(), answer, *probability);
        }
    }
    Ok(probabilities)
}

/// What such models say of one photo and attribute; none where the run has not predicted it unseen.
pub(crate) async fn opinion(
    connection: &mut PgConnection,
    run_id: i64,
    photo_id: i64,
    attribute_id: i64,
) -> Result<Option<Opinion>> {
    let row = sqlx::query!(
        r#"SELECT n.name AS run, coalesce(r.held_out, r.distribution) AS "distribution!: Json<BTreeMap<String, f64>>",
                  n.metrics -> 'files' AS "files: Json<Vec<String>>", i.item ->> 'image' AS "image!", a.key AS head
           FROM run_predictions r
           JOIN runs n ON n.id = r.run_id
           JOIN attributes a ON a.id = r.attribute_id
           JOIN dataset_items i ON i.dataset_id = n.dataset_id AND i.photo_id = r.photo_id
           WHERE r.run_id = $1 AND r.photo_id = $2 AND r.attribute_id = $3
             AND (r.held_out IS NOT NULL OR i.item ->> 'split' <> 'train')"#,
        run_id,
        photo_id,
        attribute_id,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| {
        let mut probabilities: Vec<(String, f64)> = row.distribution.0.into_iter().collect();
        probabilities.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let overlays = row.files.map(|files| Overlays::of(&files.0)).unwrap_or_default();
        let overlay = overlays.find(&row.head, &row.image).map(str::to_owned);
        Opinion { run_id, run: row.run, overlay, probabilities }
    }))
}

/// The latest finished run that says something of photos that it has not seen.
pub(crate) async fn latest_run(connection: &mut PgConnection, project_id: i64) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar!(
        "SELECT r.id FROM runs r
         WHERE r.project_id = $1 AND r.finished_at IS NOT NULL AND EXISTS (
             SELECT 1 FROM run_predictions p
             JOIN dataset_items i ON i.dataset_id = r.dataset_id AND i.photo_id = p.photo_id
             JOIN attributes a ON a.id = p.attribute_id AND a.kind = 'annotated'
             WHERE p.run_id = r.id AND (p.held_out IS NOT NULL OR i.item ->> 'split' <> 'train')
         )
         ORDER BY r.finished_at DESC, r.id DESC LIMIT 1",
        project_id,
    )
    .fetch_optional(connection)
    .await?)
}
