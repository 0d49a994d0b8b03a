//! `kenami experiment`: variants of a configuration with several seeds, and the table that compares them.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use kenami_domain::run_config::{WeightsKind, weights_kind};
use kenami_trainer::{
    Dataset, Error, Event, Observer,
    experiment::{CellState, ExperimentRequest, Plan, Results, run as run_experiment},
};

use super::{Usage, bar::Bar};
use crate::jobs::{Progress, TrainProgress, demo_weights};

/// `kenami experiment FILE.toml --dataset PATH --out DIR`.
#[derive(Debug, clap::Args)]
pub struct ExperimentArgs {
    /// The experiment: [base] is a run's configuration, each [[variant]] has a name and the keys that it overrides; seeds,
    /// title
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// An exported dataset's folder
    #[arg(long, value_name = "PATH")]
    pub dataset: PathBuf,
    /// The folder to write runs and tables to; what is finished in it is not trained again
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Where computed features are kept [default: cache/ in --out]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Print one JSON document: what experiment.json holds
    #[arg(long)]
    pub json: bool,
}

/// Runs `kenami experiment`.
///
/// # Errors
/// The file or the dataset cannot be read, a run failed, or the command was interrupted.
pub async fn run(args: ExperimentArgs) -> Result<()> {
    let text = std::fs::read_to_string(&args.file).with_context(|| args.file.display().to_string())?;
    // A mistake in the file is wrong use.
    let plan = Plan::from_toml(&text).map_err(|error| Usage::error(format!("{}: {error}", args.file.display())))?;
    if !args.dataset.join("dataset.json").is_file() {
        return Err(Usage::error(format!("{}: there is no dataset.json in it", args.dataset.display())));
    }
    let kinds = plan.variants.iter().map(|variant| weights_kind(&variant.config.model.weights));
    if kinds.clone().any(|kind| matches!(kind, WeightsKind::Run(_))) {
        return Err(Usage::error("run:NUMBER is for runs on the server; give the path of the run's model.safetensors"));
    }
    let demo = kinds.clone().any(|kind| kind == WeightsKind::Demo);
    let request = ExperimentRequest {
        plan,
        dataset: Dataset::open(&args.dataset)?,
        out_dir: args.out.clone(),
        cache_dir: args.cache.clone(),
        weights: if demo { Some(demo_weights()?) } else { None },
        keep_weights: true,
    };
    let results = train(request).await?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&results)?);
    } else {
        let table = args.out.join("table.md");
        let text = std::fs::read_to_string(&table).with_context(|| table.display().to_string())?;
        for line in text.lines() {
            say!("{line}");
        }
    }
    eprintln!("the report is {}", args.out.join("index.html").display());
    match results.cells.iter().filter(|cell| cell.state != CellState::Finished).count() {
        0 => Ok(()),
        failed => bail!("{failed} of {} runs failed: see the table", results.cells.len()),
    }
}

/// Runs the experiment behind a bar. Ctrl-C stops it after the step at hand; the same command goes on.
async fn train(request: ExperimentRequest) -> Result<Results> {
    let progress = Progress::default();
    let bar = Bar::show(&progress);
    let observer = Matrix { inner: TrainProgress { progress: progress.clone() } };
    let mut training = tokio::task::spawn_blocking(move || run_experiment(&request, &observer));
    let outcome = loop {
        tokio::select! {
            outcome = &mut training => break outcome,
            Ok(()) = tokio::signal::ctrl_c(), if !progress.is_cancelled() => progress.cancel(),
        }
    };
    bar.finish().await;
    match outcome? {
        Err(Error::Cancelled) => bail!("interrupted; the same command goes on where this one stopped"),
        other => Ok(other?),
    }
}

/// A run's progress, and a line for each run.
struct Matrix {
    inner: TrainProgress,
}

impl Observer for Matrix {
    fn event(&self, event: Event) {
        match &event {
            Event::Cell { variant, seed, number, cells, finished } => {
                let note = if *finished { ": is there already" } else { "" };
                eprintln!("run {number} of {cells}: {variant}, seed {seed}{note}");
            }
            Event::Warning(text) => eprintln!("warning: {text}"),
            _ => {}
        }
        self.inner.event(event);
    }

    fn cancelled(&self) -> bool {
        self.inner.cancelled()
    }
}
