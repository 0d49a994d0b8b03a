//! Changes of attributes and their values, with what each does to labels: shown first, made, listed, undone.
//!
//! Labels, decisions and gold answers that move are appended anew and supersede what was there; `schema_change_rows` holds
//! both, so that undoing can put it back. Who is answering meanwhile is either seen here or sees the change: a change locks
//! the project's attributes, which every new label refers to (see `annotate::write`).

mod again;
mod attributes;
mod before;
mod carry;
mod given;
mod move_rows;
mod overview;
mod rename;
mod undo;
mod values;

use kenami_domain::{
    schema::{Texts, is_valid_key},
    view::schema_change::{Bound, NewValue, SchemaChange, SchemaChangeRecord, SchemaCounts, Undone},
};
use serde_json::json;
use sqlx::{PgConnection, types::Json};

use self::before::Before;
pub use self::{overview::attributes, undo::undo};
use crate::{
    actor::Actor,
    audit,
    catalog::{Catalog, Entry},
    db::Db,
    error::{Error, Result},
    rights::{Access, Operation, require},
    schema, slots,
};

/// Changes in a listing at most.
const LISTED: i64 = 100;
/// Values of an attribute at most.
const MAX_VALUES: usize = 1_000;
/// Characters of a name in one language at most.
const MAX_NAME: usize = 100;

/// What a change would concern now; nothing is changed.
///
/// # Errors
/// As [`apply`].
pub async fn preview(actor: &Actor, db: &Db, key: &str, change: &SchemaChange) -> Result<SchemaCounts> {
    let access = require(actor, db, Operation::ManageProject, key).await?;
    let mut tx = db.begin().await?;
    let (_, counts) = make(&mut tx, &access, change).await?;
    tx.rollback().await?;
    Ok(counts)
}

/// Makes a change; its record.
///
/// # Errors
/// [`Error::Invalid`] of a key, a name, an order that leaves something out, an answer that is none, or names that are as
/// they were; [`Error::Conflict`] where a key is taken; [`Error::NotFound`] for an unknown attribute; rights; the database.
pub async fn apply(actor: &Actor, db: &Db, key: &str, change: &SchemaChange) -> Result<SchemaChangeRecord> {
    let access = require(actor, db, Operation::ManageProject, key).await?;
    let mut tx = db.begin().await?;
    let (id, counts) = make(&mut tx, &access, change).await?;
    let details = json!({ "schema_change": id, "change": change, "counts": counts });
    audit::record(&mut tx, &access, Operation::ManageProject, details).await?;
    tx.commit().await?;
    if counts.photos_returned > 0 || counts.photos_opened > 0 {
        slots::recount(db, access.project_id).await?;
    }
    let made = list(actor, db, key).await?.into_iter().find(|record| record.id == id);
    made.ok_or(Error::NotFound("change"))
}

/// The newest changes of a project, the newest first.
///
/// # Errors
/// As [`require`] for [`Operation::ManageProject`]; the database.
pub async fn list(actor: &Actor, db: &Db, key: &str) -> Result<Vec<SchemaChangeRecord>> {
    let access = require(actor, db, Operation::ManageProject, key).await?;
    let mut connection = db.acquire().await?;
    let rows = sqlx::query!(
        r#"SELECT c.id, c.change AS "change: Json<SchemaChange>", c.counts AS "counts: Json<SchemaCounts>",
                  u.name AS by, c.created_at, c.undone_at, n.name AS "undone_by?"
           FROM schema_changes c JOIN users u ON u.id = c.created_by LEFT JOIN users n ON n.id = c.undone_by
           WHERE c.project_id = $1 ORDER BY c.id DESC LIMIT $2"#,
        access.project_id,
        LISTED,
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut records = Vec::with_capacity(rows.len());
    let mut newest = true;
    for row in rows {
        let undone = row.undone_by.zip(row.undone_at).map(|(by, at)| Undone { by, at });
        let bound = match (&undone, newest) {
            (Some(_), _) => None,
            (None, false) => Some(Bound::Later),
            (None, true) => {
                newest = false;
                undo::labelled_on_top(&mut connection, row.id, &row.change.0).await?.then_some(Bound::Labelled)
            }
        };
        let (change, counts) = (row.change.0, row.counts.0);
        records.push(SchemaChangeRecord { id: row.id, change, counts, by: row.by, at: row.created_at, undone, bound });
    }
    Ok(records)
}

/// What a change is made with.
struct Change<'a> {
    tx: &'a mut PgConnection,
    access: &'a Access,
    catalog: Catalog,
    /// The id of its row.
    id: i64,
    before: Before,
    counts: SchemaCounts,
}

