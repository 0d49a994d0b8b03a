//! How a schema was before a change: what undoing puts back.

use kenami_domain::schema::Texts;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use super::rename::set_names;
use crate::error::Result;

/// Orders and names as they were, and what the change added, retired and restored.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Before {
    /// Attributes with their places.
    attributes: Vec<(i64, i32)>,
    /// Values of annotated attributes with their places.
    values: Vec<(i64, i32)>,
    /// Priors of [`Self::prior_values`] and [`Self::standards`]: given value, value, probability.
    priors: Vec<(i64, i64, f64)>,
    /// Values whose priors changed.
    prior_values: Vec<i64>,
    /// Given values whose priors changed; earlier records have none.
    #[serde(default)]
    standards: Vec<i64>,
    /// Names of attributes that the change named, by their ids; earlier records have none.
    #[serde(default)]
    pub(super) attribute_names: Vec<(i64, Texts)>,
    /// Names of values likewise.
    #[serde(default)]
    pub(super) value_names: Vec<(i64, Texts)>,
    /// Values that were offered, and are not any more.
    pub(super) retired_values: Vec<i64>,
    /// Values that were not there or not offered, and are now.
    pub(super) offered_values: Vec<i64>,
    /// Attributes that were asked for, and are not any more.
    pub(super) retired_attributes: Vec<i64>,
    /// Attributes that were not there or not asked for, and are now.
    pub(super) offered_attributes: Vec<i64>,
}

impl Before {
    /// The orders as they are.
    pub(super) async fn read(tx: &mut PgConnection, project_id: i64) -> Result<Self> {
        let attributes = sqlx::query!("SELECT id, position FROM attributes WHERE project_id = $1", project_id)
            .fetch_all(&mut *tx)
            .await?;
        let values = sqlx::query!(
            "SELECT v.id, v.position FROM attribute_values v JOIN attributes a ON a.id = v.attribute_id
             WHERE a.project_id = $1 AND a.kind = 'annotated'",
            project_id,
        )
        .fetch_all(tx)
        .await?;
        Ok(Self {
            attributes: attributes.into_iter().map(|row| (row.id, row.position)).collect(),
            values: values.into_iter().map(|row| (row.id, row.position)).collect(),
            ..Self::default()
        })
    }

    /// Remembers the priors of values before they are changed.
    pub(super) async fn keep_priors(&mut self, tx: &mut PgConnection, values: &[i64]) -> Result<()> {
        self.prior_values.extend_from_slice(values);
        self.read_priors(tx, values, &[]).await
    }

    /// Remembers what is expected of given values before it is changed.
    pub(super) async fn keep_standards(&mut self, tx: &mut PgConnection, given: &[i64]) -> Result<()> {
        self.standards.extend_from_slice(given);
        self.read_priors(tx, &[], given).await
    }

    async fn read_priors(&mut self, tx: &mut PgConnection, values: &[i64], given: &[i64]) -> Result<()> {
        let rows = sqlx::query!(
            "SELECT given_value_id, value_id, probability FROM priors
             WHERE value_id = ANY($1) OR given_value_id = ANY($2)",
            values,
            given,
        )
        .fetch_all(tx)
        .await?;
        self.priors.extend(rows.into_iter().map(|row| (row.given_value_id, row.value_id, row.probability)));
        Ok(())
    }

    /// Puts everything back. What the change added is retired: its key may be in labels' history.
    pub(super) async fn put_back(&self, tx: &mut PgConnection) -> Result<()> {
        let (ids, places): (Vec<i64>, Vec<i32>) = self.attributes.iter().copied().unzip();
        sqlx::query!(
            "UPDATE attributes a SET position = b.position FROM unnest($1::bigint[], $2::integer[]) AS b (id, position)
             WHERE a.id = b.id AND a.position <> b.position",
            &ids,
            &places,
        )
        .execute(&mut *tx)
        .await?;
        let (ids, places): (Vec<i64>, Vec<i32>) = self.values.iter().copied().unzip();
        sqlx::query!(
            "UPDATE attribute_values v SET position = b.position
             FROM unnest($1::bigint[], $2::integer[]) AS b (id, position)
             WHERE v.id = b.id AND v.position <> b.position",
            &ids,
            &places,
        )
        .execute(&mut *tx)
        .await?;
        set_names(tx, &self.attribute_names, &self.value_names).await?;
        retire_attributes(tx, &self.offered_attributes, true).await?;
        retire_attributes(tx, &self.retired_attributes, false).await?;
        retire_values(tx, &self.offered_values, true).await?;
        retire_values(tx, &self.retired_values, false).await?;
        sqlx::query!("UPDATE attribute_values SET merged_into = NULL WHERE id = ANY($1)", &self.retired_values)
            .execute(&mut *tx)
            .await?;
        self.put_priors_back(tx).await
    }

    async fn put_priors_back(&self, tx: &mut PgConnection) -> Result<()> {
        sqlx::query!(
            "DELETE FROM priors WHERE value_id = ANY($1) OR given_value_id = ANY($2)",
            &self.prior_values,
            &self.standards,
        )
        .execute(&mut *tx)
        .await?;
        let given: Vec<i64> = self.priors.iter().map(|prior| prior.0).collect();
        let values: Vec<i64> = self.priors.iter().map(|prior| prior.1).collect();
        let probabilities: Vec<f64> = self.priors.iter().map(|prior| prior.2).collect();
        sqlx::query!(
            "INSERT INTO priors (given_value_id, value_id, probability)
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::float8[])",
            &given,
            &values,
            &probabilities,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Retires values, or offers them again.
pub(super) async fn retire_values(tx: &mut PgConnection, ids: &[i64], retired: bool) -> Result<()> {
    sqlx::query!(
        "UPDATE attribute_values SET retired_at = CASE WHEN $2 THEN now() END WHERE id = ANY($1)",
        ids,
        retired,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Retires attributes, or asks for them again.
pub(super) async fn retire_attributes(tx: &mut PgConnection, ids: &[i64], retired: bool) -> Result<()> {
    sqlx::query!("UPDATE attributes SET retired_at = CASE WHEN $2 THEN now() END WHERE id = ANY($1)", ids, retired)
        .execute(tx)
        .await?;
    Ok(())
}
