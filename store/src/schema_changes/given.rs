//! Values of given attributes that become one: photos, breed standards, and what comes in under their keys.

use sqlx::PgConnection;

use super::Change;
use crate::error::{Error, Result};

impl Change<'_> {
    /// The id of a given attribute that is not retired.
    pub(super) fn given_attribute(&self, key: &str) -> Result<i64> {
        let entry = self.catalog.entries.iter().find(|entry| entry.key() == key && !entry.retired);
        Ok(entry.ok_or(Error::NotFound("attribute"))?.id)
    }

    /// Photos with one of `gone` have `target` from now on, those that come in later, too.
    pub(super) async fn merge_given(&mut self, attribute_id: i64, gone: &[i64], target: i64) -> Result<()> {
        self.merge_standards(gone, target).await?;
        self.counts.photos_moved = sqlx::query!(
            "WITH kept AS (
                 INSERT INTO schema_change_rows (change_id, kind, old_id, new_id)
                 SELECT $1, 'photo', value_id, photo_id FROM photo_values WHERE attribute_id = $2 AND value_id = ANY($3))
             UPDATE photo_values SET value_id = $4 WHERE attribute_id = $2 AND value_id = ANY($3)",
            self.id,
            attribute_id,
            gone,
            target,
        )
        .execute(&mut *self.tx)
        .await?
        .rows_affected() as i64;
        sqlx::query!("UPDATE attribute_values SET merged_into = $2 WHERE id = ANY($1)", gone, target)
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// What is expected of photos with `target`: the mean of what was expected of each value, weighted by its photos (each
    /// counts as one at least). A value for which nothing is expected of an attribute does not count there. Photos have not
    /// moved yet.
    async fn merge_standards(&mut self, gone: &[i64], target: i64) -> Result<()> {
        let values: Vec<i64> = gone.iter().copied().chain([target]).collect();
        self.before.keep_standards(self.tx, &values).await?;
        sqlx::query!(
            "WITH weights AS (
                 SELECT v.id, greatest(count(p.photo_id), 1)::float8 AS photos
                 FROM attribute_values v LEFT JOIN photo_values p ON p.value_id = v.id
                 WHERE v.id = ANY($1) GROUP BY v.id
             ), known AS (
                 SELECT DISTINCT w.id, w.photos, v.attribute_id
                 FROM weights w JOIN priors r ON r.given_value_id = w.id JOIN attribute_values v ON v.id = r.value_id
             ), sums AS (
                 SELECT attribute_id, sum(photos) AS photos FROM known GROUP BY attribute_id
             )
             INSERT INTO priors (given_value_id, value_id, probability)
             SELECT $2, r.value_id, least(sum(r.probability * w.photos) / max(s.photos), 1)
             FROM priors r JOIN weights w ON w.id = r.given_value_id
             JOIN attribute_values v ON v.id = r.value_id JOIN sums s ON s.attribute_id = v.attribute_id
             GROUP BY r.value_id
             ON CONFLICT (given_value_id, value_id) DO UPDATE SET probability = EXCLUDED.probability",
            &values,
            target,
        )
        .execute(&mut *self.tx)
        .await?;
        sqlx::query!("DELETE FROM priors WHERE given_value_id = ANY($1)", gone).execute(&mut *self.tx).await?;
        Ok(())
    }
}

/// Photos have the values again that they had before.
pub(super) async fn photos_back(tx: &mut PgConnection, change_id: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE photo_values p SET value_id = r.old_id
         FROM schema_change_rows r JOIN attribute_values v ON v.id = r.old_id
         WHERE r.change_id = $1 AND r.kind = 'photo' AND p.photo_id = r.new_id AND p.attribute_id = v.attribute_id",
        change_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}
