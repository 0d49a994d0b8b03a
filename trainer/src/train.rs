//! A whole run, from a dataset to a folder of results.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Instant,
};

use kenami_domain::{
    dataset::Split,
    metrics::Metrics,
    run_config::{Attention, AugmentPolicy, AuxiliaryWeight, Keep, RunConfig, TrainPart},
};

use crate::{
    attention::SpatialPool,
    checkpoint::{self, State},
    data::{Dataset, head_data},
    error::{Error, Result},
    features,
    fine_tune::FineTune,
    folds,
    heads::HeadTrainer,
    models::{self, WeightsInput},
    observer::{Event, Observer},
    run::{self, Outcome},
};

/// Maps of the frozen part, below the run's folder, where there is no cache between runs.
const MAPS: &str = "maps";

/// What is trained on what, and where the results go.
#[derive(Debug, Clone)]
pub struct TrainRequest {
    /// The frozen dataset.
    pub dataset: Dataset,
    /// The configuration.
    pub config: RunConfig,
    /// The run's folder; made if it is not there. Earlier results in it are replaced.
    pub out_dir: PathBuf,
    /// Where features are kept between runs; not kept if absent.
    pub cache_dir: Option<PathBuf>,
    /// What stands behind the weights `demo` and `run:ID`, which only the caller knows.
    pub weights: Option<WeightsInput>,
    /// Go on from the folder's checkpoint, if it is of the same dataset, configuration and weights.
    pub resume: bool,
}

/// Whether this version can do what `config` asks for.
///
/// # Errors
/// A value is out of range, or the first thing that is not available, with what is.
pub fn check_available(config: &RunConfig) -> Result<()> {
    config.validate()?;
    let missing = |what: String, available: &str| Err(Error::Unavailable { what, available: available.to_owned() });
    models::check(config)?;
    if config.model.attention != Attention::None && config.model.train == TrainPart::Heads {
        // Cached features are pooled already.
        let what = format!("model.attention = \"{}\" with model.train = \"heads\"", config.model.attention);
        return missing(what, "model.train = \"last-stage\" and \"all\"");
    }
    // Read and checked, but not followed yet: better refused than passed over.
    let not_yet = [
        (config.stop.patience > 0, "stop.patience", "0"),
        (config.stop.minutes > 0.0, "stop.minutes", "0"),
        (config.stop.keep != Keep::default(), "stop.keep = \"best\"", "last"),
        (config.evaluate.flip, "evaluate.flip", "false"),
        (!config.pseudo.images.is_empty(), "pseudo.images", "an empty text"),
        (config.auxiliary.weight != AuxiliaryWeight::default(), "auxiliary.weight = \"similarity\"", "none"),
    ];
    if let Some((_, what, available)) = not_yet.into_iter().find(|(asked, ..)| *asked) {
        return missing(what.to_owned(), available);
    }
    if config.model.train != TrainPart::Heads {
        if config.evaluate.folds > 1 {
            let what =
                format!("evaluate.folds = {} with model.train = \"{}\"", config.evaluate.folds, config.model.train);
            return missing(what, "0");
        }
        return Ok(());
    }
    for (key, factor) in [("loss.center", config.loss.center), ("loss.triplet", config.loss.triplet)] {
        if factor > 0.0 {
            // The features do not move: there is nothing to draw together.
            return missing(format!("{key} = {factor} with model.train = \"heads\""), "0");
        }
    }
    Ok(())
}

/// Passes events on and remembers the warnings, which belong to the results.
struct Recorder<'a> {
    observer: &'a dyn Observer,
    warnings: Mutex<Vec<String>>,
}

impl Observer for Recorder<'_> {
    fn event(&self, event: Event) {
        if let Event::Warning(text) = &event {
            tracing::warn!("{text}");
            self.warnings.lock().expect("no panic while warnings are held").push(text.clone());
        }
        self.observer.event(event);
    }

    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

