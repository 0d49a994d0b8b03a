//! Attributes, their values, and priors.

use std::collections::{BTreeMap, HashSet};

use kenami_domain::{
    answer::{NOT_VISIBLE, UNSURE},
    schema::{Attribute, AttributeKind, AttributeValue, Prior, is_valid_key},
};
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor};

use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{Operation, require},
};

/// How far a distribution's sum may be from 1: tables are written with two digits or three.
const PRIOR_TOLERANCE: f64 = 0.02;

/// The name of a kind in the database.
pub(crate) fn kind_name(kind: AttributeKind) -> &'static str {
    match kind {
        AttributeKind::Given => "given",
        AttributeKind::Annotated => "annotated",
    }
}

/// A project's attributes in order; retired attributes are left out, retired values are marked.
///
/// # Errors
/// As [`require`] for [`Operation::ReadProject`].
pub async fn attributes(actor: &Actor, db: &Db, key: &str) -> Result<Vec<Attribute>> {
    let access = require(actor, db, Operation::ReadProject, key).await?;
    current(db, access.project_id).await
}

/// [`attributes`] without a check of rights.
pub(crate) async fn current(db: impl PgExecutor<'_>, project_id: i64) -> Result<Vec<Attribute>> {
    let catalog = Catalog::load(db, project_id).await?;
    Ok(catalog.entries.into_iter().filter(|entry| !entry.retired).map(|entry| entry.attribute).collect())
}

/// Whether `key` may name a value of a given attribute. Folder names become such keys, so more is allowed than in keys that
/// people choose; but they name folders again at export: no separators, nothing invisible.
pub(crate) fn is_valid_given_key(key: &str) -> bool {
    (1..=100).contains(&key.chars().count())
        && key.trim() == key
        && !key.starts_with('.')
        && !key.chars().any(|c| c.is_control() || matches!(c, '/' | '\\'))
        && key != NOT_VISIBLE
        && key != UNSURE
}

/// Adds an attribute, or the values it lacks, after those that are there; fills in missing names; removes nothing.
///
/// # Errors
/// [`Error::Invalid`] of a key, [`Error::Conflict`] if there is an attribute with this key of the other kind, or retired.
pub async fn ensure_attribute(actor: &Actor, db: &Db, key: &str, attribute: &Attribute) -> Result<()> {
    let access = require(actor, db, Operation::ImportPhotos, key).await?;
    check_keys(attribute)?;
    let mut tx = db.begin().await?;
    lock(&mut tx, access.project_id).await?;
    let (id, added) = ensure_row(&mut tx, access.project_id, attribute).await?;
    let values = add_values(&mut tx, id, &attribute.values).await?;
    if added || values > 0 {
        let details = json!({ "attribute": attribute.key, "values_added": values });
        audit::record(&mut tx, access, Operation::ImportPhotos, details).await?;
    }
    Ok(tx.commit().await?)
}

/// Serialises what imports do to one project, to the end of the transaction. Nothing that merely refers to the project
/// waits.
pub(crate) async fn lock(tx: &mut PgConnection, project_id: i64) -> Result<()> {
    sqlx::query!("SELECT id FROM projects WHERE id = $1 FOR NO KEY UPDATE", project_id).fetch_one(tx).await?;
    Ok(())
}

fn check_keys(attribute: &Attribute) -> Result<()> {
    if !is_valid_key(&attribute.key) {
        return Err(Error::invalid("attribute", format!("`{}` cannot be a key", attribute.key)));
    }
    let valid = match attribute.kind {
        AttributeKind::Given => is_valid_given_key,
        AttributeKind::Annotated => is_valid_key,
    };
    let mut seen = HashSet::new();
    for value in &attribute.values {
        if !valid(&value.key) {
            return Err(Error::invalid("values", format!("`{}` cannot be a key", value.key)));
        }
        if !seen.insert(value.key.as_str()) {
            return Err(Error::invalid("values", format!("`{}` occurs twice", value.key)));
        }
    }
    Ok(())
}

