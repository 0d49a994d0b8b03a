//! What can go wrong in an operation: people see what to do, logs see why.

/// A failed operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or the sign-in no longer holds.
    #[error("sign in first")]
    Unauthenticated,
    /// The acting user may not do this.
    #[error("your role here does not allow this")]
    Forbidden,
    /// There is no such thing, or the acting user may not know of it.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A field of the input does not fit.
    #[error("{field}: {message}")]
    Invalid {
        /// The input's field, as the REST API names it.
        field: &'static str,
        /// What is wrong with it and what would fit.
        message: String,
    },
    /// The world has changed since the caller looked.
    #[error("{0}")]
    Conflict(String),
    /// Too many attempts.
    #[error("too many attempts: try again in {0} seconds")]
    TooMany(u64),
    /// The database failed. People see only that it did.
    #[error("the database did not answer as expected")]
    Database(#[source] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the database schema could not be brought up to date: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Stored data does not have its documented shape, or hashing failed.
    #[error("internal error")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The result of an operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::Invalid`] for `field`.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { field, message: message.into() }
    }

    /// An [`Error::Internal`] from any error.
    pub fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(error.into())
    }

    /// Whether the database refused because of the unique constraint or index `name`.
    pub fn is_unique_violation(error: &sqlx::Error, name: &str) -> bool {
        error.as_database_error().is_some_and(|e| e.is_unique_violation() && e.constraint() == Some(name))
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::internal(error)
    }
}
