//! Training a run: the payload is `{"run_id": N}`.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context as _;
use kenami_domain::{dataset::Item, metrics::CurveRow, run_config::RunConfig, view::run::CurvePoint};
use kenami_store::{
    actor::Actor,
    datasets::{self, DatasetItem},
    db::Db,
    jobs::ClaimedJob,
    runs::{self, Prediction, RunForTraining},
};
use kenami_trainer::{Dataset, Event, Observer, TrainRequest};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{Ended, Progress, check_page_config, weights::weights};
use crate::{cli::Context, storage::Variant};

/// Predictions a statement.
const PREDICTIONS: usize = 5_000;

#[derive(Debug, Deserialize)]
struct Payload {
    run_id: i64,
}

pub(super) async fn work(context: &Context, job: &ClaimedJob, progress: &Progress) -> anyhow::Result<Ended> {
    let payload = Payload::deserialize(&job.payload).context("the job's payload is not that of a training")?;
    let run = runs::training(&Actor::System, &context.db, payload.run_id).await?;
    let config = RunConfig::from_toml(&run.config)?;
    check_page_config(&config)?;
    progress.begin(0, "Reading the dataset");
    let items = datasets::items(&Actor::System, &context.db, &run.project_key, &run.dataset_name).await?;
    let positions: BTreeMap<String, i32> =
        items.iter().map(|item| (file_name(&item.item.image).to_owned(), item.position)).collect();
    let out_dir = run_folder(context, run.run_id);
    std::fs::create_dir_all(&out_dir)?;
    let request = TrainRequest {
        dataset: dataset(context, &run.project_key, &run.dataset_name, items).await?,
        weights: weights(context, &run.project_key, &config.model.weights).await?,
        config,
        out_dir: out_dir.clone(),
        cache_dir: Some(context.data_dir.cache()),
        resume: true,
    };
    let metrics = match train(&context.db, &run, request, progress).await? {
        Ok(metrics) => metrics,
        Err(kenami_trainer::Error::Cancelled) => return Ok(Ended::Stopped),
        Err(error) => return Err(error.into()),
    };
    progress.begin(0, "Storing the results");
    let stored = Stored { db: &context.db, run_id: run.run_id, positions: &positions };
    stored.predictions(&out_dir.join("predictions.csv"), Sample::All).await?;
    let held_out = out_dir.join(kenami_trainer::folds::FILE);
    if held_out.exists() {
        stored.predictions(&held_out, Sample::HeldOut).await?;
    }
    let artifacts = format!("runs/{}", run.run_id);
    for file in &metrics.files {
        context.storage.put_artifact(&format!("{artifacts}/{file}"), &out_dir.join(file)).await?;
    }
    let metrics = serde_json::to_value(metrics)?;
    runs::finish(&Actor::System, &context.db, run.run_id, metrics, &artifacts).await?;
    Ok(Ended::Done(serde_json::json!({ "run_id": run.run_id })))
}

fn run_folder(context: &Context, run_id: i64) -> PathBuf {
    context.data_dir.runs().join(run_id.to_string())
}

/// The working folder of a job with this payload: its checkpoint, and results until they are stored.
pub(super) fn folder(context: &Context, payload: &serde_json::Value) -> Option<PathBuf> {
    Some(run_folder(context, Payload::deserialize(payload).ok()?.run_id))
}

/// A frozen dataset as the trainer reads it: items from the database, photos from the object store.
///
/// # Errors
/// There is no such dataset, or the database fails.
pub async fn stored_dataset(context: &Context, project: &str, name: &str) -> anyhow::Result<Dataset> {
    let items = datasets::items(&Actor::System, &context.db, project, name).await?;
    dataset(context, project, name, items).await
}

async fn dataset(context: &Context, project: &str, name: &str, items: Vec<DatasetItem>) -> anyhow::Result<Dataset> {
    let manifest = datasets::manifest(&Actor::System, &context.db, project, name).await?;
    let storage = context.storage.clone();
    let runtime = tokio::runtime::Handle::current();
    let hashes: BTreeMap<String, [u8; 32]> =
        items.iter().map(|item| (item.item.image.clone(), item.file_hash)).collect();
    let items = items
        .into_iter()
        .map(|item| Item { image_hash: blake3::Hash::from_bytes(item.file_hash).to_hex().to_string(), ..item.item });
    Ok(Dataset::new(manifest, items.collect(), move |item| {
        let hash = hashes.get(&item.image).ok_or_else(|| io::Error::other("not a photo of the dataset"))?;
        // The trainer's threads are not the runtime's.
        let bytes = runtime.block_on(storage.get(hash, Variant::Original)).map_err(io::Error::other)?;
        Ok(bytes.to_vec())
    }))
}

