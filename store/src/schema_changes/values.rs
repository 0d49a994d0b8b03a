//! Values: added, put in order, retired, restored, merged, split.

use kenami_domain::view::schema_change::NewValue;
use serde_json::Value;
use sqlx::PgConnection;

use super::{Change, attributes::in_order, before::retire_values, check_new_values, value_id};
use crate::error::{Error, Result};

impl Change<'_> {
    pub(super) async fn add_value(&mut self, attribute: &str, value: &NewValue) -> Result<()> {
        let id = self.open_attribute(attribute)?;
        let entry = self.catalog.by_id(id)?;
        check_new_values(Some(entry), std::slice::from_ref(value))?;
        let place = entry.attribute.values.len() as i32;
        let added = insert_values(self.tx, id, place, std::slice::from_ref(value)).await?;
        self.before.offered_values.extend(added);
        Ok(())
    }

    pub(super) async fn order_values(&mut self, attribute: &str, keys: &[String]) -> Result<()> {
        let id = self.open_attribute(attribute)?;
        let entry = self.catalog.by_id(id)?;
        let open = entry.attribute.values.iter().filter(|value| !value.retired).count();
        let offered = |key: &str| entry.attribute.value(key).filter(|value| !value.retired);
        let ids = in_order("values", keys, open, |key| offered(key).and_then(|value| entry.value_id(&value.key)))?;
        place_values(self.tx, id, &ids).await
    }

    pub(super) async fn retire_value(&mut self, attribute: &str, key: &str) -> Result<()> {
        let id = self.open_attribute(attribute)?;
        let entry = self.catalog.by_id(id)?;
        let value = self.offered_value(id, key)?;
        if entry.attribute.values.iter().filter(|value| !value.retired).count() <= 1 {
            return Err(Error::invalid("value", format!("`{key}` is the last value: retire the attribute")));
        }
        self.counts.labels_kept = self.standing(id, Some(value)).await?;
        self.before.retired_values.push(value);
        retire_values(self.tx, &[value], true).await
    }

    pub(super) async fn restore_value(&mut self, attribute: &str, key: &str) -> Result<()> {
        let id = self.open_attribute(attribute)?;
        let entry = self.catalog.by_id(id)?;
        let value = value_id(entry, "value", key)?;
        if entry.attribute.value(key).is_some_and(|value| !value.retired) {
            return Err(Error::invalid("value", format!("`{key}` is not retired")));
        }
        self.before.offered_values.push(value);
        retire_values(self.tx, &[value], false).await
    }

    pub(super) async fn merge_values(&mut self, attribute: &str, keys: &[String], into: &str) -> Result<()> {
        let given = self.catalog.is_given(attribute);
        let id = if given { self.given_attribute(attribute)? } else { self.open_attribute(attribute)? };
        let target = self.offered_value(id, into)?;
        let entry = self.catalog.by_id(id)?;
        let mut gone = Vec::with_capacity(keys.len());
        let mut open = Vec::new();
        for key in keys {
            // A given value that has been retired is another one already.
            let value = if given { self.offered_value(id, key)? } else { value_id(entry, "values", key)? };
            if value == target || gone.contains(&value) {
                return Err(Error::invalid("values", format!("`{key}` occurs twice")));
            }
            if entry.attribute.value(key).is_some_and(|value| !value.retired) {
                open.push(value);
            }
            gone.push(value);
        }
        if gone.is_empty() {
            return Err(Error::invalid("values", "name the values that become one with it"));
        }
        retire_values(self.tx, &open, true).await?;
        self.before.retired_values.extend(open);
        if given {
            return self.merge_given(id, &gone, target).await;
        }
        self.move_labels(id, &gone, target, keys, into).await?;
        self.move_decisions(id, &gone, target).await?;
        self.move_gold(id, &gone, target).await?;
        self.merge_priors(&gone, target).await?;
        self.settle_moved().await
    }

    pub(super) async fn split_value(
        &mut self,
        attribute: &str,
        key: &str,
        into: &[NewValue],
        keep: bool,
    ) -> Result<()> {
        let id = self.open_attribute(attribute)?;
        let value = self.offered_value(id, key)?;
        let entry = self.catalog.by_id(id)?;
        check_new_values(Some(entry), into)?;
        if into.len() < if keep { 1 } else { 2 } {
            return Err(Error::invalid("into", "a value is split into at least two"));
        }
        let open: Vec<i64> = (entry.attribute.values.iter().filter(|value| !value.retired))
            .filter_map(|value| entry.value_id(&value.key))
            .collect();
        let added = insert_values(self.tx, id, entry.attribute.values.len() as i32, into).await?;
        // The new ones come right after it.
        let order = open.iter().flat_map(|&old| {
            let new = if old == value { added.as_slice() } else { &[] };
            std::iter::once(old).chain(new.iter().copied())
        });
        let order: Vec<i64> = order.collect();
        place_values(self.tx, id, &order).await?;
        self.before.offered_values.extend(added);
        if !keep {
            self.before.retired_values.push(value);
            retire_values(self.tx, &[value], true).await?;
        }
        self.doubt(id, value).await
    }

    /// The id of a value that is offered.
    fn offered_value(&self, attribute_id: i64, key: &str) -> Result<i64> {
        let entry = self.catalog.by_id(attribute_id)?;
        let id = value_id(entry, "value", key)?;
        if entry.attribute.value(key).is_some_and(|value| value.retired) {
            return Err(Error::invalid("value", format!("`{key}` is retired: restore it first")));
        }
        Ok(id)
    }
}

/// Adds values after the first `place`; their ids, in order.
pub(super) async fn insert_values(
    tx: &mut PgConnection,
    attribute_id: i64,
    place: i32,
    values: &[NewValue],
) -> Result<Vec<i64>> {
    let mut ids = Vec::with_capacity(values.len());
    for (value, place) in values.iter().zip(place..) {
        let names: Value = serde_json::to_value(&value.names)?;
        let id = sqlx::query_scalar!(
            "INSERT INTO attribute_values (attribute_id, key, names, position)
             SELECT $1, $2, $3, greatest($4, coalesce(max(position) + 1, 0)) FROM attribute_values WHERE attribute_id = $1
             RETURNING id",
            attribute_id,
            value.key,
            names,
            place,
        )
        .fetch_one(&mut *tx)
        .await?;
        ids.push(id);
    }
    Ok(ids)
}

/// Puts values in the order of `ids`, and all others after them.
async fn place_values(tx: &mut PgConnection, attribute_id: i64, ids: &[i64]) -> Result<()> {
    sqlx::query!(
        "UPDATE attribute_values v SET position = coalesce(o.place, $3::bigint + b.position)::integer
         FROM attribute_values b LEFT JOIN unnest($2::bigint[]) WITH ORDINALITY AS o (id, place) ON o.id = b.id
         WHERE v.id = b.id AND v.attribute_id = $1",
        attribute_id,
        ids,
        ids.len() as i64 + 1,
    )
    .execute(tx)
    .await?;
    Ok(())
}
