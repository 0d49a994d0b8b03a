//! Editing the next version.

use kenami_domain::view::guidelines::{Draft, DraftEdit};
use serde_json::json;
use sqlx::PgConnection;

use super::{load, text};
use crate::{
    actor::Actor,
    audit,
    catalog::Catalog,
    db::Db,
    error::{Error, Result},
    rights::{self, Operation},
};

/// The most characters of an introduction or rule in one language.
pub const MAX_TEXT: usize = 20_000;
/// The most characters of a change note.
pub const MAX_CHANGE_NOTE: usize = 1_000;
/// The most characters of an example's caption.
pub const MAX_CAPTION: usize = 200;

/// Saves the draft of the next version, and begins it where there is none.
///
/// # Errors
/// [`Error::Conflict`] if the draft is not the one that the editor started from; [`Error::Invalid`] for unknown values
/// and long texts; [`Error::NotFound`] for an unknown attribute or example photo; rights; the database.
pub async fn save_draft(actor: &Actor, db: &Db, project: &str, attribute: &str, edit: DraftEdit) -> Result<Draft> {
    let access = rights::require(actor, db, Operation::EditGuidelines, project).await?;
    text::check_texts("introduction", &edit.introduction)?;
    check_note(&edit.change_note)?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    lock(&mut tx, entry.id).await?;
    let stored = sqlx::query!(
        "SELECT id, updated_at FROM guideline_versions WHERE attribute_id = $1 AND version IS NULL",
        entry.id,
    )
    .fetch_optional(&mut *tx)
    .await?;
    if stored.as_ref().map(|draft| draft.updated_at) != edit.based_on {
        let message = match stored {
            Some(_) => "somebody else has saved this draft since you opened it: load it again and repeat your change",
            None => "the draft has been published or thrown away since you opened it: load the guideline again",
        };
        return Err(Error::Conflict(message.to_owned()));
    }
    let introduction = serde_json::to_value(&edit.introduction)?;
    let id = match stored {
        Some(draft) => {
            empty(&mut tx, draft.id).await?;
            sqlx::query_scalar!(
                "UPDATE guideline_versions SET introduction = $2, change_note = $3, updated_at = clock_timestamp()
                 WHERE id = $1 RETURNING id",
                draft.id,
                introduction,
                edit.change_note.trim(),
            )
            .fetch_one(&mut *tx)
            .await?
        }
        None => {
            sqlx::query_scalar!(
                "INSERT INTO guideline_versions (attribute_id, introduction, change_note, created_by, updated_at)
                 VALUES ($1, $2, $3, $4, clock_timestamp()) RETURNING id",
                entry.id,
                introduction,
                edit.change_note.trim(),
                access.user_id,
            )
            .fetch_one(&mut *tx)
            .await?
        }
    };
    text::write(&mut tx, access.project_id, id, entry, &edit.rules).await?;
    audit::record(&mut tx, &access, Operation::EditGuidelines, json!({ "draft": "saved", "attribute": attribute }))
        .await?;
    let draft = load::draft(&mut tx, &catalog, entry).await?;
    tx.commit().await?;
    Ok(draft)
}

/// Throws the draft away.
///
/// # Errors
/// [`Error::NotFound`] for an unknown attribute or where there is no draft; rights; the database.
pub async fn discard_draft(actor: &Actor, db: &Db, project: &str, attribute: &str) -> Result<()> {
    let access = rights::require(actor, db, Operation::EditGuidelines, project).await?;
    let mut tx = db.begin().await?;
    let catalog = Catalog::load(&mut *tx, access.project_id).await?;
    let entry = catalog.annotated_by_key(attribute)?;
    lock(&mut tx, entry.id).await?;
    let gone = sqlx::query!("DELETE FROM guideline_versions WHERE attribute_id = $1 AND version IS NULL", entry.id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    if gone == 0 {
        return Err(Error::NotFound("draft"));
    }
    let details = json!({ "draft": "thrown away", "attribute": attribute });
    audit::record(&mut tx, &access, Operation::EditGuidelines, details).await?;
    Ok(tx.commit().await?)
}

pub(super) fn check_note(note: &str) -> Result<()> {
    if note.chars().count() > MAX_CHANGE_NOTE {
        return Err(Error::invalid("change_note", format!("longer than {MAX_CHANGE_NOTE} characters")));
    }
    Ok(())
}

/// One editor at a time changes an attribute's guideline.
pub(super) async fn lock(connection: &mut PgConnection, attribute_id: i64) -> Result<()> {
    sqlx::query!("SELECT id FROM attributes WHERE id = $1 FOR NO KEY UPDATE", attribute_id)
        .fetch_one(connection)
        .await?;
    Ok(())
}

async fn empty(connection: &mut PgConnection, version_id: i64) -> Result<()> {
    sqlx::query!("DELETE FROM guideline_rules WHERE guideline_version_id = $1", version_id)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("DELETE FROM guideline_examples WHERE guideline_version_id = $1", version_id)
        .execute(connection)
        .await?;
    Ok(())
}
