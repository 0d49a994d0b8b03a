//! The command line. Results go to standard output, progress and logs to standard error; exit 0 done, 1 failed, 2 wrong use.

/// As `println!`, for results.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::output::line(format_args!($($text)*)) };
}

pub mod admin;
pub mod agreement;
mod bar;
pub mod consensus;
pub mod context;
pub mod dataset;
pub mod experiment;
pub mod export;
pub mod export_model;
pub mod import;
pub mod labels;
mod output;
pub mod predict;
pub mod serve;
pub mod train;
mod votes;
pub mod worker;

pub use context::{Context, with_context};

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;

/// From a folder of photos to a labelled dataset that can be trusted, and a model trained on it.
#[derive(Debug, Parser)]
#[command(name = "kenami", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Run the web server, with a worker inside
    Serve(serve::ServeArgs),
    /// Run jobs for a server elsewhere, as on a machine with a GPU
    Worker(worker::WorkerArgs),
    /// Manage accounts
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Bring a folder of photos into a project
    Import(import::ImportArgs),
    /// Bring labels in or out
    #[command(subcommand)]
    Labels(labels::LabelsCommand),
    /// Freeze datasets
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    /// Write a frozen dataset to files
    Export(export::ExportArgs),
    /// Train a model
    Train(train::TrainArgs),
    /// Train variants of a configuration with several seeds and compare them
    Experiment(experiment::ExperimentArgs),
    /// Write a trained model as ONNX or safetensors
    ExportModel(export_model::ExportModelArgs),
    /// Predict photos with a trained run
    Predict(predict::PredictArgs),
    /// Measure how far annotators agree
    Agreement(agreement::AgreementArgs),
    /// Infer one answer an item from several annotators' votes
    Consensus(consensus::ConsensusArgs),
}

/// A mistake in how the command was called that only shows at run time: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

impl Usage {
    /// An error that ends the command with exit code 2.
    pub fn error(message: impl Into<String>) -> anyhow::Error {
        anyhow::Error::new(Self(message.into()))
    }
}

/// Parses `arguments`, runs the command, and tells the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output with 0, mistakes to standard error with 2.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    start_logs(matches!(cli.command, Command::Serve(_) | Command::Worker(_)));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("kenami: cannot start its threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(run(cli.command)).and_then(|()| output::written());
    // Work that cannot be interrupted (a photo being decoded) must not hold the exit up.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kenami: {error:#}");
            if error.downcast_ref::<Usage>().is_some() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Worker(args) => worker::run(args).await,
        Command::Admin(command) => admin::run(command).await,
        Command::Import(args) => import::run(args).await,
        Command::Labels(command) => labels::run(command).await,
        Command::Dataset(command) => dataset::run(command).await,
        Command::Export(args) => export::run(args).await,
        Command::Train(args) => train::run(args).await,
        Command::Experiment(args) => experiment::run(args).await,
        Command::ExportModel(args) => export_model::run(args).await,
        Command::Predict(args) => predict::run(args).await,
        Command::Agreement(args) => agreement::run(args).await,
        Command::Consensus(args) => consensus::run(args).await,
    }
}

/// Sends logs to standard error. `KENAMI_LOG` holds the filter, as `kenami=debug,sqlx=info`.
fn start_logs(service: bool) {
    use std::io::IsTerminal;
    use tracing_subscriber::EnvFilter;
    // A connection that a stopping PostgreSQL ends under a command that is done anyway is nothing to tell.
    let default = if service { "info,sqlx=warn,tower_sessions=warn" } else { "warn,sqlx_core::pool=error" };
    let wanted = std::env::var("KENAMI_LOG").ok().filter(|text| !text.trim().is_empty());
    let filter = match wanted.as_deref().map(EnvFilter::try_new) {
        Some(Ok(filter)) => filter,
        Some(Err(error)) => {
            eprintln!("kenami: KENAMI_LOG is ignored: {error}");
            EnvFilter::new(default)
        }
        None => EnvFilter::new(default),
    };
    // A second subscriber (tests in one process) is no reason to fail.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_documented_command_lines_parse() {
        let lines = [
            "kenami serve --listen 127.0.0.1:3000 --data-dir /d --database-url postgres://x --empty",
            "kenami worker",
            "kenami admin user add ada --role administrator",
            "kenami admin user add ada --role lead --project pets",
            "kenami admin token ada",
            "kenami import pets DIR --layout oxford-pets",
            "kenami labels import pets FILE.csv",
            "kenami labels export pets --out FILE.csv",
            "kenami dataset freeze pets v1 --policy crowdlab --run 3 --seed 0",
            "kenami export v1 --format imagefolder --out PATH",
            "kenami train --dataset v1 --config FILE.toml --out DIR",
            "kenami experiment FILE.toml --dataset PATH --out DIR",
            "kenami export-model --run DIR --format onnx --out PATH",
            "kenami predict --run DIR --images DIR --out FILE.csv",
            "kenami agreement FILE.csv --json",
            "kenami agreement FILE.csv --bootstrap 1000 --seed 1 --by breed --by guideline_version",
            "kenami consensus FILE.csv --method majority --decisions FILE.csv",
            "kenami consensus FILE.csv --method dawid-skene --probabilities FILE.csv --json",
        ];
        for line in lines {
            if let Err(error) = Cli::try_parse_from(line.split(' ')) {
                panic!("{line}: {error}");
            }
        }
    }
}
