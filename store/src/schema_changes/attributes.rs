//! Attributes: added, put in order, retired, restored, merged.

use kenami_domain::{
    schema::{AttributeKind, Texts},
    view::schema_change::{AnswerMap, NewValue},
};

use super::{Change, before::retire_attributes, check_key, check_names, check_new_values, values::insert_values};
use crate::error::{Error, Result};

impl Change<'_> {
    pub(super) async fn add_attribute(
        &mut self,
        key: &str,
        names: &Texts,
        values: &[NewValue],
        from: Option<&AnswerMap>,
        ask: bool,
    ) -> Result<()> {
        check_key("key", key)?;
        check_names(names)?;
        check_new_values(None, values)?;
        if values.len() < 2 {
            return Err(Error::invalid("values", "an attribute has at least two values"));
        }
        if let Some(taken) = self.catalog.entries.iter().find(|entry| entry.key() == key) {
            let hint = if taken.retired { ", retired: restore it" } else { "" };
            return Err(Error::Conflict(format!("there is an attribute `{key}` already{hint}")));
        }
        let id = sqlx::query_scalar!(
            "INSERT INTO attributes (project_id, key, names, kind, position)
             SELECT $1, $2, $3, 'annotated', coalesce(max(position) + 1, 0) FROM attributes WHERE project_id = $1
             RETURNING id",
            self.access.project_id,
            key,
            serde_json::to_value(names)?,
        )
        .fetch_one(&mut *self.tx)
        .await?;
        insert_values(self.tx, id, 0, values).await?;
        self.before.offered_attributes.push(id);
        // The catalog now knows the new attribute and its values.
        self.catalog = crate::catalog::Catalog::load(&mut *self.tx, self.access.project_id).await?;
        if let Some(map) = from {
            self.carry(map, key).await?;
        }
        if ask {
            self.ask_again(id).await?;
        }
        Ok(())
    }

    pub(super) async fn order_attributes(&mut self, keys: &[String]) -> Result<()> {
        let open: Vec<_> = self.catalog.entries.iter().filter(|entry| !entry.retired).collect();
        let ids = in_order("attributes", keys, open.len(), |key| {
            open.iter().find(|entry| entry.key() == key).map(|entry| entry.id)
        })?;
        sqlx::query!(
            "UPDATE attributes a SET position = coalesce(o.place, $3)::integer - 1
             FROM attributes b LEFT JOIN unnest($2::bigint[]) WITH ORDINALITY AS o (id, place) ON o.id = b.id
             WHERE a.id = b.id AND a.project_id = $1",
            self.access.project_id,
            &ids,
            ids.len() as i64 + 1,
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    pub(super) async fn retire_attribute(&mut self, key: &str) -> Result<()> {
        let id = self.open_attribute(key)?;
        self.counts.labels_kept = self.standing(id, None).await?;
        self.before.retired_attributes.push(id);
        retire_attributes(self.tx, &[id], true).await
    }

    pub(super) async fn restore_attribute(&mut self, key: &str) -> Result<()> {
        let entry = self.catalog.annotated_by_key(key)?;
        if !entry.retired {
            return Err(Error::invalid("attribute", format!("`{key}` is not retired")));
        }
        let id = entry.id;
        self.before.offered_attributes.push(id);
        retire_attributes(self.tx, &[id], false).await
    }

    pub(super) async fn merge_attributes(&mut self, from: &AnswerMap, into: &str) -> Result<()> {
        let (gone, stays) = (self.open_attribute(&from.attribute)?, self.open_attribute(into)?);
        if gone == stays {
            return Err(Error::invalid("into", "an attribute cannot be merged with itself"));
        }
        let all = self.standing(gone, None).await?;
        self.carry(from, into).await?;
        self.counts.labels_kept = all - self.counts.labels_moved;
        self.before.retired_attributes.push(gone);
        retire_attributes(self.tx, &[gone], true).await
    }

    /// The id of an annotated attribute that is not retired.
    pub(super) fn open_attribute(&self, key: &str) -> Result<i64> {
        let entry = self.catalog.annotated_by_key(key)?;
        if entry.retired {
            return Err(Error::invalid("attribute", format!("`{key}` is retired: restore it first")));
        }
        debug_assert_eq!(entry.attribute.kind, AttributeKind::Annotated);
        Ok(entry.id)
    }

    /// Labels of an attribute that stand; with one value, where it is named.
    pub(super) async fn standing(&mut self, attribute_id: i64, value_id: Option<i64>) -> Result<i64> {
        Ok(sqlx::query_scalar!(
            r#"SELECT count(*) AS "n!" FROM labels
               WHERE project_id = $1 AND attribute_id = $2 AND superseded_at IS NULL
                 AND ($3::bigint IS NULL OR value_id = $3)"#,
            self.access.project_id,
            attribute_id,
            value_id,
        )
        .fetch_one(&mut *self.tx)
        .await?)
    }
}

/// The ids of `keys`, which must be all that there are, each once.
pub(super) fn in_order(
    field: &'static str,
    keys: &[String],
    all: usize,
    id: impl Fn(&str) -> Option<i64>,
) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(keys.len());
    for key in keys {
        let id = id(key).ok_or_else(|| Error::invalid(field, format!("there is no `{key}` to be put in order")))?;
        if ids.contains(&id) {
            return Err(Error::invalid(field, format!("`{key}` occurs twice")));
        }
        ids.push(id);
    }
    if ids.len() < all {
        return Err(Error::invalid(field, format!("name all {all} in their new order")));
    }
    Ok(ids)
}
