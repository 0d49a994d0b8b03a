//! Who may do what: roles in a project. The server's administrators stand above all of them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A member's role in one project. The order is that of rights: each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers photos.
    Annotator,
    /// Also decides disagreements.
    Reviewer,
    /// Also writes guidelines, imports, invites, freezes, exports and trains.
    Lead,
}

impl Role {
    /// All roles, least rights first.
    pub const ALL: [Self; 3] = [Self::Annotator, Self::Reviewer, Self::Lead];

    /// The role's name as in the database, the command line and REST.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Annotator => "annotator",
            Self::Reviewer => "reviewer",
            Self::Lead => "lead",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role: choose annotator, reviewer or lead")]
pub struct UnknownRole(pub String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == word).ok_or_else(|| UnknownRole(word.to_owned()))
    }
}