/// The attribute's id, and whether it was added.
async fn ensure_row(tx: &mut PgConnection, project_id: i64, attribute: &Attribute) -> Result<(i64, bool)> {
    let kind = kind_name(attribute.kind);
    let names = serde_json::to_value(&attribute.names)?;
    let known = sqlx::query!(
        "UPDATE attributes SET names = CASE WHEN names = '{}' THEN $3 ELSE names END
         WHERE project_id = $1 AND key = $2 RETURNING id, kind, retired_at",
        project_id,
        attribute.key,
        names,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(known) = known {
        if known.kind != kind {
            return Err(Error::Conflict(format!(
                "the project has an attribute {} that is {}",
                attribute.key, known.kind
            )));
        }
        if known.retired_at.is_some() {
            return Err(Error::Conflict(format!("the project's attribute {} is retired", attribute.key)));
        }
        return Ok((known.id, false));
    }
    let id = sqlx::query_scalar!(
        "INSERT INTO attributes (project_id, key, names, kind, position)
         SELECT $1, $2, $3, $4, coalesce(max(position) + 1, 0) FROM attributes WHERE project_id = $1
         RETURNING id",
        project_id,
        attribute.key,
        names,
        kind,
    )
    .fetch_one(tx)
    .await?;
    Ok((id, true))
}

/// Adds the values that the attribute lacks, in their order; returns how many.
async fn add_values(tx: &mut PgConnection, attribute_id: i64, values: &[AttributeValue]) -> Result<u64> {
    let keys: Vec<String> = values.iter().map(|value| value.key.clone()).collect();
    let names = values.iter().map(|value| serde_json::to_value(&value.names)).collect::<Result<Vec<Value>, _>>()?;
    sqlx::query!(
        "UPDATE attribute_values v SET names = n.names
         FROM unnest($2::text[], $3::jsonb[]) AS n (key, names)
         WHERE v.attribute_id = $1 AND v.key = n.key AND v.names = '{}' AND n.names <> '{}'",
        attribute_id,
        &keys,
        &names,
    )
    .execute(&mut *tx)
    .await?;
    Ok(sqlx::query!(
        "INSERT INTO attribute_values (attribute_id, key, names, position)
         SELECT $1, n.key, n.names, (n.n + (SELECT coalesce(max(position), 0) FROM attribute_values
                                            WHERE attribute_id = $1))::integer
         FROM unnest($2::text[], $3::jsonb[]) WITH ORDINALITY AS n (key, names, n)
         ORDER BY n.n
         ON CONFLICT (attribute_id, key) DO NOTHING",
        attribute_id,
        &keys,
        &names,
    )
    .execute(tx)
    .await?
    .rows_affected())
}

/// Stores priors, each in place of the one for the same given value and attribute; returns how many. Those of given values
/// that the project has no photo of are left out: a table of breeds may know more breeds than a folder. So are those of values that
/// have become one, and of the value that they have become where it has some: they are the mean of what each had.
///
/// # Errors
/// [`Error::Invalid`] of `priors` if an attribute or a value to be expected is unknown, a probability is none, or a
/// distribution does not sum to 1.
pub async fn set_priors(actor: &Actor, db: &Db, key: &str, priors: &[Prior]) -> Result<usize> {
    let access = require(actor, db, Operation::ImportPhotos, key).await?;
    let mut tx = db.begin().await?;
    lock(&mut tx, access.project_id).await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let mut rows = PriorRows { merged: merged(&mut tx, access.project_id).await?, ..PriorRows::default() };
    for prior in priors {
        rows.push(&catalog, prior)?;
    }
    rows.store(&mut tx).await?;
    let details = json!({ "priors": rows.stored.len() });
    audit::record(&mut tx, access, Operation::ImportPhotos, details).await?;
    tx.commit().await?;
    Ok(rows.stored.len())
}

/// Priors by the database's ids, as columns.
#[derive(Default)]
struct PriorRows {
    /// Given value and attribute of what merging decides; without an attribute, of values that are gone.
    merged: HashSet<(i64, Option<i64>)>,
    /// Given value and attribute of each prior.
    stored: HashSet<(i64, i64)>,
    given_value_ids: Vec<i64>,
    value_ids: Vec<i64>,
    probabilities: Vec<f64>,
}

impl PriorRows {
    fn push(&mut self, catalog: &Catalog, prior: &Prior) -> Result<()> {
        let invalid = |message: String| Error::invalid("priors", message);
        let find = |key: &str, kind: AttributeKind| {
            catalog
                .entries
                .iter()
                .find(|entry| entry.key() == key && entry.attribute.kind == kind && !entry.retired)
                .ok_or_else(|| invalid(format!("the project has no {} attribute {key}", kind_name(kind))))
        };
        let given = find(&prior.given_attribute, AttributeKind::Given)?;
        let attribute = find(&prior.attribute, AttributeKind::Annotated)?;
        let sum: f64 = prior.distribution.values().sum();
        let proper = prior.distribution.values().all(|p| (0.0..=1.0).contains(p));
        if !proper || (sum - 1.0).abs() > PRIOR_TOLERANCE {
            return Err(invalid(format!("{} of {} must sum to 1", prior.attribute, prior.given_value)));
        }
        let mut values = Vec::with_capacity(prior.distribution.len());
        for (key, probability) in &prior.distribution {
            let id =
                attribute.value_id(key).ok_or_else(|| invalid(format!("{} has no value {key}", prior.attribute)))?;
            values.push((id, probability / sum));
        }
        let Some(given_value_id) = given.value_id(&prior.given_value) else { return Ok(()) };
        if [None, Some(attribute.id)].iter().any(|of| self.merged.contains(&(given_value_id, *of))) {
            return Ok(());
        }
        if !self.stored.insert((given_value_id, attribute.id)) {
            return Err(invalid(format!("{} of {} occurs twice", prior.attribute, prior.given_value)));
        }
        for (id, probability) in values {
            self.given_value_ids.push(given_value_id);
            self.value_ids.push(id);
            self.probabilities.push(probability);
        }
        Ok(())
    }

    async fn store(&self, tx: &mut PgConnection) -> Result<()> {
        let (given, attributes): (Vec<i64>, Vec<i64>) = self.stored.iter().copied().unzip();
        sqlx::query!(
            "DELETE FROM priors p
             USING unnest($1::bigint[], $2::bigint[]) AS s (given_value_id, attribute_id), attribute_values v
             WHERE p.given_value_id = s.given_value_id AND p.value_id = v.id AND v.attribute_id = s.attribute_id",
            &given,
            &attributes,
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "INSERT INTO priors (given_value_id, value_id, probability)
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::float8[])",
            &self.given_value_ids,
            &self.value_ids,
            &self.probabilities,
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// See [`PriorRows::merged`].
async fn merged(tx: &mut PgConnection, project_id: i64) -> Result<HashSet<(i64, Option<i64>)>> {
    let rows = sqlx::query!(
        r#"SELECT v.id AS "value_id!", NULL::bigint AS attribute_id
           FROM attribute_values v JOIN attributes a ON a.id = v.attribute_id
           WHERE a.project_id = $1 AND v.merged_into IS NOT NULL
           UNION
           SELECT p.given_value_id, e.attribute_id
           FROM priors p JOIN attribute_values e ON e.id = p.value_id
           JOIN attribute_values v ON v.merged_into = p.given_value_id JOIN attributes a ON a.id = v.attribute_id
           WHERE a.project_id = $1"#,
        project_id,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.value_id, row.attribute_id)).collect())
}

/// The project's priors, in the order of the schema.
///
/// # Errors
/// As [`require`] for [`Operation::ReadProject`].
pub async fn priors(actor: &Actor, db: &Db, key: &str) -> Result<Vec<Prior>> {
    let access = require(actor, db, Operation::ReadProject, key).await?;
    load_priors(db, access.project_id).await
}

/// [`priors`] without a check of rights.
pub(crate) async fn load_priors(db: impl PgExecutor<'_>, project_id: i64) -> Result<Vec<Prior>> {
    let rows = sqlx::query!(
        "SELECT ga.key AS given_attribute, gv.key AS given_value, a.key AS attribute, v.key AS value, p.probability
         FROM priors p
         JOIN attribute_values gv ON gv.id = p.given_value_id JOIN attributes ga ON ga.id = gv.attribute_id
         JOIN attribute_values v ON v.id = p.value_id JOIN attributes a ON a.id = v.attribute_id
         WHERE ga.project_id = $1 AND ga.retired_at IS NULL AND a.retired_at IS NULL
         ORDER BY ga.position, ga.id, gv.position, gv.id, a.position, a.id",
        project_id,
    )
    .fetch_all(db)
    .await?;
    let mut priors: Vec<Prior> = Vec::new();
    for row in rows {
        let same = priors.last().is_some_and(|last| {
            last.given_attribute == row.given_attribute
                && last.given_value == row.given_value
                && last.attribute == row.attribute
        });
        if !same {
            priors.push(Prior {
                given_attribute: row.given_attribute,
                given_value: row.given_value,
                attribute: row.attribute,
                distribution: BTreeMap::new(),
            });
        }
        if let Some(last) = priors.last_mut() {
            last.distribution.insert(row.value, row.probability);
        }
    }
    Ok(priors)
}
