//! One-time links: the first administrator's, invitations, a new sign-in for a known account.
//!
//! Only a hash of a link's secret is stored. A link is used up in the same transaction as its effect.

use kenami_domain::{
    roles::Role,
    view::people::{LinkOffer, OpenInvitation},
};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    actor::{Actor, UserActor},
    audit,
    db::Db,
    error::{Error, Result},
    members, passwords,
    people::{self, SignedIn},
    rights::{Operation, require, require_of, require_server},
    secrets,
};

/// Days that the first administrator's link lives; every start of the server makes a new one while it is needed.
const FIRST_ADMINISTRATOR_DAYS: i32 = 7;
/// Days that a sign-in link lives.
const SIGN_IN_DAYS: i32 = 3;
/// Key of the advisory lock on the question whether there is an administrator yet.
const FIRST_ADMINISTRATOR_LOCK: i64 = 0x6b65_6e61_6d69_0001;

/// A one-time link for the first administrator; nothing once there is an administrator with a way in (a password or a
/// token). It replaces the one made before, if that has not been used.
///
/// # Errors
/// As [`require_server`] for [`Operation::Bootstrap`].
pub async fn first_administrator(actor: &Actor, db: &Db) -> Result<Option<String>> {
    let by = require_server(actor, db, Operation::Bootstrap).await?;
    let mut tx = db.begin().await?;
    lock_first_administrator(&mut tx).await?;
    if has_administrator(&mut tx).await? {
        return Ok(None);
    }
    sqlx::query!(
        "UPDATE links SET revoked_at = now()
         WHERE purpose = 'first_administrator' AND used_at IS NULL AND revoked_at IS NULL",
    )
    .execute(&mut *tx)
    .await?;
    let secret = secrets::generate()?;
    sqlx::query!(
        "INSERT INTO links (token_hash, purpose, administrator, created_by, expires_at)
         VALUES ($1, 'first_administrator', true, $2, now() + make_interval(days => $3))",
        secrets::digest(&secret),
        by,
        FIRST_ADMINISTRATOR_DAYS,
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(secret))
}

/// Held to the end of the transaction: two links, or a link and another way, cannot both make the first administrator.
async fn lock_first_administrator(tx: &mut PgConnection) -> Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock($1)", FIRST_ADMINISTRATOR_LOCK).execute(tx).await?;
    Ok(())
}

async fn has_administrator(db: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM users u WHERE u.administrator AND NOT u.built_in AND u.disabled_at IS NULL
               AND (u.password_hash IS NOT NULL
                    OR EXISTS (SELECT FROM api_tokens t WHERE t.user_id = u.id AND t.revoked_at IS NULL))
           ) AS "exists!""#,
    )
    .fetch_one(db)
    .await?)
}

/// A new one-time link by which the owner of an account signs in and sets a password. It replaces the one made before.
///
/// # Errors
/// [`Error::NotFound`] for an unknown account, [`Error::Conflict`] for a disabled one.
pub async fn sign_in_link(actor: &Actor, db: &Db, user_id: i64) -> Result<String> {
    let by = require_server(actor, db, Operation::ManageUsers).await?;
    let mut tx = db.begin().await?;
    let secret = insert_sign_in(&mut tx, by, user_id, Operation::ManageUsers).await?;
    tx.commit().await?;
    Ok(secret)
}

/// [`sign_in_link`] by name, for the command line.
///
/// # Errors
/// As [`sign_in_link`].
pub async fn sign_in_link_for(actor: &Actor, db: &Db, user_name: &str) -> Result<String> {
    let by = require_server(actor, db, Operation::Bootstrap).await?;
    let mut tx = db.begin().await?;
    let user_id = people::find(&mut tx, user_name).await?;
    let secret = insert_sign_in(&mut tx, by, user_id, Operation::Bootstrap).await?;
    tx.commit().await?;
    Ok(secret)
}

