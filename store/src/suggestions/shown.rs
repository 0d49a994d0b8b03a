//! What one annotator is shown, and what a label remembers of it.

use std::collections::{BTreeMap, HashMap};

use kenami_domain::view::suggestions::Suggestion;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    catalog::{Catalog, Entry},
    error::{Error, Result},
};

/// Suggestions of the source in use that the annotator may see, per photo and attribute key.
pub(crate) async fn of_photos(
    connection: &mut PgConnection,
    project_id: i64,
    annotator_id: i64,
    photo_ids: &[i64],
    catalog: &Catalog,
) -> Result<HashMap<i64, BTreeMap<String, Suggestion>>> {
    let rows = sqlx::query!(
        "SELECT s.photo_id, s.attribute_id, s.value_id, s.probability, s.source_id
         FROM suggestion_sources o
         JOIN annotators a ON a.id = $2
         LEFT JOIN memberships m ON m.project_id = o.project_id AND m.user_id = a.user_id
         JOIN suggestions s ON s.source_id = o.id AND s.photo_id = ANY($3)
         WHERE o.project_id = $1 AND o.ended_at IS NULL AND coalesce(m.sees_suggestions, true)
           AND NOT suggestion_control(s.photo_id, $2, o.control_share)",
        project_id,
        annotator_id,
        photo_ids,
    )
    .fetch_all(connection)
    .await?;
    let mut of: HashMap<i64, BTreeMap<String, Suggestion>> = HashMap::new();
    for row in rows {
        let entry = catalog.by_id(row.attribute_id)?;
        let Some(value) = entry.suggested_key(row.value_id).filter(|_| !entry.retired) else { continue };
        let suggestion = Suggestion { source_id: row.source_id, value: value.to_owned(), probability: row.probability };
        of.entry(row.photo_id).or_default().insert(entry.key().to_owned(), suggestion);
    }
    Ok(of)
}

/// How a suggestion met the annotator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Beside the single photo.
    Page,
    /// As the screen's value.
    Grid,
    /// Not at all.
    Unseen,
}

impl Shown {
    fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Grid => "grid",
            Self::Unseen => "unseen",
        }
    }
}

/// What a label keeps of a suggestion.
pub(crate) fn remembered(suggestion: &Suggestion, shown: Shown) -> Value {
    json!({
        "source": suggestion.source_id,
        "value": suggestion.value,
        "probability": suggestion.probability,
        "shown": shown.as_str(),
    })
}

/// What a page says it has shown, checked.
pub(crate) fn check(entry: &Entry, suggestion: &Suggestion, sources: &[i64]) -> Result<(), String> {
    if !sources.contains(&suggestion.source_id) {
        return Err(format!("there is no source {} of suggestions", suggestion.source_id));
    }
    if entry.suggested_id(&suggestion.value).is_none() {
        return Err(format!("`{}` has no value `{}` that could be suggested", entry.key(), suggestion.value));
    }
    if !(0.0..=1.0).contains(&suggestion.probability) {
        return Err(format!("the suggestion's probability for `{}` is not between 0 and 1", entry.key()));
    }
    Ok(())
}

/// Those of `named` that are sources of the project, ended ones included.
pub(crate) async fn sources(connection: &mut PgConnection, project_id: i64, named: &[i64]) -> Result<Vec<i64>> {
    if named.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sqlx::query_scalar!(
        "SELECT id FROM suggestion_sources WHERE project_id = $1 AND id = ANY($2)",
        project_id,
        named
    )
    .fetch_all(connection)
    .await?)
}

/// The suggestions that there are for a photo, shown or not, per attribute id.
pub(crate) async fn there(
    connection: &mut PgConnection,
    project_id: i64,
    photo_id: i64,
    catalog: &Catalog,
) -> Result<HashMap<i64, Suggestion>> {
    let rows = sqlx::query!(
        "SELECT s.attribute_id, s.value_id, s.probability, s.source_id
         FROM suggestion_sources o JOIN suggestions s ON s.source_id = o.id AND s.photo_id = $2
         WHERE o.project_id = $1 AND o.ended_at IS NULL",
        project_id,
        photo_id,
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let value = catalog
                .by_id(row.attribute_id)?
                .suggested_key(row.value_id)
                .ok_or_else(|| Error::internal("a suggested value of another attribute"))?;
            let suggestion =
                Suggestion { source_id: row.source_id, value: value.to_owned(), probability: row.probability };
            Ok((row.attribute_id, suggestion))
        })
        .collect()
}
