//! Who may do what: the one place where rights are decided.
//!
//! Every operation of the store names itself here. [`Operation::needs`] is the table; [`require`] and
//! [`require_server`] apply it. A test walks over all operations and all roles.

use kenami_domain::roles::Role;
use sqlx::PgExecutor;

use crate::{
    actor::Actor,
    error::{Error, Result},
};

/// What an operation asks of the acting user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it is how one signs in.
    Nothing,
    /// Any account.
    SignedIn,
    /// A role in the project, at least this one. Administrators of the server count as leads.
    Project(Role),
    /// An administrator of the server.
    Administrator,
    /// The command line or a worker: nobody by the network.
    System,
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident => $needs:expr,)*) => {
        /// All operations of the store.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation { $($(#[$doc])* $name,)* }

        impl Operation {
            /// Every operation, for tests and documentation.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// What the operation asks of the acting user.
            pub fn needs(self) -> Needs {
                match self { $(Self::$name => $needs,)* }
            }

            /// The operation's name in the audit log.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

operations! {
    // people
    /// Sign in by name and password.
    SignIn => Needs::Nothing,
    /// See what a one-time link offers, and use it.
    UseLink => Needs::Nothing,
    /// Read and change one's own account, password and tokens.
    OwnAccount => Needs::SignedIn,
    /// List, make, disable and enable accounts; make sign-in links for them.
    ManageUsers => Needs::Administrator,
    /// Make accounts, tokens and the first administrator's link from the command line.
    Bootstrap => Needs::System,
    // projects
    /// List the projects that one may see.
    ListProjects => Needs::SignedIn,
    /// Make a project.
    CreateProject => Needs::Administrator,
    /// See a project, its schema and progress.
    ReadProject => Needs::Project(Role::Annotator),
    /// Change a project's settings and schema.
    ManageProject => Needs::Project(Role::Lead),
    /// See members; change their roles; invite; remove.
    ManageMembers => Needs::Project(Role::Lead),
    // photos
    /// See photos of a project.
    ReadPhotos => Needs::Project(Role::Annotator),
    /// Bring photos, given values and priors into a project.
    ImportPhotos => Needs::Project(Role::Lead),
    // guidelines
    /// Read published guidelines.
    ReadGuidelines => Needs::Project(Role::Annotator),
    /// See what the page suggests and how far it pulls; choose its source and who sees it.
    ManageSuggestions => Needs::Project(Role::Lead),
    /// Edit and publish drafts.
    EditGuidelines => Needs::Project(Role::Lead),
    // labels
    /// Claim photos, answer them, undo.
    Annotate => Needs::Project(Role::Annotator),
    /// Say which photos are gold.
    ManageGold => Needs::Project(Role::Lead),
    /// See how annotators work and how far the project is.
    ReadReports => Needs::Project(Role::Lead),
    /// Pause annotators, put their labels in doubt, let them in without the quiz.
    OverseeAnnotators => Needs::Project(Role::Lead),
    /// Bring labels in from a file.
    ImportLabels => Needs::Project(Role::Lead),
    /// Read all labels of a project.
    ExportLabels => Needs::Project(Role::Lead),
    // review
    /// See disagreements, votes and agreement.
    ReadDisagreements => Needs::Project(Role::Reviewer),
    /// Decide disagreements.
    Decide => Needs::Project(Role::Reviewer),
    // datasets and runs
    /// See datasets, runs and their results.
    ReadDatasets => Needs::Project(Role::Reviewer),
    /// Freeze a dataset.
    Freeze => Needs::Project(Role::Lead),
    /// Export a dataset.
    ExportDataset => Needs::Project(Role::Lead),
    /// Start and cancel training.
    Train => Needs::Project(Role::Lead),
    // jobs
    /// See a job of the project.
    ReadJobs => Needs::Project(Role::Annotator),
    /// Ask a job to stop.
    CancelJob => Needs::Project(Role::Lead),
    /// Claim jobs, report their progress, store their results.
    Work => Needs::System,
}

/// The project that an operation was allowed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The project's id.
    pub project_id: i64,
    /// The role whose rights the actor has there; the system and administrators count as leads.
    pub role: Role,
    /// The acting account's id; `system`'s for the command line.
    pub user_id: i64,
}

/// How an operation names its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectRef<'a> {
    /// By key, as addresses do.
    Key(&'a str),
    /// By id.
    Id(i64),
}

impl<'a> From<&'a str> for ProjectRef<'a> {
    fn from(key: &'a str) -> Self {
        Self::Key(key)
    }
}

impl From<i64> for ProjectRef<'_> {
    fn from(id: i64) -> Self {
        Self::Id(id)
    }
}

