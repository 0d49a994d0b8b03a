//! `kenami dataset freeze`.

use anyhow::Result;
use kenami_domain::{
    dataset::{Policy, Split},
    view::dataset::{DatasetDetail, FreezeInput},
};
use kenami_store::{actor::Actor, datasets, runs};

use super::{Usage, with_context};
use crate::config::DatabaseArgs;

/// `kenami dataset`.
#[derive(Debug, clap::Subcommand)]
pub enum DatasetCommand {
    /// Freeze a project's labels as a dataset
    Freeze(FreezeArgs),
}

/// `kenami dataset freeze PROJECT NAME`.
#[derive(Debug, clap::Args)]
pub struct FreezeArgs {
    /// The project's key
    pub project: String,
    /// The dataset's name
    pub name: String,
    /// How several labels become one answer: adjudicated-first, majority, dawid-skene or crowdlab
    #[arg(long, value_name = "POLICY", default_value = "adjudicated-first")]
    pub policy: Policy,
    /// The run whose predictions crowdlab reads: its name or number
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Seed of the split
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Runs `kenami dataset`.
///
/// # Errors
/// There is nothing to freeze, or the name is taken.
pub async fn run(command: DatasetCommand) -> Result<()> {
    let DatasetCommand::Freeze(args) = command;
    if args.policy == Policy::Crowdlab && args.run.is_none() {
        return Err(Usage::error("the policy crowdlab needs --run: the run whose predictions it reads"));
    }
    let detail = with_context(&args.database, async |context| {
        let (actor, db) = (&Actor::System, &context.db);
        let run = match &args.run {
            Some(run) => Some(run_name(actor, db, &args.project, run).await?),
            None => None,
        };
        let input = FreezeInput { name: args.name.clone(), policy: args.policy, run, seed: args.seed };
        datasets::freeze(actor, db, &args.project, input).await?;
        Ok(datasets::get(actor, db, &args.project, &args.name).await?)
    })
    .await?;
    print_dataset(&detail, args.json)
}

/// A run's name, from its name or its number.
async fn run_name(actor: &Actor, db: &kenami_store::db::Db, project: &str, run: &str) -> Result<String> {
    match run.parse::<i64>() {
        Ok(id) => Ok(runs::get(actor, db, project, id).await?.row.name),
        Err(_) => Ok(run.to_owned()),
    }
}

fn print_dataset(detail: &DatasetDetail, json: bool) -> Result<()> {
    if json {
        say!("{}", serde_json::to_string_pretty(detail)?);
        return Ok(());
    }
    for warning in &detail.summary.warnings {
        eprintln!("note: {warning}");
    }
    let row = &detail.row;
    say!("{} {} ({}): {} photos", row.name, row.hash, row.policy, row.photos);
    let splits =
        Split::ALL.map(|split| format!("{split} {}", detail.summary.splits.get(&split).copied().unwrap_or_default()));
    say!("{}", splits.join(", "));
    for (attribute, counts) in &detail.summary.attributes {
        say!(
            "{attribute}: {} usable, {} adjudicated, {} tied, {} not visible, {} unsure, {} unlabelled",
            counts.usable,
            counts.adjudicated,
            counts.tied,
            counts.not_visible,
            counts.unsure,
            counts.unlabelled
        );
    }
    Ok(())
}
