//! What attributes and values are called. Keys never change; names may, and labels stay with the key.

use kenami_domain::{schema::Texts, view::guidelines::NamesEdit};
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// The most characters of a name in one language.
pub const MAX_NAME: usize = 100;

/// Gives an annotated attribute and its values other names; values that `edit` does not have keep theirs.
///
/// # Errors
/// [`Error::Invalid`] of `names` for an unknown value or a long name; [`Error::NotFound`] for an unknown attribute; rights;
/// the database.
pub async fn set_names(actor: &Actor, db: &Db, project: &str, attribute: &str, edit: NamesEdit) -> Result<()> {
    let access = rights::require(actor, db, Operation::EditGuidelines, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    let names = serde_json::to_value(checked(edit.attribute)?)?;
    let mut ids = Vec::new();
    let mut texts: Vec<Value> = Vec::new();
    for (value, names) in edit.values {
        let unknown = || Error::invalid("names", format!("`{attribute}` has no value `{value}`"));
        ids.push(entry.value_id(&value).ok_or_else(unknown)?);
        texts.push(serde_json::to_value(checked(names)?)?);
    }
    sqlx::query!("UPDATE attributes SET names = $2 WHERE id = $1", entry.id, names).execute(&mut *tx).await?;
    sqlx::query!(
        "UPDATE attribute_values v SET names = n.names
         FROM unnest($2::bigint[], $3::jsonb[]) AS n (id, names)
         WHERE v.id = n.id AND v.attribute_id = $1",
        entry.id,
        &ids,
        &texts,
    )
    .execute(&mut *tx)
    .await?;
    let details = json!({ "attribute": attribute, "renamed": ids.len() });
    audit::record(&mut tx, access, Operation::EditGuidelines, details).await?;
    Ok(tx.commit().await?)
}

/// The names without the empty ones: where there is none, another language's or the key stands in.
fn checked(names: Texts) -> Result<Texts> {
    if names.0.values().any(|name| name.chars().count() > MAX_NAME) {
        return Err(Error::invalid("names", format!("a name is longer than {MAX_NAME} characters")));
    }
    let trimmed = names.0.into_iter().map(|(language, name)| (language, name.trim().to_owned()));
    Ok(Texts(trimmed.filter(|(_, name)| !name.is_empty()).collect()))
}
