//! Photos by id, as pages show them.

use std::collections::{BTreeMap, HashMap};

use kenami_domain::view::photo::PhotoCard;
use sqlx::{PgExecutor, types::Json};

use crate::error::{Error, Result};

/// The cards of some photos.
pub(crate) struct Cards(HashMap<i64, PhotoCard>);

impl Cards {
    /// Loads the cards of `ids` with one query.
    pub(crate) async fn load(db: impl PgExecutor<'_>, ids: &[i64]) -> Result<Self> {
        let rows = sqlx::query!(
            r#"SELECT p.id, p.name, f.width, f.height, g.given AS "given?: Json<BTreeMap<String, String>>"
               FROM photos p JOIN files f ON f.id = p.file_id
               LEFT JOIN LATERAL (
                   SELECT jsonb_object_agg(a.key, v.key) AS given
                   FROM photo_values pv JOIN attributes a ON a.id = pv.attribute_id
                   JOIN attribute_values v ON v.id = pv.value_id
                   WHERE pv.photo_id = p.id
               ) g ON true
               WHERE p.id = ANY($1)"#,
            ids,
        )
        .fetch_all(db)
        .await?;
        let cards = rows.into_iter().map(|row| {
            let given = row.given.map(|given| given.0).unwrap_or_default();
            (row.id, PhotoCard { id: row.id, name: row.name, width: row.width, height: row.height, given })
        });
        Ok(Self(cards.collect()))
    }

    /// The card of one of the photos that were loaded.
    pub(crate) fn get(&self, id: i64) -> Result<PhotoCard> {
        self.0.get(&id).cloned().ok_or_else(|| Error::internal(format!("photo {id} has gone")))
    }
}
