//! Members of a project and invitations to it.

use kenami_domain::{
    roles::Role,
    view::people::{Member, OpenInvitation},
};
use leptos::prelude::*;

use super::ApiError;

/// Days that an invitation link lives.
pub const INVITATION_DAYS: i64 = 7;

/// A project's members.
#[server(prefix = "/fn")]
pub async fn members(key: String) -> Result<Vec<Member>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::members::list(&actor, &db, &key).await?)
}

/// Changes a member's role.
#[server(prefix = "/fn")]
pub async fn set_role(key: String, user_id: i64, role: Role) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::members::set_role(&actor, &db, &key, user_id, role).await?)
}

/// Takes a member out of a project; their labels stay.
#[server(prefix = "/fn")]
pub async fn remove_member(key: String, user_id: i64) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::members::remove(&actor, &db, &key, user_id).await?)
}

/// Makes a known account a member.
#[server(prefix = "/fn")]
pub async fn add_member(key: String, user_name: String, role: Role) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::members::add(&actor, &db, &key, user_name.trim(), role).await?)
}

/// Makes a one-time invitation link and returns its secret.
#[server(prefix = "/fn")]
pub async fn invite(key: String, role: Role) -> Result<String, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::links::invite(&actor, &db, &key, role, INVITATION_DAYS).await?)
}

/// Invitations that nobody has used yet.
#[server(prefix = "/fn")]
pub async fn open_invitations(key: String) -> Result<Vec<OpenInvitation>, ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::links::open_invitations(&actor, &db, &key).await?)
}

/// Makes an invitation link useless.
#[server(prefix = "/fn")]
pub async fn revoke_invitation(id: i64) -> Result<(), ApiError> {
    let (actor, db) = super::server()?;
    Ok(kenami_store::links::revoke(&actor, &db, id).await?)
}
