//! Who did what, for people to read.

use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    error::Result,
    rights::{Access, Operation},
};

/// Who acted, and in which project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scope {
    project_id: Option<i64>,
    user_id: i64,
}

impl From<Access> for Scope {
    fn from(access: Access) -> Self {
        Self { project_id: Some(access.project_id), user_id: access.user_id }
    }
}

impl From<&Access> for Scope {
    fn from(access: &Access) -> Self {
        (*access).into()
    }
}

/// A user's id alone: the act concerns no single project.
impl From<i64> for Scope {
    fn from(user_id: i64) -> Self {
        Self { project_id: None, user_id }
    }
}

/// Appends to the audit log, in the transaction of the act itself. `details` must hold no secret.
///
/// # Errors
/// The database fails.
pub(crate) async fn record(
    tx: &mut PgConnection,
    scope: impl Into<Scope>,
    operation: Operation,
    details: Value,
) -> Result<()> {
    let Scope { project_id, user_id } = scope.into();
    sqlx::query!(
        "INSERT INTO audit (project_id, user_id, operation, details) VALUES ($1, $2, $3, $4)",
        project_id,
        user_id,
        operation.name(),
        details,
    )
    .execute(tx)
    .await?;
    Ok(())
}