/// Makes the change within the transaction; its id and what it concerns.
async fn make(tx: &mut PgConnection, access: &Access, change: &SchemaChange) -> Result<(i64, SchemaCounts)> {
    let claims = matches!(change, SchemaChange::SplitValue { .. } | SchemaChange::AddAttribute { ask: true, .. });
    lock(tx, access.project_id, claims).await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let id = sqlx::query_scalar!(
        "INSERT INTO schema_changes (project_id, change, counts, before, last_label, last_decision, created_by)
         VALUES ($1, $2, '{}', '{}', 0, 0, $3) RETURNING id",
        access.project_id,
        serde_json::to_value(change)?,
        access.user_id,
    )
    .fetch_one(&mut *tx)
    .await?;
    let before = Before::read(&mut *tx, access.project_id).await?;
    let mut made = Change { tx, access, catalog, id, before, counts: SchemaCounts::default() };
    made.dispatch(change).await?;
    let Change { before, counts, .. } = made;
    sqlx::query!(
        "UPDATE schema_changes SET counts = $2, before = $3,
             last_label = (SELECT coalesce(max(id), 0) FROM labels),
             last_decision = (SELECT coalesce(max(id), 0) FROM adjudications)
         WHERE id = $1",
        id,
        serde_json::to_value(&counts)?,
        serde_json::to_value(&before)?,
    )
    .execute(tx)
    .await?;
    Ok((id, counts))
}

/// Waits for imports and for labels that are just being written, and keeps new ones waiting. Where `claims` may go back,
/// annotators are locked, before attributes, as those who answer lock them.
async fn lock(tx: &mut PgConnection, project_id: i64, claims: bool) -> Result<()> {
    schema::lock(tx, project_id).await?;
    if claims {
        slots::lock_annotators(&mut *tx, project_id).await?;
    }
    sqlx::query!("SELECT id FROM attributes WHERE project_id = $1 ORDER BY id FOR UPDATE", project_id)
        .fetch_all(tx)
        .await?;
    Ok(())
}

impl Change<'_> {
    async fn dispatch(&mut self, change: &SchemaChange) -> Result<()> {
        match change {
            SchemaChange::AddAttribute { key, names, values, from, ask } => {
                self.add_attribute(key, names, values, from.as_ref(), *ask).await
            }
            SchemaChange::Rename { attribute, names, values } => self.rename(attribute, names.as_ref(), values).await,
            SchemaChange::OrderAttributes { attributes } => self.order_attributes(attributes).await,
            SchemaChange::RetireAttribute { attribute } => self.retire_attribute(attribute).await,
            SchemaChange::RestoreAttribute { attribute } => self.restore_attribute(attribute).await,
            SchemaChange::MergeAttributes { from, into } => self.merge_attributes(from, into).await,
            SchemaChange::AddValue { attribute, value } => self.add_value(attribute, value).await,
            SchemaChange::OrderValues { attribute, values } => self.order_values(attribute, values).await,
            SchemaChange::RetireValue { attribute, value } => self.retire_value(attribute, value).await,
            SchemaChange::RestoreValue { attribute, value } => self.restore_value(attribute, value).await,
            SchemaChange::MergeValues { attribute, values, into } => self.merge_values(attribute, values, into).await,
            SchemaChange::SplitValue { attribute, value, into, keep } => {
                self.split_value(attribute, value, into, *keep).await
            }
        }
    }
}

/// The id of an attribute's value.
///
/// # Errors
/// [`Error::Invalid`] of `field`.
fn value_id(entry: &Entry, field: &'static str, key: &str) -> Result<i64> {
    entry.value_id(key).ok_or_else(|| Error::invalid(field, format!("`{}` has no value `{key}`", entry.key())))
}

/// Refuses what cannot be a key.
fn check_key(field: &'static str, key: &str) -> Result<()> {
    if is_valid_key(key) {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("`{key}` cannot be a key: letters, digits, `_` and `-`, at most 64, and not not_visible or unsure"),
    ))
}

/// Refuses long names.
fn check_names(names: &Texts) -> Result<()> {
    if names.0.values().any(|name| name.chars().count() > MAX_NAME) {
        return Err(Error::invalid("names", format!("a name is longer than {MAX_NAME} characters")));
    }
    Ok(())
}

/// Refuses new values whose keys are none, taken, or twice there.
fn check_new_values(known: Option<&Entry>, values: &[NewValue]) -> Result<()> {
    for (place, value) in values.iter().enumerate() {
        check_key("values", &value.key)?;
        check_names(&value.names)?;
        if values[..place].iter().any(|other| other.key == value.key) {
            return Err(Error::invalid("values", format!("`{}` occurs twice", value.key)));
        }
        if let Some(taken) = known.and_then(|entry| entry.attribute.value(&value.key)) {
            let hint = if taken.retired { ", retired: restore it" } else { "" };
            return Err(Error::Conflict(format!("there is a value `{}` already{hint}", value.key)));
        }
    }
    if known.map_or(0, |entry| entry.attribute.values.len()) + values.len() > MAX_VALUES {
        return Err(Error::invalid("values", format!("an attribute has at most {MAX_VALUES} values")));
    }
    Ok(())
}
