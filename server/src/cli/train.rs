//! `kenami train`: a model from a dataset, with or without a server.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kenami_domain::{
    metrics::{Metrics, StopReason},
    run_config::{RunConfig, WeightsKind, weights_kind},
};
use kenami_store::{actor::Actor, datasets};
use kenami_trainer::{
    Dataset, TrainRequest,
    lr_finder::{Found, Range},
};

use super::{Usage, bar::Bar, with_context};
use crate::{
    config::DatabaseArgs,
    jobs::{Progress, TrainProgress, demo_weights, stored_dataset},
};

/// `kenami train --dataset PATH_OR_NAME --config FILE.toml --out DIR`; `--show-batch FILE` or `--find-lr FILE` in place of
/// `--out` look before it.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// An exported dataset's folder, or a dataset's NAME or PROJECT/NAME
    #[arg(long, value_name = "PATH_OR_NAME")]
    pub dataset: String,
    /// The run's configuration; everything in it has a default
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder to write the run to
    #[arg(long, value_name = "DIR", required_unless_present_any = ["show_batch", "find_lr"])]
    pub out: Option<PathBuf>,
    /// Where computed features are kept for the next run [default: cache/ in the data folder]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// Go on from the checkpoint of an interrupted run in --out
    #[arg(long)]
    pub resume: bool,
    /// Draw an augmented training batch with its targets to this PNG file, and do not train
    #[arg(long, value_name = "FILE", conflicts_with_all = ["resume", "json"])]
    pub show_batch: Option<PathBuf>,
    /// Search a learning rate with a short training at rising rates, draw it to this PNG file (steps beside it as CSV), and
    /// do not train
    #[arg(long, value_name = "FILE.png", conflicts_with_all = ["resume", "out", "show_batch"])]
    pub find_lr: Option<PathBuf>,
    /// Print one JSON document: what metrics.json holds; with --find-lr the suggested rate
    #[arg(long)]
    pub json: bool,
    /// Where the database and the files are
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Runs `kenami train`.
///
/// # Errors
/// The dataset or the configuration cannot be read, or training fails.
pub async fn run(args: TrainArgs) -> Result<()> {
    let config = read_config(args.config.as_deref())?;
    let folder = Path::new(&args.dataset);
    let outcome = if folder.join("dataset.json").is_file() {
        act(&args, config, Dataset::open(folder)?, cache(&args)).await?
    } else if folder.is_dir() {
        return Err(Usage::error(format!("{}: there is no dataset.json in it", folder.display())));
    } else if args.dataset.starts_with(['.', '/']) || args.dataset.matches('/').count() > 1 {
        // No dataset is named so: no database is needed to see that.
        return Err(Usage::error(format!("there is no folder {}", folder.display())));
    } else {
        with_context(&args.database, async |context| {
            let (project, name) = datasets::find(&Actor::System, &context.db, &args.dataset).await?;
            let dataset = stored_dataset(context, &project, &name).await?;
            let cache = args.cache.clone().unwrap_or_else(|| context.data_dir.cache());
            act(&args, config, dataset, Some(cache)).await
        })
        .await?
    };
    match outcome {
        Outcome::Shown => {}
        Outcome::Found(found) if args.json => {
            say!("{}", serde_json::json!({ "suggestion": found.suggestion, "rows": found.rows }));
        }
        Outcome::Found(found) => match found.suggestion {
            Some(lr) => say!("optimizer.lr = {lr:.2e}"),
            None => say!("no rate: the loss never fell"),
        },
        Outcome::Trained(metrics) if args.json => say!("{}", serde_json::to_string_pretty(&*metrics)?),
        Outcome::Trained(metrics) => print_metrics(&metrics),
    }
    Ok(())
}

/// What there is to tell.
enum Outcome {
    Shown,
    Found(Found),
    Trained(Box<Metrics>),
}

