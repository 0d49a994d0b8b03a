//! Accounts: signing in, passwords, listing, disabling.

use kenami_domain::{
    language::Language,
    view::people::{Me, UserRow},
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    actor::{Actor, UserActor},
    audit,
    db::Db,
    error::{Error, Result},
    passwords,
    rights::{Operation, require_server},
    slots,
};

/// A fresh sign-in: what a session remembers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The account.
    pub user: UserActor,
    /// The epoch that the session carries; see [`session_user`].
    pub session_epoch: i64,
}

/// The account of a session, as every request needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionAccount {
    /// The account.
    pub user: UserActor,
    /// The language that it has chosen for the pages.
    pub language: Option<Language>,
}

/// Whether `name` may name an account: 1 to 64 ASCII letters, digits, `.`, `_`, `-`, first a letter or digit.
pub fn is_valid_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn check_name(name: &str) -> Result<()> {
    if is_valid_name(name) {
        Ok(())
    } else {
        Err(Error::invalid(
            "name",
            "must have 1 to 64 letters (a to z), digits, dots, hyphens or underscores, and begin with a letter or digit",
        ))
    }
}

/// Signs in by name (whatever its case) and password.
///
/// # Errors
/// [`Error::Unauthenticated`] if they do not fit, the account is disabled or has no password: the same in each case, after
/// the same time. [`Error::TooMany`] after five failures in a row, with a pause that grows.
pub async fn sign_in(db: &Db, name: &str, password: &str) -> Result<SignedIn> {
    // A name that no account can have is neither looked up nor counted.
    let valid = is_valid_name(name);
    if valid {
        passwords::throttle(db, name).await?;
    }
    let account = if valid {
        sqlx::query!(
            r#"SELECT id, name, administrator, session_epoch, password_hash AS "password_hash!"
               FROM users
               WHERE lower(name) = lower($1) AND disabled_at IS NULL AND NOT built_in AND password_hash IS NOT NULL"#,
            name,
        )
        .fetch_optional(db)
        .await?
    } else {
        None
    };
    let fits = passwords::verify(password, account.as_ref().map(|a| a.password_hash.clone())).await?;
    match account.filter(|_| fits) {
        Some(account) => {
            passwords::forget_failures(db, name).await?;
            Ok(SignedIn {
                user: UserActor { id: account.id, name: account.name, administrator: account.administrator },
                session_epoch: account.session_epoch,
            })
        }
        None => Err(Error::Unauthenticated),
    }
}

/// The account of a session, or nothing if the session no longer holds: the account is disabled, or its epoch has moved on
/// with a new password.
///
/// # Errors
/// The database fails.
pub async fn session_user(db: &Db, user_id: i64, session_epoch: i64) -> Result<Option<SessionAccount>> {
    let row = sqlx::query!(
        "SELECT id, name, administrator, language FROM users
         WHERE id = $1 AND session_epoch = $2 AND disabled_at IS NULL AND NOT built_in",
        user_id,
        session_epoch,
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| SessionAccount {
        user: UserActor { id: row.id, name: row.name, administrator: row.administrator },
        language: language_of(row.language),
    }))
}

/// A stored language code; the table's check keeps any other out.
fn language_of(code: Option<String>) -> Option<Language> {
    code.and_then(|code| code.parse().ok())
}

/// The acting account.
///
/// # Errors
/// As [`require_server`] for [`Operation::OwnAccount`].
pub async fn me(actor: &Actor, db: &Db) -> Result<Me> {
    let user_id = require_server(actor, db, Operation::OwnAccount).await?;
    let row = sqlx::query!(
        r#"SELECT id, name, administrator, password_hash IS NOT NULL AS "has_password!", language
           FROM users WHERE id = $1"#,
        user_id,
    )
    .fetch_one(db)
    .await?;
    Ok(Me {
        id: row.id,
        name: row.name,
        administrator: row.administrator,
        has_password: row.has_password,
        language: language_of(row.language),
    })
}

