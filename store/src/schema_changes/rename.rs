//! What attributes and values are called. Keys never change, and labels stay with the keys.

use std::collections::{BTreeMap, HashMap};

use kenami_domain::{
    schema::{AttributeKind, Texts},
    view::schema_change::Renamed,
};
use serde_json::Value;
use sqlx::PgConnection;

use super::{Change, check_names, value_id};
use crate::{
    catalog::Entry,
    error::{Error, Result},
};

impl Change<'_> {
    /// Gives an attribute and values of it other names; those that it does not have keep theirs.
    pub(super) async fn rename(
        &mut self,
        attribute: &str,
        names: Option<&Texts>,
        values: &BTreeMap<String, Texts>,
    ) -> Result<()> {
        let entry = self.catalog.entries.iter().find(|entry| entry.key() == attribute);
        let entry = entry.ok_or(Error::NotFound("attribute"))?;
        let labels = carriers(self.tx, self.access.project_id, entry).await?;
        let renamed = |value: Option<&str>, from: &Texts, to: &Texts| -> Result<Option<Renamed>> {
            let to = trimmed(to)?;
            let own = value.map(|key| value_id(entry, "values", key)).transpose()?;
            let carried = match own {
                Some(id) => labels.get(&Some(id)).copied().unwrap_or_default(),
                None => labels.values().sum(),
            };
            let (labels, photos) = match entry.attribute.kind {
                AttributeKind::Annotated => (carried, 0),
                AttributeKind::Given => (0, carried),
            };
            let value = value.map(str::to_owned);
            Ok((to != *from).then(|| Renamed { value, from: from.clone(), to, labels, photos }))
        };
        if let Some(names) = names {
            self.counts.renamed.extend(renamed(None, &entry.attribute.names, names)?);
        }
        if let Some(unknown) = values.keys().find(|key| entry.attribute.value(key).is_none()) {
            return Err(Error::invalid("names", format!("`{attribute}` has no value `{unknown}`")));
        }
        for value in &entry.attribute.values {
            if let Some(names) = values.get(&value.key) {
                self.counts.renamed.extend(renamed(Some(&value.key), &value.names, names)?);
            }
        }
        if self.counts.renamed.is_empty() {
            return Err(Error::invalid("names", "nothing would be called anything else"));
        }
        let mut named = Names::default();
        for renamed in &self.counts.renamed {
            match &renamed.value {
                None => {
                    self.before.attribute_names.push((entry.id, renamed.from.clone()));
                    named.attributes.push((entry.id, renamed.to.clone()));
                }
                Some(key) => {
                    let id = value_id(entry, "values", key)?;
                    self.before.value_names.push((id, renamed.from.clone()));
                    named.values.push((id, renamed.to.clone()));
                }
            }
        }
        set_names(self.tx, &named.attributes, &named.values).await
    }
}

/// What is called how, by ids.
#[derive(Default)]
struct Names {
    attributes: Vec<(i64, Texts)>,
    values: Vec<(i64, Texts)>,
}

/// Standing labels of an attribute (photos, of a given one) by value; by none, those with another answer.
async fn carriers(tx: &mut PgConnection, project_id: i64, entry: &Entry) -> Result<HashMap<Option<i64>, i64>> {
    let rows = sqlx::query!(
        r#"SELECT value_id, count(*) AS "n!" FROM labels
           WHERE project_id = $2 AND attribute_id = $1 AND superseded_at IS NULL GROUP BY 1
           UNION ALL
           SELECT value_id, count(*) FROM photo_values WHERE attribute_id = $1 GROUP BY 1"#,
        entry.id,
        project_id,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.value_id, row.n)).collect())
}

/// Names without the empty ones: where there is none, another language's or the key stands in.
fn trimmed(names: &Texts) -> Result<Texts> {
    check_names(names)?;
    let names = names.0.iter().map(|(language, name)| (language.clone(), name.trim().to_owned()));
    Ok(Texts(names.filter(|(_, name)| !name.is_empty()).collect()))
}

/// Calls attributes and values, by their ids, as said.
pub(super) async fn set_names(
    tx: &mut PgConnection,
    attributes: &[(i64, Texts)],
    values: &[(i64, Texts)],
) -> Result<()> {
    let (ids, names) = columns(attributes)?;
    sqlx::query!(
        "UPDATE attributes a SET names = n.names FROM unnest($1::bigint[], $2::jsonb[]) AS n (id, names) WHERE a.id = n.id",
        &ids,
        &names,
    )
    .execute(&mut *tx)
    .await?;
    let (ids, names) = columns(values)?;
    sqlx::query!(
        "UPDATE attribute_values v SET names = n.names
         FROM unnest($1::bigint[], $2::jsonb[]) AS n (id, names) WHERE v.id = n.id",
        &ids,
        &names,
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn columns(names: &[(i64, Texts)]) -> Result<(Vec<i64>, Vec<Value>)> {
    let texts = names.iter().map(|(_, names)| serde_json::to_value(names)).collect::<Result<Vec<_>, _>>()?;
    Ok((names.iter().map(|(id, _)| *id).collect(), texts))
}