async fn insert_sign_in(tx: &mut PgConnection, by: i64, user_id: i64, operation: Operation) -> Result<String> {
    // Locks the account, so that two links made at once do not both live.
    let disabled = sqlx::query_scalar!(
        r#"SELECT disabled_at IS NOT NULL AS "disabled!" FROM users
           WHERE id = $1 AND NOT built_in FOR NO KEY UPDATE"#,
        user_id,
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or(Error::NotFound("user"))?;
    if disabled {
        return Err(Error::Conflict("the account is disabled: enable it first".to_owned()));
    }
    revoke_sign_in(tx, user_id).await?;
    let secret = secrets::generate()?;
    sqlx::query!(
        "INSERT INTO links (token_hash, purpose, user_id, created_by, expires_at)
         VALUES ($1, 'sign_in', $2, $3, now() + make_interval(days => $4))",
        secrets::digest(&secret),
        user_id,
        by,
        SIGN_IN_DAYS,
    )
    .execute(&mut *tx)
    .await?;
    audit::record(tx, by, operation, json!({ "sign_in_link_for": user_id })).await?;
    Ok(secret)
}

async fn revoke_sign_in(tx: &mut PgConnection, user_id: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE links SET revoked_at = now()
         WHERE purpose = 'sign_in' AND user_id = $1 AND used_at IS NULL AND revoked_at IS NULL",
        user_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A one-time invitation to `project` with `role`, good for 1 to 90 `days`.
///
/// # Errors
/// [`Error::Invalid`] of `days`.
pub async fn invite(actor: &Actor, db: &Db, project: &str, role: Role, days: i64) -> Result<String> {
    let access = require(actor, db, Operation::ManageMembers, project).await?;
    let days = i32::try_from(days)
        .ok()
        .filter(|days| (1..=90).contains(days))
        .ok_or_else(|| Error::invalid("days", "must be 1 to 90"))?;
    let secret = secrets::generate()?;
    let mut tx = db.begin().await?;
    let link_id = sqlx::query_scalar!(
        "INSERT INTO links (token_hash, purpose, project_id, role, created_by, expires_at)
         VALUES ($1, 'invitation', $2, $3, $4, now() + make_interval(days => $5)) RETURNING id",
        secrets::digest(&secret),
        access.project_id,
        role.as_str(),
        access.user_id,
        days,
    )
    .fetch_one(&mut *tx)
    .await?;
    audit::record(&mut tx, access, Operation::ManageMembers, json!({ "invitation": link_id, "role": role })).await?;
    tx.commit().await?;
    Ok(secret)
}

/// Invitations to `project` that can still be used, newest first.
///
/// # Errors
/// As [`require`] for [`Operation::ManageMembers`].
pub async fn open_invitations(actor: &Actor, db: &Db, project: &str) -> Result<Vec<OpenInvitation>> {
    let access = require(actor, db, Operation::ManageMembers, project).await?;
    let rows = sqlx::query!(
        r#"SELECT l.id, l.role AS "role!", coalesce(u.name, '') AS "created_by!", l.expires_at
           FROM links l LEFT JOIN users u ON u.id = l.created_by
           WHERE l.project_id = $1 AND l.purpose = 'invitation'
             AND l.used_at IS NULL AND l.revoked_at IS NULL AND l.expires_at > now()
           ORDER BY l.id DESC"#,
        access.project_id,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let role = row.role.parse().map_err(Error::internal)?;
            Ok(OpenInvitation { id: row.id, role, created_by: row.created_by, expires_at: row.expires_at })
        })
        .collect()
}

/// Revokes an invitation that has not been used.
///
/// # Errors
/// [`Error::NotFound`] if there is no such invitation, or it has been used or revoked.
pub async fn revoke(actor: &Actor, db: &Db, link_id: i64) -> Result<()> {
    let project_id =
        sqlx::query_scalar!("SELECT project_id FROM links WHERE id = $1 AND purpose = 'invitation'", link_id)
            .fetch_optional(db)
            .await?
            .flatten();
    let access = require_of(actor, db, Operation::ManageMembers, project_id, "link").await?;
    let mut tx = db.begin().await?;
    let revoked = sqlx::query!(
        "UPDATE links SET revoked_at = now() WHERE id = $1 AND used_at IS NULL AND revoked_at IS NULL",
        link_id,
    )
    .execute(&mut *tx)
    .await?;
    if revoked.rows_affected() == 0 {
        return Err(Error::NotFound("link"));
    }
    audit::record(&mut tx, access, Operation::ManageMembers, json!({ "revoked_invitation": link_id })).await?;
    Ok(tx.commit().await?)
}

/// What a link offers, shown before it is used. Looking does not use it.
///
/// # Errors
/// [`Error::NotFound`] if the link is unknown, used, revoked, too old or without purpose by now.
pub async fn offer(db: &Db, secret: &str) -> Result<LinkOffer> {
    let row = sqlx::query!(
        r#"SELECT l.purpose, l.administrator, l.role, p.name AS "project_name?", u.name AS "user_name?"
           FROM links l LEFT JOIN projects p ON p.id = l.project_id LEFT JOIN users u ON u.id = l.user_id
           WHERE l.token_hash = $1 AND l.used_at IS NULL AND l.revoked_at IS NULL AND l.expires_at > now()
             AND u.disabled_at IS NULL"#,
        secrets::digest(secret),
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::NotFound("link"))?;
    if row.purpose == "first_administrator" && has_administrator(&mut *db.acquire().await?).await? {
        return Err(Error::NotFound("link"));
    }
    let role = row.role.as_deref().map(str::parse).transpose().map_err(Error::internal)?;
    Ok(LinkOffer { administrator: row.administrator, project_name: row.project_name, role, user_name: row.user_name })
}

/// Uses a link, once.
///
/// The first administrator's link, and an invitation where nobody is signed in, make an account: `name` and `password` are
/// needed. A signed-in actor joins the project with their own account, and keeps a higher role. A sign-in link sets
/// `password` and ends the account's other sessions.
///
/// # Errors
/// [`Error::NotFound`] as [`offer`], [`Error::Invalid`] of `name` or `password`, [`Error::Conflict`] if the name is taken:
/// in the last two cases the link can be used again.
pub async fn accept(
    actor: &Actor,
    db: &Db,
    secret: &str,
    name: Option<&str>,
    password: Option<&str>,
) -> Result<SignedIn> {
    let signed_in = match actor.user() {
        Some(_) => Some(require_server(actor, db, Operation::OwnAccount).await?),
        None => None,
    };
    // A dead link costs no hash.
    let offered = offer(db, secret).await?;
    let joins = if offered.role.is_some() { signed_in } else { None };
    let hash = match joins {
        Some(_) => None,
        None => {
            let password = password.ok_or_else(|| Error::invalid("password", "is needed"))?;
            passwords::check(password)?;
            Some(passwords::hash(password).await?)
        }
    };
    let mut tx = db.begin().await?;
    if offered.administrator {
        lock_first_administrator(&mut tx).await?;
        if has_administrator(&mut tx).await? {
            return Err(Error::NotFound("link"));
        }
    }
    let link = use_up(&mut tx, secret).await?;
    let user_id = match (link.user_id, joins, hash) {
        (Some(user_id), _, Some(hash)) => set_password(&mut tx, user_id, &hash).await?,
        (None, Some(user_id), _) => user_id,
        (None, None, Some(hash)) => {
            let name = name.ok_or_else(|| Error::invalid("name", "is needed"))?;
            people::insert(&mut tx, name, Some(&hash), link.administrator).await?
        }
        // Unreachable as long as a link's purpose cannot change.
        (_, _, None) => return Err(Error::NotFound("link")),
    };
    if let (Some(project_id), Some(role)) = (link.project_id, link.role) {
        members::join(&mut tx, project_id, user_id, role).await?;
    }
    let signed_in = note_use(&mut tx, &link, user_id).await?;
    tx.commit().await?;
    passwords::forget_failures(db, &signed_in.user.name).await?;
    Ok(signed_in)
}

struct Link {
    id: i64,
    user_id: Option<i64>,
    project_id: Option<i64>,
    role: Option<Role>,
    administrator: bool,
}

/// Marks the link as used; of two that try at once the second waits for the first and then finds it used.
async fn use_up(tx: &mut PgConnection, secret: &str) -> Result<Link> {
    let row = sqlx::query!(
        "UPDATE links SET used_at = now()
         WHERE token_hash = $1 AND used_at IS NULL AND revoked_at IS NULL AND expires_at > now()
         RETURNING id, user_id, project_id, role, administrator",
        secrets::digest(secret),
    )
    .fetch_optional(tx)
    .await?
    .ok_or(Error::NotFound("link"))?;
    Ok(Link {
        id: row.id,
        user_id: row.user_id,
        project_id: row.project_id,
        role: row.role.as_deref().map(str::parse).transpose().map_err(Error::internal)?,
        administrator: row.administrator,
    })
}

async fn set_password(tx: &mut PgConnection, user_id: i64, hash: &str) -> Result<i64> {
    sqlx::query_scalar!(
        "UPDATE users SET password_hash = $2, session_epoch = session_epoch + 1
         WHERE id = $1 AND disabled_at IS NULL AND NOT built_in RETURNING id",
        user_id,
        hash,
    )
    .fetch_optional(tx)
    .await?
    .ok_or(Error::NotFound("link"))
}

/// Writes down who used the link and reads the account as the session needs it.
async fn note_use(tx: &mut PgConnection, link: &Link, user_id: i64) -> Result<SignedIn> {
    sqlx::query!("UPDATE links SET used_by = $2 WHERE id = $1", link.id, user_id).execute(&mut *tx).await?;
    let account = sqlx::query!("SELECT id, name, administrator, session_epoch FROM users WHERE id = $1", user_id)
        .fetch_one(&mut *tx)
        .await?;
    audit::record(tx, user_id, Operation::UseLink, json!({ "link": link.id, "project_id": link.project_id })).await?;
    Ok(SignedIn {
        user: UserActor { id: account.id, name: account.name, administrator: account.administrator },
        session_epoch: account.session_epoch,
    })
}