/// Trains, evaluates and writes the run's folder. Blocks; uses rayon's threads. Two runs with the same dataset,
/// configuration and weights on one machine give identical files (but for times), also if one was interrupted and resumed.
///
/// # Errors
/// See [`Error`]; [`Error::Cancelled`] where the observer asked to stop.
pub fn train(request: TrainRequest, observer: &dyn Observer) -> Result<Metrics> {
    let started = Instant::now();
    check_available(&request.config)?;
    let TrainRequest { dataset, config, out_dir, cache_dir, weights, resume } = request;
    let recorder = Recorder { observer, warnings: Mutex::default() };
    recorder.event(Event::Reading { images: dataset.items.len() });
    let heads = head_data(&dataset, &config, &mut |text| recorder.event(Event::Warning(text)))?;
    let frozen = config.model.train == TrainPart::Heads;
    if config.model.train != TrainPart::All
        && config.augment.policy != AugmentPolicy::default()
        && config.augment.policy != AugmentPolicy::None
    {
        let text = format!(
            "augment.policy = \"{}\" is ignored: train = \"{}\" caches features",
            config.augment.policy, config.model.train
        );
        recorder.event(Event::Warning(text));
    }
    fs::create_dir_all(&out_dir).map_err(Error::io(&out_dir))?;
    run::clear(&out_dir, resume)?;

    let weights = models::load_weights(&config.model, weights.as_ref(), config.seed)?;
    let resolved = RunConfig {
        heads: heads.iter().map(|head| (head.attribute.clone(), head.config.clone())).collect(),
        ..config.clone()
    };
    let rows = (rows_of(&dataset, Split::Train), rows_of(&dataset, Split::Validation));
    let preprocessing = models::preprocessing(&weights, config.image_size);
    let key = features::cache_key(config.model.name.as_str(), &weights, &preprocessing);
    let mut state = State::new(identity(&dataset, &resolved, key));
    // Frozen features come once; those of a trained trunk only when it is trained.
    let extract = |weights: &models::Weights, pool: Option<&SpatialPool>, cache: Option<(&Path, blake3::Hash)>| {
        let trunk = models::build_pooled(config.model.name, weights, pool)?;
        let extracting = Instant::now();
        let features = features::extract(&dataset, trunk.as_ref(), &preprocessing, cache, &recorder)?;
        Ok::<_, Error>((trunk, features, dataset.items.len() as f64 / extracting.elapsed().as_secs_f64().max(1e-9)))
    };
    let before = frozen.then(|| extract(&weights, None, cache_dir.as_deref().map(|dir| (dir, key)))).transpose()?;
    let mut trainer = match &before {
        Some((_, features, _)) => {
            HeadTrainer::new(&config, &heads, &features.values, features.width, (&rows.0, &rows.1))?
        }
        None => {
            let maps = cache_dir.clone().unwrap_or_else(|| out_dir.join(MAPS));
            let tune = FineTune::new(&dataset, &config, &weights, &maps, &recorder)?;
            HeadTrainer::fine_tuning(&config, &heads, tune, (&rows.0, &rows.1))?
        }
    };
    if resume && let Some((earlier, tensors)) = checkpoint::load(&out_dir, &state.identity)? {
        trainer.restore(&earlier, |name| tensors.find(name))?;
        state = earlier;
    }
    train_epochs(&mut trainer, &config, &out_dir, &mut state, &recorder)?;
    trainer.finish()?;

    recorder.event(Event::Evaluating);
    let trained = trainer.trunk().map(|trunk| trunk.weights(&weights)).transpose()?;
    let weights = trained.unwrap_or(weights);
    let pool = trainer.trunk().map(FineTune::pool);
    let (trunk, features, images_per_second) = match before {
        Some(before) => before,
        None => extract(&weights, pool, None)?,
    };
    let (computed, cached) = (features.computed, features.cached);
    let outcome = Outcome {
        dataset: &dataset,
        config: &resolved,
        heads: &heads,
        trained: trainer.heads(),
        features: &features,
        weights: &weights,
        trunk: trunk.as_ref(),
        pool,
        curves: &state.rows,
    };
    let mut metrics = outcome.write(&out_dir)?;
    if config.evaluate.folds > 1 {
        let predictions = folds::heads_only(&dataset, &config, &features, &recorder)?;
        metrics.out_of_sample = folds::write(&out_dir, &dataset, &heads, &predictions)?;
    }
    metrics.images_per_second = images_per_second;
    metrics.photos = dataset.items.len();
    (metrics.features_computed, metrics.features_cached) = (computed, cached);
    metrics.epochs = config.epochs;
    metrics.warnings = recorder.warnings.lock().expect("no panic while warnings are held").clone();
    metrics.seconds = started.elapsed().as_secs_f64();
    run::write_metrics(&out_dir, &metrics)?;
    fs::remove_file(checkpoint::path(&out_dir)).map_err(Error::io(&out_dir))?;
    let _ = fs::remove_dir_all(out_dir.join(MAPS));
    recorder.event(Event::Finished { seconds: metrics.seconds });
    Ok(metrics)
}

fn train_epochs(
    trainer: &mut HeadTrainer<'_>,
    config: &RunConfig,
    out_dir: &Path,
    state: &mut State,
    observer: &dyn Observer,
) -> Result<()> {
    for epoch in state.epoch + 1..=config.epochs {
        let (rows, lr) = trainer.epoch(epoch, observer)?;
        state.epoch = epoch;
        state.rows.extend(rows.iter().cloned());
        let tensors = trainer.save(state)?;
        checkpoint::save(out_dir, state, tensors)?;
        observer.event(Event::Epoch { epoch, epochs: config.epochs, lr, rows });
    }
    Ok(())
}

fn rows_of(dataset: &Dataset, split: Split) -> Vec<usize> {
    let rows = dataset.items.iter().enumerate().filter(|(_, item)| item.split == split);
    rows.map(|(row, _)| row).collect()
}

fn identity(dataset: &Dataset, config: &RunConfig, features: blake3::Hash) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(dataset.fingerprint().as_bytes());
    hasher.update(config.to_toml().as_bytes());
    hasher.update(features.as_bytes());
    hasher.finalize().to_hex().to_string()
}
