//! Running an experiment: the payload is `{"experiment_id": N}`.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use anyhow::Context as _;
use kenami_domain::{
    dataset::Manifest,
    experiment::Results,
    run_config::{Attention, EvaluateConfig, RunConfig, Targets, TrainPart},
    schema::AttributeKind,
    view::experiment::{ExperimentInput, VARIANTS},
};
use kenami_store::{actor::Actor, datasets, db::Db, experiments, jobs::ClaimedJob};
use kenami_trainer::{
    Error, Event, Observer,
    experiment::{ExperimentRequest, Plan, Variant, run},
};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{Ended, Progress, TrainProgress, check_page_config, stored_dataset, weights::weights};
use crate::cli::Context;

/// Shares of the labels that the learning curve is measured at.
const SHARES: [f64; 6] = [0.1, 0.2, 0.35, 0.5, 0.75, 1.0];
/// The experiment's results in its folder.
const RESULTS: &str = "experiment.json";

#[derive(Debug, Deserialize)]
struct Payload {
    experiment_id: i64,
}

pub(super) async fn work(context: &Context, job: &ClaimedJob, progress: &Progress) -> anyhow::Result<Ended> {
    let payload = Payload::deserialize(&job.payload).context("the job's payload is not that of an experiment")?;
    let experiment = experiments::to_run(&Actor::System, &context.db, payload.experiment_id).await?;
    let config = RunConfig::from_toml(&experiment.input.config)?;
    check_page_config(&config)?;
    progress.begin(0, "Reading the dataset");
    let (project, name) = (&experiment.project_key, &experiment.dataset_name);
    let manifest = datasets::manifest(&Actor::System, &context.db, project, name).await?;
    let out_dir = experiment_folder(context, experiment.id);
    let request = ExperimentRequest {
        weights: weights(context, project, &config.model.weights).await?,
        plan: plan(&manifest, &config, &experiment.input),
        dataset: stored_dataset(context, project, name).await?,
        out_dir: out_dir.clone(),
        cache_dir: Some(context.data_dir.cache()),
        keep_weights: false,
    };
    let results = match train(&context.db, experiment.id, request, progress).await? {
        Ok(results) => results,
        Err(Error::Cancelled) => {
            store_so_far(&context.db, experiment.id, &out_dir).await?;
            return Ok(Ended::Stopped);
        }
        Err(error) => return Err(error.into()),
    };
    experiments::report(&Actor::System, &context.db, experiment.id, &results).await?;
    anyhow::ensure!(results.cells.iter().any(|cell| !cell.heads.is_empty()), "none of the runs could be trained");
    Ok(Ended::Done(serde_json::json!({ "experiment_id": experiment.id })))
}

fn experiment_folder(context: &Context, id: i64) -> PathBuf {
    context.data_dir.runs().join(format!("experiment-{id}"))
}

/// The working folder of a job with this payload: its runs, until the results are stored.
pub(super) fn folder(context: &Context, payload: &serde_json::Value) -> Option<PathBuf> {
    Some(experiment_folder(context, Payload::deserialize(payload).ok()?.experiment_id))
}

/// The variants that are compared, then the points of the learning curve, whose heads learn on frozen features.
fn plan(manifest: &Manifest, base: &RunConfig, input: &ExperimentInput) -> Plan {
    let base = RunConfig { evaluate: EvaluateConfig { folds: 0, explain: 0, ..base.evaluate.clone() }, ..base.clone() };
    let with = |kinds: &[AttributeKind], targets: Targets| {
        let mut config = base.clone();
        let attributes = manifest.schema.attributes.iter().filter(|attribute| kinds.contains(&attribute.kind));
        let heads = attributes.map(|attribute| {
            let mut head = base.heads.get(&attribute.key).cloned().unwrap_or_default();
            head.targets = if attribute.kind == AttributeKind::Annotated { targets } else { Targets::Instance };
            (attribute.key.clone(), head)
        });
        config.heads = heads.collect();
        config
    };
    let both = [AttributeKind::Given, AttributeKind::Annotated];
    let configs = [with(&both[..1], Targets::Instance), with(&both, Targets::Class), with(&both, Targets::Instance)];
    let compared =
        VARIANTS.iter().zip(configs).map(|(name, config)| Variant { name: (*name).to_owned(), config, labels: None });
    let shares = SHARES.iter().filter(|_| input.curve).map(|share| {
        let mut config = with(&both[1..], Targets::Instance);
        config.model.train = TrainPart::Heads;
        config.model.attention = Attention::None;
        (config.loss.center, config.loss.triplet) = (0.0, 0.0);
        Variant { name: format!("labels-{:.0}", share * 100.0), config, labels: Some(*share) }
    });
    let variants = compared.chain(shares).collect();
    Plan { title: None, seeds: (0..u64::from(input.seeds)).collect(), variants }
}

