//! A project's attributes with their ids: what turns keys into rows and rows into keys.

use std::collections::HashMap;

use kenami_domain::{
    answer::{Answer, NOT_VISIBLE},
    schema::{Attribute, AttributeKind, AttributeValue, Texts},
};
use sqlx::{PgExecutor, types::Json};

use crate::error::{Error, Result};

/// `suggestions.value_id` of "not visible".
const SUGGESTED_NOT_VISIBLE: i64 = 0;

/// All attributes of a project in order, retired ones included.
pub(crate) struct Catalog {
    pub(crate) entries: Vec<Entry>,
    by_id: HashMap<i64, usize>,
}

/// One attribute with its ids.
pub(crate) struct Entry {
    pub(crate) id: i64,
    /// With all its values, retired ones included.
    pub(crate) attribute: Attribute,
    pub(crate) retired: bool,
    /// One per value, in the same order.
    value_ids: Vec<i64>,
}

impl Catalog {
    pub(crate) async fn load(db: impl PgExecutor<'_>, project_id: i64) -> Result<Self> {
        let rows = sqlx::query!(
            r#"SELECT a.id, a.key, a.names AS "names: Json<Texts>", a.kind, a.retired_at IS NOT NULL AS "retired!",
                      v.id AS "value_id?", v.key AS "value_key?", v.names AS "value_names?: Json<Texts>",
                      v.retired_at IS NOT NULL AS "value_retired!"
               FROM attributes a LEFT JOIN attribute_values v ON v.attribute_id = a.id
               WHERE a.project_id = $1
               ORDER BY a.position, a.id, v.position, v.id"#,
            project_id,
        )
        .fetch_all(db)
        .await?;
        let mut entries: Vec<Entry> = Vec::new();
        for row in rows {
            if entries.last().is_none_or(|entry| entry.id != row.id) {
                let kind = if row.kind == "given" { AttributeKind::Given } else { AttributeKind::Annotated };
                let attribute = Attribute { key: row.key, names: row.names.0, kind, values: Vec::new() };
                entries.push(Entry { id: row.id, attribute, retired: row.retired, value_ids: Vec::new() });
            }
            if let (Some(entry), Some(id), Some(key), Some(names)) =
                (entries.last_mut(), row.value_id, row.value_key, row.value_names)
            {
                entry.value_ids.push(id);
                entry.attribute.values.push(AttributeValue { key, names: names.0, retired: row.value_retired });
            }
        }
        let by_id = entries.iter().enumerate().map(|(index, entry)| (entry.id, index)).collect();
        Ok(Self { entries, by_id })
    }

    /// The attributes that annotators answer, in order.
    pub(crate) fn annotated(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !entry.retired && entry.attribute.kind == AttributeKind::Annotated)
    }

    /// The annotated attribute with this key, retired or not.
    pub(crate) fn annotated_by_key(&self, key: &str) -> Result<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.attribute.key == key && entry.attribute.kind == AttributeKind::Annotated)
            .ok_or(Error::NotFound("attribute"))
    }

    /// Whether the attribute with this key comes with the photo.
    pub(crate) fn is_given(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.attribute.key == key && entry.attribute.kind == AttributeKind::Given)
    }

    pub(crate) fn by_id(&self, id: i64) -> Result<&Entry> {
        let index =
            self.by_id.get(&id).ok_or_else(|| Error::internal(format!("attribute {id} is of another project")))?;
        Ok(&self.entries[*index])
    }
}

impl Entry {
    pub(crate) fn key(&self) -> &str {
        &self.attribute.key
    }

    pub(crate) fn value_id(&self, key: &str) -> Option<i64> {
        let index = self.attribute.values.iter().position(|value| value.key == key)?;
        Some(self.value_ids[index])
    }

    pub(crate) fn value_key(&self, id: i64) -> Option<&str> {
        let index = self.value_ids.iter().position(|value| *value == id)?;
        Some(&self.attribute.values[index].key)
    }

    /// What stands in `suggestions.value_id` for a value or "not visible"; none for another key.
    pub(crate) fn suggested_id(&self, key: &str) -> Option<i64> {
        if key == NOT_VISIBLE { Some(SUGGESTED_NOT_VISIBLE) } else { self.value_id(key) }
    }

    /// The key of what [`Self::suggested_id`] stands for.
    pub(crate) fn suggested_key(&self, id: i64) -> Option<&str> {
        if id == SUGGESTED_NOT_VISIBLE { Some(NOT_VISIBLE) } else { self.value_key(id) }
    }

    /// The columns `answer` and `value_id` of an answer; none if the attribute has no such value.
    pub(crate) fn columns(&self, answer: &Answer) -> Option<(&'static str, Option<i64>)> {
        match answer {
            Answer::Value(key) => Some(("value", Some(self.value_id(key)?))),
            Answer::NotVisible => Some(("not_visible", None)),
            Answer::Unsure => Some(("unsure", None)),
        }
    }

    /// The answer in the columns `answer` and `value_id`.
    pub(crate) fn answer(&self, answer: &str, value_id: Option<i64>) -> Result<Answer> {
        match value_id {
            None => Ok(Answer::from(answer)),
            Some(id) => {
                let key =
                    self.value_key(id).ok_or_else(|| Error::internal(format!("value {id} is of another attribute")))?;
                Ok(Answer::Value(key.to_owned()))
            }
        }
    }

    /// Refuses an answer that may not be given now: an unknown or retired value.
    pub(crate) fn offered(&self, answer: &Answer) -> Result<(&'static str, Option<i64>), String> {
        let unknown = || {
            let values = self.attribute.values.iter().filter(|value| !value.retired).map(|value| value.key.as_str());
            let values = values.collect::<Vec<_>>().join(", ");
            format!("`{}` has no value `{}`; it has {values}, not_visible and unsure", self.key(), answer.key())
        };
        let columns = self.columns(answer).ok_or_else(unknown)?;
        let retired = answer.value().and_then(|key| self.attribute.value(key)).is_some_and(|value| value.retired);
        if retired {
            Err(format!("the value `{}` of `{}` has been retired", answer.key(), self.key()))
        } else {
            Ok(columns)
        }
    }
}
