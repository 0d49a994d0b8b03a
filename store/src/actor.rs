//! Who acts.

/// The acting user, as every operation takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The command line: the built-in user `system`, which cannot sign in and may do everything.
    System,
    /// A signed-in account.
    User(UserActor),
    /// Nobody is signed in.
    Anonymous,
}

/// A signed-in account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserActor {
    /// User id.
    pub id: i64,
    /// Sign-in name.
    pub name: String,
    /// Administrator of the server.
    pub administrator: bool,
}

impl Actor {
    /// The name for logs and audit.
    pub fn name(&self) -> &str {
        match self {
            Self::System => "system",
            Self::User(user) => &user.name,
            Self::Anonymous => "anonymous",
        }
    }

    /// The account, if one is signed in.
    pub fn user(&self) -> Option<&UserActor> {
        match self {
            Self::User(user) => Some(user),
            Self::System | Self::Anonymous => None,
        }
    }
}