/// Sets the language that the acting account wants the pages in; none leaves it to the browser.
///
/// # Errors
/// As [`require_server`] for [`Operation::OwnAccount`]; [`Error::Conflict`] for the command line, which sees no pages.
pub async fn set_language(actor: &Actor, db: &Db, language: Option<Language>) -> Result<()> {
    let user_id = require_server(actor, db, Operation::OwnAccount).await?;
    refuse_built_in(actor)?;
    sqlx::query!("UPDATE users SET language = $2 WHERE id = $1", user_id, language.map(Language::code))
        .execute(db)
        .await?;
    Ok(())
}

/// Changes the acting account's password and returns the new session epoch: every other session dies. `current` is needed
/// where there is a password.
///
/// # Errors
/// [`Error::Invalid`] of `current` or `password`, [`Error::TooMany`] after five wrong ones in a row, [`Error::Conflict`]
/// for the command line, which cannot sign in, and if the password was changed at the same moment.
pub async fn change_password(actor: &Actor, db: &Db, current: Option<&str>, new: &str) -> Result<i64> {
    let user_id = require_server(actor, db, Operation::OwnAccount).await?;
    refuse_built_in(actor)?;
    passwords::check(new)?;
    let account = sqlx::query!("SELECT name, password_hash FROM users WHERE id = $1", user_id).fetch_one(db).await?;
    if let Some(stored) = &account.password_hash {
        passwords::throttle(db, &account.name).await?;
        if !passwords::verify(current.unwrap_or_default(), Some(stored.clone())).await? {
            return Err(Error::invalid("current", "is not the present password"));
        }
        passwords::forget_failures(db, &account.name).await?;
    }
    let hash = passwords::hash(new).await?;
    sqlx::query_scalar!(
        "UPDATE users SET password_hash = $2, session_epoch = session_epoch + 1
         WHERE id = $1 AND password_hash IS NOT DISTINCT FROM $3
         RETURNING session_epoch",
        user_id,
        hash,
        account.password_hash,
    )
    .fetch_optional(db)
    .await?
    .ok_or_else(|| Error::Conflict("the password was changed elsewhere just now".to_owned()))
}

/// Refuses what only an account that can sign in may have.
pub(crate) fn refuse_built_in(actor: &Actor) -> Result<()> {
    match actor {
        Actor::System => Err(Error::Conflict("the command line's own account cannot sign in".to_owned())),
        Actor::User(_) | Actor::Anonymous => Ok(()),
    }
}

/// All accounts but the built-in one, by name.
///
/// # Errors
/// As [`require_server`] for [`Operation::ManageUsers`].
pub async fn list(actor: &Actor, db: &Db) -> Result<Vec<UserRow>> {
    require_server(actor, db, Operation::ManageUsers).await?;
    Ok(sqlx::query_as!(
        UserRow,
        r#"SELECT id, name, administrator, password_hash IS NOT NULL AS "has_password!",
                  disabled_at IS NOT NULL AS "disabled!", created_at
           FROM users WHERE NOT built_in ORDER BY lower(name)"#,
    )
    .fetch_all(db)
    .await?)
}

/// Disables or enables an account. Disabling ends its sessions, gives back the photos it holds and revokes the links it made.
///
/// # Errors
/// [`Error::NotFound`] for an unknown account, [`Error::Conflict`] if no administrator who can sign in would be left.
pub async fn set_disabled(actor: &Actor, db: &Db, user_id: i64, disabled: bool) -> Result<()> {
    let by = require_server(actor, db, Operation::ManageUsers).await?;
    let mut tx = db.begin().await?;
    if disabled {
        keep_an_administrator(&mut tx, user_id).await?;
    }
    let changed = sqlx::query!(
        "UPDATE users SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, now()) END,
                          session_epoch = session_epoch + CASE WHEN $2 THEN 1 ELSE 0 END
         WHERE id = $1 AND NOT built_in",
        user_id,
        disabled,
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Error::NotFound("user"));
    }
    if disabled {
        sqlx::query!(
            "UPDATE links SET revoked_at = now()
             WHERE (created_by = $1 OR user_id = $1) AND used_at IS NULL AND revoked_at IS NULL",
            user_id,
        )
        .execute(&mut *tx)
        .await?;
        slots::release_user(&mut tx, user_id, None).await?;
    }
    audit::record(&mut tx, by, Operation::ManageUsers, json!({ "user_id": user_id, "disabled": disabled })).await?;
    Ok(tx.commit().await?)
}