/// Trains away from the runtime's threads, and stores the results after every run.
async fn train(
    db: &Db,
    id: i64,
    request: ExperimentRequest,
    progress: &Progress,
) -> anyhow::Result<Result<Results, Error>> {
    let (news, mut arriving) = mpsc::unbounded_channel();
    let out_dir = request.out_dir.clone();
    let inner = TrainProgress { progress: progress.clone() };
    let observer = Matrix { inner, news, begun: AtomicU64::new(0), cells: AtomicU64::new(0) };
    let training = tokio::task::spawn_blocking(move || run(&request, &observer));
    // Ends when training does: the observer holds the only sender.
    while arriving.recv().await.is_some() {
        store_so_far(db, id, &out_dir).await?;
    }
    Ok(training.await?)
}

/// Stores what the experiment's file says, if there is one yet.
async fn store_so_far(db: &Db, id: i64, out_dir: &Path) -> anyhow::Result<()> {
    let bytes = match tokio::fs::read(out_dir.join(RESULTS)).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        bytes => bytes?,
    };
    Ok(experiments::report(&Actor::System, db, id, &serde_json::from_slice(&bytes)?).await?)
}

/// Counts runs, and says when one has ended.
struct Matrix {
    inner: TrainProgress,
    news: mpsc::UnboundedSender<()>,
    begun: AtomicU64,
    cells: AtomicU64,
}

impl Observer for Matrix {
    fn event(&self, event: Event) {
        match event {
            Event::Cell { number, cells, .. } => {
                self.begun.store(number as u64, Ordering::Relaxed);
                self.cells.store(cells as u64, Ordering::Relaxed);
                self.tell();
                if number > 1 {
                    // Nobody listens any more only where the job has failed already.
                    let _ = self.news.send(());
                }
            }
            // Counted in runs, so that the bar does not begin anew with each of them.
            Event::Step { .. } => self.tell(),
            Event::Epoch { .. } | Event::Evaluating => {}
            other => self.inner.event(other),
        }
    }

    fn cancelled(&self) -> bool {
        self.inner.cancelled()
    }
}

impl Matrix {
    fn tell(&self) {
        let (begun, cells) = (self.begun.load(Ordering::Relaxed), self.cells.load(Ordering::Relaxed));
        self.inner.progress.set(begun.saturating_sub(1), cells, "Training runs");
    }
}

#[cfg(test)]
mod tests {
    use kenami_domain::{
        dataset::Schema,
        schema::{Attribute, Texts},
    };

    use super::*;

    fn attribute(key: &str, kind: AttributeKind) -> Attribute {
        Attribute { key: key.to_owned(), names: Texts::default(), kind, values: Vec::new() }
    }

    #[test]
    fn variants_differ_in_what_the_annotated_heads_learn() {
        let attributes = vec![attribute("breed", AttributeKind::Given), attribute("coat", AttributeKind::Annotated)];
        let manifest = Manifest::new("d", Schema { attributes });
        let config =
            "[model]\ntrain = \"last-stage\"\n[evaluate]\nfolds = 5\n[heads.coat]\nweight = 0.5\n[heads.breed]\n";
        let config = RunConfig::from_toml(config).unwrap();
        let input = ExperimentInput { dataset_id: 1, seeds: 3, config: String::new(), curve: true };
        let found = plan(&manifest, &config, &input);
        assert_eq!(found.seeds, [0, 1, 2]);
        let [baseline, class, instance, curve @ ..] = &found.variants[..] else { panic!("{found:?}") };
        assert_eq!(baseline.config.heads.keys().collect::<Vec<_>>(), ["breed"]);
        for (variant, targets) in [(class, Targets::Class), (instance, Targets::Instance)] {
            assert_eq!(variant.config.heads["coat"].targets, targets);
            assert_eq!((variant.config.heads["coat"].weight, variant.labels), (0.5, None));
            assert_eq!((variant.config.model.train, variant.config.evaluate.folds), (TrainPart::LastStage, 0));
        }
        assert_eq!(curve.len(), SHARES.len());
        assert!(curve.iter().all(|one| one.config.model.train == TrainPart::Heads && one.labels.is_some()));
        assert_eq!(curve[0].config.heads.keys().collect::<Vec<_>>(), ["coat"]);
        let none = plan(&manifest, &config, &ExperimentInput { curve: false, ..input });
        assert_eq!(none.variants.len(), 3);
    }
}
