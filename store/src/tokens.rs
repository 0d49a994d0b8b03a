//! API tokens: for scripts, with all the rights of their owner.

use kenami_domain::view::people::TokenRow;
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    actor::{Actor, UserActor},
    audit,
    db::Db,
    error::{Error, Result},
    people,
    rights::{Operation, require_server},
    secrets,
};

/// What every token's secret begins with, so that people and scanners know it for what it is.
pub const PREFIX: &str = "kenami_";

/// Makes a token of the acting account; returns the secret, which is shown once. `label` says what it is for.
///
/// # Errors
/// [`Error::Invalid`] of a `label` over 100 characters; [`Error::Conflict`] for the command line's own account.
pub async fn create(actor: &Actor, db: &Db, label: &str) -> Result<String> {
    let user_id = require_server(actor, db, Operation::OwnAccount).await?;
    people::refuse_built_in(actor)?;
    let label = label.trim();
    if label.chars().count() > 100 {
        return Err(Error::invalid("label", "must have at most 100 characters"));
    }
    let mut tx = db.begin().await?;
    let secret = insert(&mut tx, user_id, label).await?;
    tx.commit().await?;
    Ok(secret)
}

/// Makes a token for the account `user_name`, from the command line; returns the secret.
///
/// # Errors
/// [`Error::NotFound`] if there is no such account.
pub async fn create_for(actor: &Actor, db: &Db, user_name: &str) -> Result<String> {
    let by = require_server(actor, db, Operation::Bootstrap).await?;
    let mut tx = db.begin().await?;
    let user_id = people::find(&mut tx, user_name).await?;
    let secret = insert(&mut tx, user_id, "command line").await?;
    audit::record(&mut tx, by, Operation::Bootstrap, json!({ "token_for": user_id })).await?;
    tx.commit().await?;
    Ok(secret)
}

async fn insert(tx: &mut PgConnection, user_id: i64, label: &str) -> Result<String> {
    let secret = format!("{PREFIX}{}", secrets::generate()?);
    sqlx::query!(
        "INSERT INTO api_tokens (user_id, token_hash, label) VALUES ($1, $2, $3)",
        user_id,
        secrets::digest(&secret),
        label,
    )
    .execute(tx)
    .await?;
    Ok(secret)
}

/// The acting account's tokens that hold, newest first.
///
/// # Errors
/// As [`require_server`] for [`Operation::OwnAccount`].
pub async fn list(actor: &Actor, db: &Db) -> Result<Vec<TokenRow>> {
    let user_id = require_server(actor, db, Operation::OwnAccount).await?;
    Ok(sqlx::query_as!(
        TokenRow,
        "SELECT id, label, created_at, last_used_at FROM api_tokens
         WHERE user_id = $1 AND revoked_at IS NULL ORDER BY id DESC",
        user_id,
    )
    .fetch_all(db)
    .await?)
}

/// Revokes one of the acting account's tokens.
///
/// # Errors
/// [`Error::NotFound`] if the account has no such token, or revoked it before.
pub async fn revoke(actor: &Actor, db: &Db, token_id: i64) -> Result<()> {
    let user_id = require_server(actor, db, Operation::OwnAccount).await?;
    let revoked = sqlx::query!(
        "UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL",
        token_id,
        user_id,
    )
    .execute(db)
    .await?;
    if revoked.rows_affected() == 1 { Ok(()) } else { Err(Error::NotFound("token")) }
}

/// The account whose token this is, or nothing if the token is unknown or revoked or the account disabled.
///
/// # Errors
/// The database fails.
pub async fn authenticate(db: &Db, secret: &str) -> Result<Option<UserActor>> {
    if !secret.starts_with(PREFIX) {
        return Ok(None);
    }
    let row = sqlx::query!(
        r#"SELECT t.id, u.id AS user_id, u.name, u.administrator,
                  t.last_used_at IS NULL OR t.last_used_at < now() - interval '1 minute' AS "stale!"
           FROM api_tokens t JOIN users u ON u.id = t.user_id
           WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND u.disabled_at IS NULL AND NOT u.built_in"#,
        secrets::digest(secret),
    )
    .fetch_optional(db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    // To the minute is enough, and spares a write a request.
    if row.stale {
        sqlx::query!("UPDATE api_tokens SET last_used_at = now() WHERE id = $1", row.id).execute(db).await?;
    }
    Ok(Some(UserActor { id: row.user_id, name: row.name, administrator: row.administrator }))
}
