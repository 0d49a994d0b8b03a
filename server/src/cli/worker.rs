//! `kenami worker`: runs jobs for a server elsewhere.

use anyhow::Result;

use crate::{cli::Context, config::DatabaseArgs, jobs, signals};

/// `kenami worker`.
#[derive(Debug, clap::Args)]
pub struct WorkerArgs {
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Runs jobs until a signal ends it; jobs under way go back to the queue.
///
/// # Errors
/// The database or the files cannot be had.
pub async fn run(args: WorkerArgs) -> Result<()> {
    let stop = signals::stop_token()?;
    let context = match Context::open_until(&args.database, &stop).await {
        Err(_) if stop.is_cancelled() => return Ok(()),
        opened => opened?,
    };
    let worker = tokio::spawn(jobs::worker::run(context.clone(), stop.clone()));
    tracing::info!("waiting for jobs");
    stop.cancelled().await;
    tracing::info!("stopping");
    super::serve::finish_worker(worker).await;
    context.close().await;
    Ok(())
}