/// Allows `operation` in `project` to `actor`, or says why not.
///
/// # Errors
/// [`Error::Unauthenticated`] if nobody is signed in or the account is disabled, [`Error::NotFound`] if there is no such
/// project or the actor is no member of it (so that names do not leak), [`Error::Forbidden`] if the role is too low.
///
/// # Panics
/// If `operation` is not one of a project: a mistake in the store itself.
pub async fn require<'a>(
    actor: &Actor,
    db: impl PgExecutor<'_>,
    operation: Operation,
    project: impl Into<ProjectRef<'a>>,
) -> Result<Access> {
    let needed = match operation.needs() {
        Needs::Project(role) => Some(role),
        Needs::System => None,
        other => panic!("{operation:?} needs {other:?}, which is not a role in a project"),
    };
    let (key, id) = match project.into() {
        ProjectRef::Key(key) => (Some(key), None),
        ProjectRef::Id(id) => (None, Some(id)),
    };
    let user_id = match actor {
        Actor::Anonymous => return Err(Error::Unauthenticated),
        Actor::System => None,
        Actor::User(user) => Some(user.id),
    };
    // The account is read afresh each time: rights taken away end at once, whatever a session remembers.
    let row = sqlx::query!(
        r#"SELECT p.id AS "project_id?", u.id AS "user_id!", u.administrator AS "administrator!",
                  u.built_in AS "built_in!", m.role AS "role?"
           FROM users u LEFT JOIN projects p ON p.key = $1 OR p.id = $2
           LEFT JOIN memberships m ON m.project_id = p.id AND m.user_id = u.id
           WHERE u.disabled_at IS NULL
             AND CASE WHEN $3::bigint IS NULL THEN u.built_in ELSE u.id = $3 AND NOT u.built_in END"#,
        key,
        id,
        user_id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::Unauthenticated)?;
    let project_id = row.project_id.ok_or(Error::NotFound("project"))?;
    let member = row.role.as_deref().map(str::parse::<Role>).transpose().map_err(Error::internal)?;
    let role = if row.built_in || row.administrator { Some(Role::Lead) } else { member };
    let role = role.ok_or(Error::NotFound("project"))?;
    let allowed = match needed {
        Some(needed) => role >= needed,
        None => row.built_in,
    };
    if allowed { Ok(Access { project_id, role, user_id: row.user_id }) } else { Err(Error::Forbidden) }
}

/// Like [`require`] for something that was looked up by its own id: `project_id` is its project, or nothing where there is
/// no such thing. Who may not know of the project hears the same as for an id that does not exist.
///
/// # Errors
/// As [`require`], with [`Error::NotFound`] of `what` in place of the project.
///
/// # Panics
/// As [`require`].
pub async fn require_of(
    actor: &Actor,
    db: impl PgExecutor<'_>,
    operation: Operation,
    project_id: Option<i64>,
    what: &'static str,
) -> Result<Access> {
    // No project has the id 0, so that a missing thing takes the same way as a hidden one.
    match require(actor, db, operation, project_id.unwrap_or(0)).await {
        Err(Error::NotFound(_)) => Err(Error::NotFound(what)),
        other => other,
    }
}

/// Allows an `operation` that concerns no single project to `actor`, and returns the acting account's id.
///
/// # Errors
/// [`Error::Unauthenticated`] if nobody is signed in or the account is disabled, [`Error::Forbidden`] if it may not.
///
/// # Panics
/// If `operation` is one of a project or needs no actor: a mistake in the store itself.
pub async fn require_server(actor: &Actor, db: impl PgExecutor<'_>, operation: Operation) -> Result<i64> {
    let needs = operation.needs();
    assert!(
        matches!(needs, Needs::SignedIn | Needs::Administrator | Needs::System),
        "{operation:?} needs {needs:?}, which is not a right on the server"
    );
    let user_id = match actor {
        Actor::Anonymous => return Err(Error::Unauthenticated),
        Actor::System => None,
        Actor::User(user) => Some(user.id),
    };
    let row = sqlx::query!(
        "SELECT id, administrator, built_in FROM users
         WHERE disabled_at IS NULL
           AND CASE WHEN $1::bigint IS NULL THEN built_in ELSE id = $1 AND NOT built_in END",
        user_id,
    )
    .fetch_optional(db)
    .await?
    .ok_or(Error::Unauthenticated)?;
    let allowed = match needs {
        Needs::Administrator => row.administrator || row.built_in,
        Needs::System => row.built_in,
        _ => true,
    };
    if allowed { Ok(row.id) } else { Err(Error::Forbidden) }
}