/// Trains away from the runtime's threads, and stores curves as they come.
async fn train(
    db: &Db,
    run: &RunForTraining,
    request: TrainRequest,
    progress: &Progress,
) -> anyhow::Result<Result<kenami_domain::metrics::Metrics, kenami_trainer::Error>> {
    let (curves, mut arriving) = mpsc::unbounded_channel::<Vec<CurveRow>>();
    let inner = TrainProgress { progress: progress.clone() };
    let observer = Live { inner, curves, earlier: AtomicU32::new(0) };
    let training = tokio::task::spawn_blocking(move || kenami_trainer::train(request, &observer));
    // Ends when training does: the observer holds the only sender.
    while let Some(rows) = arriving.recv().await {
        runs::add_curves(&Actor::System, db, run.run_id, &points(rows)).await?;
    }
    Ok(training.await?)
}

fn points(rows: Vec<CurveRow>) -> Vec<CurvePoint> {
    let point = |row: CurveRow| CurvePoint {
        epoch: i32::try_from(row.epoch).unwrap_or(i32::MAX),
        split: row.split,
        series: row.series,
        value: row.value,
    };
    rows.into_iter().map(point).collect()
}

/// As [`TrainProgress`], and sends each epoch's curves; a second round's epochs follow those of the first.
struct Live {
    inner: TrainProgress,
    curves: mpsc::UnboundedSender<Vec<CurveRow>>,
    /// Epochs of an earlier round.
    earlier: AtomicU32,
}

impl Observer for Live {
    fn event(&self, event: Event) {
        match &event {
            Event::PseudoLabels { epochs, .. } => self.earlier.store(*epochs, Ordering::Relaxed),
            Event::Epoch { rows, .. } => {
                let earlier = self.earlier.load(Ordering::Relaxed);
                let row = |row: &CurveRow| CurveRow { epoch: row.epoch + earlier, ..row.clone() };
                // Nobody listens any more only where the job has failed already.
                let _ = self.curves.send(rows.iter().map(row).collect());
            }
            _ => {}
        }
        self.inner.event(event);
    }

    fn cancelled(&self) -> bool {
        self.inner.cancelled()
    }
}

/// Passes a training's events on to a [`Progress`].
#[derive(Debug)]
pub struct TrainProgress {
    /// Moved with every event.
    pub progress: Progress,
}

impl Observer for TrainProgress {
    fn event(&self, event: Event) {
        match event {
            Event::Reading { images } => self.progress.begin(images, "Reading photos"),
            Event::Features { done, total, .. } => {
                self.progress.set(done as u64, total as u64, "Computing features");
            }
            Event::PseudoLabels { taken, .. } => {
                self.progress.begin(taken, "Second round with pseudo-labels");
            }
            Event::Step { epoch, epochs, step, steps } => {
                let done = (epoch as usize - 1) * steps + step;
                self.progress.set(done as u64, epochs as u64 * steps as u64, "Training");
            }
            Event::Fold { number, folds, epoch, epochs } => {
                let done = (number - 1) as u64 * u64::from(epochs) + u64::from(epoch);
                self.progress.set(done, folds as u64 * u64::from(epochs), "Training folds");
            }
            Event::Evaluating => self.progress.begin(0, "Evaluating"),
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.progress.is_cancelled()
    }
}

/// One row of a file of predictions.
#[derive(Debug, Deserialize)]
struct Row {
    #[serde(alias = "item")]
    image: String,
    attribute: String,
    answer: String,
    probability: f64,
}

/// Whose predictions a file holds.
#[derive(Debug, Clone, Copy)]
enum Sample {
    /// The run's model's, for every photo.
    All,
    /// The folds' models', for the photos that each of them has not seen.
    HeldOut,
}

/// Where predictions belong.
struct Stored<'a> {
    db: &'a Db,
    run_id: i64,
    /// Lines of items.jsonl by image.
    positions: &'a BTreeMap<String, i32>,
}

impl Stored<'_> {
    /// Reads a file whose rows of one photo and head follow each other, and stores it.
    async fn predictions(&self, path: &Path, sample: Sample) -> anyhow::Result<()> {
        let mut reader = csv::Reader::from_reader(io::BufReader::new(File::open(path)?));
        let mut ready: Vec<Prediction> = Vec::new();
        for row in reader.deserialize() {
            let row: Row = row?;
            let position = *self
                .positions
                .get(file_name(&row.image))
                .with_context(|| format!("{} names {}, which is not in the dataset", path.display(), row.image))?;
            let same = |last: &Prediction| last.position == position && last.attribute == row.attribute;
            if !ready.last().is_some_and(same) {
                if ready.len() == PREDICTIONS {
                    self.store(&ready, sample).await?;
                    ready.clear();
                }
                ready.push(Prediction { position, attribute: row.attribute, distribution: BTreeMap::new() });
            }
            let last = ready.last_mut().expect("just pushed");
            last.distribution.insert(row.answer, row.probability);
        }
        Ok(self.store(&ready, sample).await?)
    }

    async fn store(&self, predictions: &[Prediction], sample: Sample) -> kenami_store::error::Result<()> {
        match sample {
            Sample::All => runs::store_predictions(&Actor::System, self.db, self.run_id, predictions).await,
            Sample::HeldOut => runs::store_held_out(&Actor::System, self.db, self.run_id, predictions).await,
        }
    }
}

/// The last part of a path with `/`.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
