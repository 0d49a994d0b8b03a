//! What models say of photos that they have not seen.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use kenami_domain::csvio::Probabilities;
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