/// Refuses if `user_id` is the last enabled administrator, or the last of them who has a password. Locks all
/// administrators, so that two of them cannot disable each other at the same moment.
async fn keep_an_administrator(tx: &mut PgConnection, user_id: i64) -> Result<()> {
    let administrators = sqlx::query!(
        r#"SELECT id, password_hash IS NOT NULL AS "has_password!" FROM users
           WHERE administrator AND NOT built_in AND disabled_at IS NULL ORDER BY id FOR UPDATE"#,
    )
    .fetch_all(tx)
    .await?;
    let Some(target) = administrators.iter().find(|a| a.id == user_id) else { return Ok(()) };
    let left = administrators.iter().any(|a| a.id != user_id && (a.has_password || !target.has_password));
    if left { Ok(()) } else { Err(Error::Conflict("this is the last administrator who can sign in".to_owned())) }
}

/// Makes an account without a password and returns its id; a sign-in link lets its owner set one.
///
/// # Errors
/// [`Error::Invalid`] of `name`, [`Error::Conflict`] if it is taken, whatever its case.
pub async fn create(actor: &Actor, db: &Db, name: &str, administrator: bool) -> Result<i64> {
    let by = require_server(actor, db, Operation::ManageUsers).await?;
    let mut tx = db.begin().await?;
    let id = insert(&mut tx, name, None, administrator).await?;
    let details = json!({ "user_id": id, "created": name, "administrator": administrator });
    audit::record(&mut tx, by, Operation::ManageUsers, details).await?;
    tx.commit().await?;
    Ok(id)
}

/// Inserts an account; checks no rights.
pub(crate) async fn insert(
    tx: &mut PgConnection,
    name: &str,
    password_hash: Option<&str>,
    administrator: bool,
) -> Result<i64> {
    check_name(name)?;
    sqlx::query_scalar!(
        "INSERT INTO users (name, password_hash, administrator) VALUES ($1, $2, $3)
         ON CONFLICT (lower(name)) DO NOTHING RETURNING id",
        name,
        password_hash,
        administrator,
    )
    .fetch_optional(tx)
    .await?
    .ok_or_else(|| Error::Conflict(format!("the name {name} is taken")))
}

/// The id of the account with this name, made without a password if there is none.
///
/// # Errors
/// [`Error::Invalid`] of `name`; [`Error::Conflict`] for the built-in account's.
pub async fn ensure(actor: &Actor, db: &Db, name: &str) -> Result<i64> {
    let by = require_server(actor, db, Operation::Bootstrap).await?;
    let mut tx = db.begin().await?;
    let known = sqlx::query!("SELECT id, built_in FROM users WHERE lower(name) = lower($1)", name)
        .fetch_optional(&mut *tx)
        .await?;
    let id = match known {
        Some(account) if account.built_in => return Err(Error::Conflict(format!("the name {name} is taken"))),
        Some(account) => account.id,
        None => {
            let id = insert(&mut tx, name, None, false).await?;
            audit::record(&mut tx, by, Operation::Bootstrap, json!({ "user_id": id, "created": name })).await?;
            id
        }
    };
    tx.commit().await?;
    Ok(id)
}

/// The id of the account with this name, whatever its case; never the built-in one. Checks no rights.
pub(crate) async fn find(db: &mut PgConnection, name: &str) -> Result<i64> {
    sqlx::query_scalar!("SELECT id FROM users WHERE lower(name) = lower($1) AND NOT built_in", name)
        .fetch_optional(db)
        .await?
        .ok_or(Error::NotFound("user"))
}
