//! `kenami admin`: accounts and tokens.

use anyhow::Result;
use kenami_domain::roles::Role;
use kenami_store::{actor::Actor, db::Db, links, members, people, tokens};

use super::{Usage, with_context};
use crate::config::{DatabaseArgs, ServeConfig};

/// `kenami admin`.
#[derive(Debug, clap::Subcommand)]
pub enum AdminCommand {
    /// Manage accounts
    #[command(subcommand)]
    User(UserCommand),
    /// Make an API token and print it
    Token(TokenArgs),
}

/// `kenami admin user`.
#[derive(Debug, clap::Subcommand)]
pub enum UserCommand {
    /// Make an account, or give one a role in a project, and print a sign-in link where it has no password
    Add(UserAddArgs),
}

/// `kenami admin user add NAME --role ROLE`.
#[derive(Debug, clap::Args)]
pub struct UserAddArgs {
    /// The sign-in name
    pub name: String,
    /// The role; administrators are so for the whole server, the others in a project
    #[arg(long, value_enum)]
    pub role: RoleArg,
    /// The project's key, for all roles but administrator
    #[arg(long, value_name = "KEY")]
    pub project: Option<String>,
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// `kenami admin token USER`.
#[derive(Debug, clap::Args)]
pub struct TokenArgs {
    /// The sign-in name of the token's owner
    pub user: String,
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// A role as the command line names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RoleArg {
    /// Of the whole server
    Administrator,
    /// Guidelines, members, datasets, runs
    Lead,
    /// Disagreements
    Reviewer,
    /// Labels
    Annotator,
}

/// Runs `kenami admin`.
///
/// # Errors
/// Wrong use, or the store refuses.
pub async fn run(command: AdminCommand) -> Result<()> {
    match command {
        AdminCommand::User(UserCommand::Add(args)) => add_user(args).await,
        AdminCommand::Token(args) => {
            let secret = with_context(&args.database, async |context| {
                Ok(tokens::create_for(&Actor::System, &context.db, &args.user).await?)
            })
            .await?;
            say!("{secret}");
            Ok(())
        }
    }
}

async fn add_user(args: UserAddArgs) -> Result<()> {
    let role = project_role(&args)?;
    let address = ServeConfig::resolve(None, None)?;
    let link = with_context(&args.database, async |context| {
        let db = &context.db;
        match role {
            None => {
                people::create(&Actor::System, db, &args.name, true).await?;
            }
            Some((project, role)) => {
                // The project first: a mistyped key leaves no account behind.
                kenami_store::projects::get(&Actor::System, db, project).await?;
                people::ensure(&Actor::System, db, &args.name).await?;
                members::add(&Actor::System, db, project, &args.name, role).await?;
            }
        }
        sign_in_link(db, &args.name).await
    })
    .await?;
    match link {
        Some(secret) => {
            say!("Open {}/join/{secret} to choose a password for {}", address.address(address.listen), args.name);
        }
        None => say!("{} has a password already", args.name),
    }
    Ok(())
}

/// The project and role of `args`; none for an administrator.
fn project_role(args: &UserAddArgs) -> Result<Option<(&str, Role)>> {
    let role = match args.role {
        RoleArg::Administrator if args.project.is_none() => return Ok(None),
        RoleArg::Administrator => {
            return Err(Usage::error("an administrator is one for the whole server: leave --project out"));
        }
        RoleArg::Lead => Role::Lead,
        RoleArg::Reviewer => Role::Reviewer,
        RoleArg::Annotator => Role::Annotator,
    };
    match &args.project {
        Some(project) => Ok(Some((project, role))),
        None => Err(Usage::error("this role is one in a project: name it with --project")),
    }
}

/// A one-time link for an account that cannot sign in yet.
async fn sign_in_link(db: &Db, name: &str) -> Result<Option<String>> {
    let users = people::list(&Actor::System, db).await?;
    let has_password = users.iter().any(|user| user.name.eq_ignore_ascii_case(name) && user.has_password);
    if has_password { Ok(None) } else { Ok(Some(links::sign_in_link_for(&Actor::System, db, name).await?)) }
}
