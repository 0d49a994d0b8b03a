//! Accounts, members and links.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{keys::Chosen, language::Language, roles::Role};

/// The signed-in user as the page shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// User id.
    pub id: i64,
    /// Sign-in name.
    pub name: String,
    /// Administrator of the server.
    pub administrator: bool,
    /// Whether the account has a password (one who came by a link may not have set one yet).
    pub has_password: bool,
    /// The language that the user has chosen for the pages; none leaves it to the browser.
    pub language: Option<Language>,
}

/// How one works: the same at every browser that one signs in at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Preferences {
    /// Keys chosen in place of the pages' own; see [`crate::keys`].
    pub keys: Chosen,
    /// Go to the next photo by itself once every attribute has an answer.
    pub auto_advance: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { keys: Chosen::new(), auto_advance: true }
    }
}

/// An account as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserRow {
    /// User id.
    pub id: i64,
    /// Sign-in name.
    pub name: String,
    /// Administrator of the server.
    pub administrator: bool,
    /// Whether the account can sign in with a password.
    pub has_password: bool,
    /// Signed out for good until enabled again.
    pub disabled: bool,
    /// When the account was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// A member of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// User id.
    pub user_id: i64,
    /// Sign-in name.
    pub name: String,
    /// Role in this project.
    pub role: Role,
    /// Photos finished.
    pub photos_done: i64,
    /// Whether suggestions are shown to them.
    pub sees_suggestions: bool,
}

/// A one-time link that has not been used yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpenInvitation {
    /// Link id, for revoking.
    pub id: i64,
    /// The role that it gives.
    pub role: Role,
    /// Who made it.
    pub created_by: String,
    /// When it dies.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// What a one-time link offers, shown before it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkOffer {
    /// Makes the holder an administrator of the server.
    pub administrator: bool,
    /// The project that it invites to.
    pub project_name: Option<String>,
    /// The role that it gives there.
    pub role: Option<Role>,
    /// The account that it signs in; without one the holder chooses a name.
    pub user_name: Option<String>,
}

/// An API token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenRow {
    /// Token id, for revoking.
    pub id: i64,
    /// What it is for, in the owner's words.
    pub label: String,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last used.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_used_at: Option<OffsetDateTime>,
}
