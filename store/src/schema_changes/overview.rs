//! What there is to be changed.

use std::collections::BTreeMap;

use kenami_domain::view::schema_change::SchemaAttribute;

use crate::{
    actor::Actor,
    catalog::Catalog,
    db::Db,
    error::Result,
    rights::{Operation, require},
};

/// All attributes in order, retired ones included, with the labels that each answer has.
///
/// # Errors
/// As [`require`] for [`Operation::ManageProject`]; the database.
pub async fn attributes(actor: &Actor, db: &Db, key: &str) -> Result<Vec<SchemaAttribute>> {
    let access = require(actor, db, Operation::ManageProject, key).await?;
    let catalog = Catalog::load(db, access.project_id).await?;
    let rows = sqlx::query!(
        r#"SELECT attribute_id AS "attribute_id!", answer AS "answer!", value_id, count(*) AS "n!"
           FROM labels WHERE project_id = $1 AND superseded_at IS NULL GROUP BY 1, 2, 3
           UNION ALL
           SELECT v.attribute_id, 'value', v.value_id, count(*)
           FROM photo_values v JOIN attributes a ON a.id = v.attribute_id WHERE a.project_id = $1 GROUP BY 1, 3"#,
        access.project_id,
    )
    .fetch_all(db)
    .await?;
    let mut labels: BTreeMap<i64, BTreeMap<String, i64>> = BTreeMap::new();
    for row in rows {
        let answer = catalog.by_id(row.attribute_id)?.answer(&row.answer, row.value_id)?;
        labels.entry(row.attribute_id).or_default().insert(answer.key().to_owned(), row.n);
    }
    let attributes = catalog.entries.into_iter().map(|entry| SchemaAttribute {
        attribute: entry.attribute,
        retired: entry.retired,
        labels: labels.remove(&entry.id).unwrap_or_default(),
    });
    Ok(attributes.collect())
}
