//! Members of projects and their roles.

use kenami_domain::{roles::Role, view::people::Member};
use serde_json::json;
use sqlx::PgConnection;

use crate::{
    actor::Actor,
    audit,
    db::Db,
    error::{Error, Result},
    people,
    rights::{Access, Operation, require},
    slots,
};

/// A project's members by name, with the photos they finished.
///
/// # Errors
/// As [`require`] for [`Operation::ManageMembers`].
pub async fn list(actor: &Actor, db: &Db, key: &str) -> Result<Vec<Member>> {
    let access = require(actor, db, Operation::ManageMembers, key).await?;
    let rows = sqlx::query!(
        r#"SELECT m.user_id, u.name, m.role, m.sees_suggestions,
                  (SELECT count(*) FROM annotators a JOIN claims c ON c.annotator_id = a.id
                   WHERE a.project_id = m.project_id AND a.user_id = m.user_id
                     AND c.done_at IS NOT NULL AND c.released_at IS NULL) AS "photos_done!"
           FROM memberships m JOIN users u ON u.id = m.user_id
           WHERE m.project_id = $1 ORDER BY lower(u.name)"#,
        access.project_id,
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let role = row.role.parse().map_err(Error::internal)?;
            Ok(Member {
                user_id: row.user_id,
                name: row.name,
                role,
                photos_done: row.photos_done,
                sees_suggestions: row.sees_suggestions,
            })
        })
        .collect()
}

/// Changes a member's role. Who is no lead any more loses the invitations they made.
///
/// # Errors
/// [`Error::NotFound`] if the account is no member.
pub async fn set_role(actor: &Actor, db: &Db, key: &str, user_id: i64, role: Role) -> Result<()> {
    let access = require(actor, db, Operation::ManageMembers, key).await?;
    let mut tx = db.begin().await?;
    let changed = sqlx::query!(
        "UPDATE memberships SET role = $3 WHERE project_id = $1 AND user_id = $2",
        access.project_id,
        user_id,
        role.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Err(Error::NotFound("member"));
    }
    note_role(&mut tx, &access, user_id, role).await?;
    Ok(tx.commit().await?)
}

/// Takes a member out: the photos they hold go back to the queue, the invitations they made die, their labels stay.
///
/// # Errors
/// [`Error::NotFound`] if the account is no member.
pub async fn remove(actor: &Actor, db: &Db, key: &str, user_id: i64) -> Result<()> {
    let access = require(actor, db, Operation::ManageMembers, key).await?;
    let mut tx = db.begin().await?;
    let removed =
        sqlx::query!("DELETE FROM memberships WHERE project_id = $1 AND user_id = $2", access.project_id, user_id,)
            .execute(&mut *tx)
            .await?;
    if removed.rows_affected() == 0 {
        return Err(Error::NotFound("member"));
    }
    slots::release_user(&mut tx, user_id, Some(access.project_id)).await?;
    revoke_invitations(&mut tx, &access, user_id).await?;
    audit::record(&mut tx, access, Operation::ManageMembers, json!({ "removed": user_id })).await?;
    Ok(tx.commit().await?)
}

/// Makes the account `user_name` a member, or changes the role of one who is.
///
/// # Errors
/// [`Error::NotFound`] if there is no such account.
pub async fn add(actor: &Actor, db: &Db, key: &str, user_name: &str, role: Role) -> Result<()> {
    let access = require(actor, db, Operation::ManageMembers, key).await?;
    let mut tx = db.begin().await?;
    let user_id = people::find(&mut tx, user_name).await?;
    sqlx::query!(
        "INSERT INTO memberships (project_id, user_id, role) VALUES ($1, $2, $3)
         ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role",
        access.project_id,
        user_id,
        role.as_str(),
    )
    .execute(&mut *tx)
    .await?;
    note_role(&mut tx, &access, user_id, role).await?;
    Ok(tx.commit().await?)
}

async fn note_role(tx: &mut PgConnection, access: &Access, user_id: i64, role: Role) -> Result<()> {
    if role < Role::Lead {
        revoke_invitations(tx, access, user_id).await?;
    }
    audit::record(tx, access, Operation::ManageMembers, json!({ "user_id": user_id, "role": role })).await
}

/// Nobody comes in later by the word of one who may no longer invite. Administrators may always.
async fn revoke_invitations(tx: &mut PgConnection, access: &Access, user_id: i64) -> Result<()> {
    sqlx::query!(
        "UPDATE links l SET revoked_at = now() FROM users u
         WHERE l.project_id = $1 AND l.created_by = $2 AND l.purpose = 'invitation'
           AND l.used_at IS NULL AND l.revoked_at IS NULL AND u.id = l.created_by AND NOT u.administrator",
        access.project_id,
        user_id,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Makes an account a member with at least `role`: a higher one stays. Checks no rights.
pub(crate) async fn join(tx: &mut PgConnection, project_id: i64, user_id: i64, role: Role) -> Result<()> {
    let lower: Vec<String> = Role::ALL.into_iter().filter(|r| *r < role).map(|r| r.as_str().to_owned()).collect();
    sqlx::query!(
        "INSERT INTO memberships AS m (project_id, user_id, role) VALUES ($1, $2, $3)
         ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role WHERE m.role = ANY ($4)",
        project_id,
        user_id,
        role.as_str(),
        &lower,
    )
    .execute(tx)
    .await?;
    Ok(())
}