/// Does what the arguments ask for with the dataset.
async fn act(args: &TrainArgs, config: RunConfig, dataset: Dataset, cache: Option<PathBuf>) -> Result<Outcome> {
    if let Some(file) = &args.show_batch {
        show(dataset, config, file.clone()).await?;
        return Ok(Outcome::Shown);
    }
    let request = request(args, config, dataset, cache)?;
    let found = args.find_lr.clone();
    let progress = Progress::default();
    let bar = Bar::show(&progress);
    let observer = TrainProgress { progress };
    let work = move || -> Result<Outcome> {
        let Some(picture) = found else {
            return Ok(Outcome::Trained(Box::new(kenami_trainer::train(request, &observer)?)));
        };
        let found = kenami_trainer::find_lr(request, Range::default(), &observer)?;
        kenami_trainer::report::write_rates(&picture, &found)?;
        Ok(Outcome::Found(found))
    };
    let outcome = tokio::task::spawn_blocking(work).await;
    bar.finish().await;
    outcome?
}

/// Where features are kept: nowhere if the data folder cannot be used, since training needs none.
fn cache(args: &TrainArgs) -> Option<PathBuf> {
    let of_data_folder = || -> Result<PathBuf> {
        let data_dir = args.database.resolve()?.data_dir;
        data_dir.make_root()?;
        data_dir.make(&data_dir.cache())?;
        Ok(data_dir.cache())
    };
    args.cache.clone().or_else(|| {
        of_data_folder().inspect_err(|error| tracing::warn!("features are not kept for the next run: {error:#}")).ok()
    })
}

fn read_config(path: Option<&Path>) -> Result<RunConfig> {
    let Some(path) = path else { return Ok(RunConfig::default()) };
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    // A mistake in the file is wrong use.
    RunConfig::from_toml(&text).map_err(|error| Usage::error(format!("{}: {error}", path.display())))
}

/// Draws a batch (at most 36 photos) as a PNG file.
async fn show(dataset: Dataset, config: RunConfig, file: PathBuf) -> Result<()> {
    tokio::task::spawn_blocking(move || {
        let count = config.batch_size.min(36) as usize;
        let sheet = kenami_trainer::data::show_batch(&dataset, &config, count)?;
        sheet.save_with_format(&file, image::ImageFormat::Png).with_context(|| file.display().to_string())
    })
    .await?
}

fn request(args: &TrainArgs, config: RunConfig, dataset: Dataset, cache_dir: Option<PathBuf>) -> Result<TrainRequest> {
    let weights = match weights_kind(&config.model.weights) {
        WeightsKind::Demo => Some(demo_weights()?),
        WeightsKind::Run(_) => {
            return Err(Usage::error(
                "run:NUMBER is for runs on the server; give the path of the run's model.safetensors",
            ));
        }
        WeightsKind::None | WeightsKind::Hub(_) | WeightsKind::Path(_) => None,
    };
    // Nothing is written to it where a rate is searched.
    let out_dir = args.out.clone().unwrap_or_default();
    Ok(TrainRequest { dataset, config, out_dir, cache_dir, weights, resume: args.resume })
}

/// One line a head and split, on standard output.
fn print_metrics(metrics: &Metrics) {
    for (head, splits) in &metrics.heads {
        for (split, figures) in splits {
            say!(
                "{head:<12} {split:<10} accuracy {:.4}  macro-F1 {:.4}  n {}",
                figures.accuracy,
                figures.macro_f1,
                figures.n
            );
        }
    }
    if let Some(reason) = metrics.stopped {
        let reason = match reason {
            StopReason::Patience => "the validation figure made no progress",
            StopReason::Minutes => "its minutes were spent",
        };
        say!("stopped after epoch {}: {reason}", metrics.epochs);
    }
    if let Some(epoch) = metrics.best_epoch {
        say!("the weights are those of epoch {epoch}");
    }
    say!("{:.1} s, {:.1} photos a second", metrics.seconds, metrics.images_per_second);
}
