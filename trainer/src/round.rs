//! One round of training: from a dataset and weights to a folder of results.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

use blake3::Hash;
use kenami_domain::{
    dataset::Split,
    metrics::{Metrics, PseudoLabels, SplitMetrics, StopReason},
    run_config::{AugmentPolicy, AuxiliaryWeight, ModelName, RunConfig, TrainPart},
};

use crate::{
    attention::SpatialPool,
    auxiliary,
    checkpoint::{self, State},
    data::{Dataset, HeadData, Preprocessing, head_data},
    error::{Error, Result},
    features::{self, Features},
    fine_tune::FineTune,
    folds,
    heads::{HeadTrainer, LinearHead},
    lr_finder::{Found, Range},
    models::{self, Trunk, Weights, WeightsInput},
    observer::{Event, Observer},
    predict::{Prediction, Predictor},
    run::{self, Outcome, SavedHead},
    stop::Stop,
    tensorboard,
    train::TrainRequest,
};

/// Where a second round begins.
pub(crate) struct Start {
    weights: Weights,
    heads: Vec<(SavedHead, LinearHead)>,
    pool: Option<SpatialPool>,
    epochs: u32,
}

impl Start {
    /// With the model of a run's folder, for so many epochs.
    ///
    /// # Errors
    /// The folder has no whole model.
    pub(crate) fn open(name: ModelName, run_dir: &Path, epochs: u32) -> Result<Self> {
        let path = run_dir.join(run::MODEL);
        let (heads, pool) = Predictor::open(run_dir)?.into_heads();
        Ok(Self { weights: Weights::read(name, &WeightsInput::Path(path))?, heads, pool, epochs })
    }

    /// Sets the heads and masks of a trainer that begins with this model's trunk.
    fn apply(&self, trainer: &mut HeadTrainer<'_>, heads: &[HeadData]) -> Result<()> {
        let begun = trainer.trunk().and_then(|trunk| trunk.pool().weight());
        if let (Some(begun), Some(earlier)) = (begun, self.pool.as_ref().and_then(SpatialPool::weight)) {
            begun.set(earlier.as_tensor())?;
        }
        for (saved, linear) in &self.heads {
            let same = |head: &HeadData| (&head.attribute, &head.labels) == (&saved.attribute, &saved.labels);
            if let Some(same) = heads.iter().position(same).map(|at| &trainer.heads()[at]) {
                same.weight.set(linear.weight.as_tensor())?;
                same.bias.set(linear.bias.as_tensor())?;
            }
        }
        trainer.restart_average()
    }
}

/// What one round trains on what.
pub(crate) struct Round {
    pub request: TrainRequest,
    /// The request's dataset, perhaps with more training photos after its own.
    pub learnt: Dataset,
    /// Where it begins, if not with the configuration's weights.
    pub start: Option<Start>,
    /// The round that it follows, if it learns a model's own answers.
    pub earlier: Option<Earlier>,
    /// Leaves the last checkpoint: the round can be found finished again.
    pub keep_checkpoint: bool,
}

/// A first round, and what its model's answers are to a second one.
pub(crate) struct Earlier {
    /// Its results.
    pub metrics: Metrics,
    /// What it learnt: people's answers alone.
    pub answered: Dataset,
    /// How many of its model's answers were taken.
    pub pseudo: PseudoLabels,
    /// What it said where the dataset's own photos got its answer: later models have been taught to say so.
    pub taken: Vec<Prediction>,
}

/// Everything that training needs.
struct Prepared {
    /// As training follows it.
    config: RunConfig,
    /// As the run's folder tells it: with everything resolved.
    resolved: RunConfig,
    heads: Vec<HeadData>,
    weights: Weights,
    preprocessing: Preprocessing,
    key: Hash,
    /// The frozen trunk with its features, where it stays frozen.
    frozen: Option<Extracted>,
}

/// A trunk and its features of every photo.
struct Extracted {
    trunk: Box<dyn Trunk>,
    features: Features,
    images_per_second: f64,
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

impl Round {
    /// From the request's own weights.
    pub(crate) fn new(request: TrainRequest, learnt: Dataset) -> Self {
        Self { request, learnt, start: None, earlier: None, keep_checkpoint: false }
    }

    /// Trains, evaluates and writes the folder.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn run(self, observer: &dyn Observer) -> Result<Metrics> {
        let started = Instant::now();
        let recorder = Recorder { observer, warnings: Mutex::default() };
        let prepared = self.prepare(&recorder)?;
        let out_dir = &self.request.out_dir;
        fs::create_dir_all(out_dir).map_err(Error::io(out_dir))?;
        run::clear(out_dir, self.request.resume)?;
        let mut trainer = self.trainer(&prepared, &recorder)?;
        let fitted = self.fit(&mut trainer, &prepared, &recorder)?;
        recorder.event(Event::Evaluating);
        let (mut metrics, features) = self.evaluate(&trainer, &prepared, &fitted, &recorder)?;
        // Its network and the photos that it keeps make room for those of the folds.
        drop(trainer);
        if self.request.config.evaluate.folds > 1 {
            metrics.out_of_sample = self.out_of_sample(&prepared, &features, &recorder)?;
        }
        metrics.warnings = recorder.warnings.lock().expect("no panic while warnings are held").clone();
        metrics.seconds = started.elapsed().as_secs_f64();
        if let Some(Earlier { metrics: first, .. }) = &self.earlier {
            // Both rounds are one run; the second finds the features that the first has computed.
            metrics.seconds += first.seconds;
            (metrics.features_computed, metrics.features_cached) = (first.features_computed, first.features_cached);
            metrics.images_per_second = first.images_per_second;
        }
        metrics.files = run::files(out_dir)?;
        run::write_metrics(out_dir, &metrics)?;
        if !self.keep_checkpoint {
            fs::remove_file(checkpoint::path(out_dir)).map_err(Error::io(out_dir))?;
        }
        let _ = fs::remove_dir_all(out_dir.join(run::MAPS));
        recorder.event(Event::Finished { seconds: metrics.seconds });
        Ok(metrics)
    }

    /// Searches a learning rate from the round's start.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn find_lr(self, range: Range, observer: &dyn Observer) -> Result<Found> {
        let prepared = self.prepare(observer)?;
        // Maps of the frozen part, where they are cached, have nothing to do with the run's folder.
        let scratch = tempfile::tempdir().map_err(Error::io(Path::new("the temporary folder")))?;
        let request = TrainRequest { out_dir: scratch.path().to_owned(), ..self.request.clone() };
        let round = Self { request, ..self };
        round.trainer(&prepared, observer)?.find_lr(range, observer)
    }

    fn prepare(&self, observer: &dyn Observer) -> Result<Prepared> {
        let config = RunConfig {
            epochs: self.start.as_ref().map_or(self.request.config.epochs, |start| start.epochs),
            ..self.request.config.clone()
        };
        observer.event(Event::Reading { images: self.learnt.items.len() });
        let mut heads = head_data(&self.learnt, &config, &mut |text| observer.event(Event::Warning(text)))?;
        warn_of_ignored(&config, observer);
        let weights = match &self.start {
            Some(start) => start.weights.clone(),
            None => models::load_weights(&config.model, self.request.weights.as_ref(), config.seed)?,
        };
        let preprocessing = models::preprocessing(&weights, config.evaluation_size());
        let key = features::cache_key(config.model.name.as_str(), &weights, &preprocessing, config.evaluate.flip);
        let resolved = RunConfig {
            heads: heads.iter().map(|head| (head.attribute.clone(), head.config.clone())).collect(),
            ..self.request.config.clone()
        };
        let cache = self.request.cache_dir.as_deref().map(|dir| (dir, key));
        let frozen = config.model.train == TrainPart::Heads;
        let by_similarity = config.auxiliary.weight == AuxiliaryWeight::Similarity;
        let mut extracted = None;
        if frozen || by_similarity {
            let extract = Extracted::new(&self.learnt, &config, (&weights, None), &preprocessing, cache, observer)?;
            if by_similarity {
                self.weigh(&mut heads, &extract.features)?;
            }
            extracted = frozen.then_some(extract);
        }
        Ok(Prepared { config, resolved, heads, weights, preprocessing, key, frozen: extracted })
    }

    /// Lets photos of another set count by their similarity to the dataset's training photos.
    fn weigh(&self, heads: &mut [HeadData], features: &Features) -> Result<()> {
        let own = rows_of(&self.request.dataset, Split::Train);
        let rows = self.learnt.items.iter().enumerate().skip(self.request.dataset.items.len());
        let others: Vec<usize> = rows.filter(|(_, item)| auxiliary::is_auxiliary(item)).map(|(row, _)| row).collect();
        let of = |rows: &[usize]| -> Vec<f32> { rows.iter().flat_map(|row| features.row(*row)).copied().collect() };
        let weights = auxiliary::weights(&of(&own), &of(&others), features.width, auxiliary::NEIGHBOURS)?;
        auxiliary::weigh(heads, &others, &weights);
        Ok(())
    }

    fn trainer<'a>(&self, prepared: &'a Prepared, observer: &dyn Observer) -> Result<HeadTrainer<'a>> {
        let Prepared { config, heads, weights, frozen, .. } = prepared;
        let rows = (rows_of(&self.learnt, Split::Train), rows_of(&self.learnt, Split::Validation));
        let rows = (rows.0.as_slice(), rows.1.as_slice());
        let mut trainer = match frozen {
            Some(Extracted { features, .. }) => {
                HeadTrainer::new(config, heads, &features.values, features.width, rows)?
            }
            None => {
                let tune = FineTune::new(&self.learnt, config, weights, &self.maps(), observer)?;
                HeadTrainer::fine_tuning(config, heads, tune, rows)?
            }
        };
        if let Some(start) = &self.start {
            start.apply(&mut trainer, heads)?;
        }
        Ok(trainer)
    }

    /// Trains epoch by epoch, from the checkpoint where there is one that fits.
    fn fit(&self, trainer: &mut HeadTrainer<'_>, prepared: &Prepared, observer: &dyn Observer) -> Result<Fitted> {
        let (config, out_dir) = (&prepared.config, &self.request.out_dir);
        let mut state = State::new(identity(&self.learnt, config, &prepared.resolved, prepared.key));
        let mut stop = Stop::new(config, Default::default());
        stop.check_head(&prepared.heads.iter().map(|head| head.attribute.as_str()).collect::<Vec<_>>())?;
        if self.request.resume
            && let Some((earlier, tensors)) = checkpoint::load(out_dir, &state.identity)?
        {
            trainer.restore(&earlier, |name| tensors.find(name))?;
            stop = Stop::new(config, earlier.stop.clone());
            stop.restore(&trainer.weight_names(), |name| tensors.find(name))?;
            state = earlier;
        }
        let mut board = tensorboard::Writer::resume(out_dir, u64::from(state.epoch))?;
        trainer.set_deadline(stop.deadline());
        let mut stopped = if state.epoch > 0 { stop.reason(state.epoch) } else { None };
        while stopped.is_none() && state.epoch < config.epochs {
            let epoch = state.epoch + 1;
            let (rows, lr) = trainer.epoch(epoch, observer)?;
            if stop.epoch(epoch, &rows, observer) {
                stop.keep(trainer.snapshot()?);
            }
            state.epoch = epoch;
            state.rows.extend(rows.iter().cloned());
            board.rows(&rows)?;
            let mut tensors = trainer.save(&mut state)?;
            let (progress, kept) = stop.save();
            state.stop = progress;
            tensors.extend(kept);
            checkpoint::save(out_dir, &state, tensors)?;
            observer.event(Event::Epoch { epoch, epochs: config.epochs, lr, rows });
            stopped = stop.reason(epoch).filter(|_| epoch < config.epochs);
        }
        let best_epoch = match stop.kept() {
            Some((weights, epoch)) => trainer.finish_with(weights).map(|()| Some(epoch))?,
            None => trainer.finish().map(|()| None)?,
        };
        Ok(Fitted { state, stopped, best_epoch })
    }

    /// Figures and files of predictions by models that have not seen the photos. A fold begins with the configuration's own
    /// weights, also where the round does not: an earlier round has seen every photo.
    fn out_of_sample(
        &self,
        prepared: &Prepared,
        features: &Features,
        observer: &dyn Observer,
    ) -> Result<BTreeMap<String, SplitMetrics>> {
        let TrainRequest { dataset, config, out_dir, .. } = &self.request;
        let earlier;
        let weights = match &self.start {
            Some(_) => {
                earlier = models::load_weights(&config.model, self.request.weights.as_ref(), config.seed)?;
                &earlier
            }
            None => &prepared.weights,
        };
        let maps = self.maps();
        let source = match &prepared.frozen {
            Some(_) => folds::Source::Fixed(features),
            None => folds::Source::Tuned { weights, maps: &maps },
        };
        let predictions = folds::predict(dataset, config, source, observer)?;
        let own = self.own_heads(&prepared.heads, &prepared.config)?;
        folds::write(out_dir, dataset, &own, &predictions)
    }

    /// The heads over the dataset's own photos, judged by its own answers: what a model said is no truth.
    fn own_heads(&self, heads: &[HeadData], config: &RunConfig) -> Result<Vec<HeadData>> {
        let dataset = &self.request.dataset;
        let mut own: Vec<HeadData> = heads.iter().map(|head| head.first(dataset.items.len())).collect();
        let Some(Earlier { answered, .. }) = &self.earlier else { return Ok(own) };
        // Warnings have been given for the heads that learnt.
        let answered = head_data(answered, config, &mut |_| {})?;
        for head in &mut own {
            let labels = &head.labels;
            let same = answered.iter().find(|same| same.attribute == head.attribute);
            let place = |same: &HeadData, class: usize| labels.iter().position(|label| *label == same.labels[class]);
            let first = |same: &HeadData| same.truth[..dataset.items.len()].to_vec();
            let truth = |same: &HeadData| first(same).into_iter().map(|class| place(same, class?)).collect();
            head.truth = same.map_or_else(|| vec![None; dataset.items.len()], truth);
        }
        Ok(own)
    }

    /// Where maps of the trunk's frozen part are kept.
    fn maps(&self) -> PathBuf {
        self.request.cache_dir.clone().unwrap_or_else(|| self.request.out_dir.join(run::MAPS))
    }

    /// Figures and files of the dataset's own photos, and their features.
    fn evaluate(
        &self,
        trainer: &HeadTrainer<'_>,
        prepared: &Prepared,
        fitted: &Fitted,
        observer: &dyn Observer,
    ) -> Result<(Metrics, Features)> {
        let TrainRequest { dataset, out_dir, .. } = &self.request;
        let Prepared { config, resolved, heads, weights, preprocessing, .. } = prepared;
        let trained = trainer.trunk().map(|trunk| trunk.weights(weights)).transpose()?;
        let weights = trained.as_ref().unwrap_or(weights);
        let pool = trainer.trunk().map(FineTune::pool);
        let mut fresh = None;
        let Extracted { trunk, features, images_per_second } = match &prepared.frozen {
            Some(extracted) => extracted,
            None => fresh.insert(Extracted::new(dataset, config, (weights, pool), preprocessing, None, observer)?),
        };
        let own = self.own_heads(heads, config)?;
        let features = features.first(dataset.items.len());
        let outcome = Outcome {
            dataset,
            config: resolved,
            heads: &own,
            trained: trainer.heads(),
            features: &features,
            weights,
            trunk: trunk.as_ref(),
            pool,
            curves: &fitted.state.rows,
            pseudo: self.earlier.as_ref().map(|earlier| &earlier.pseudo),
            taken: self.earlier.as_ref().map_or(&[], |earlier| &earlier.taken),
        };
        let mut metrics = outcome.write(out_dir)?;
        metrics.images_per_second = *images_per_second;
        metrics.photos = self.learnt.items.len();
        (metrics.features_computed, metrics.features_cached) = (features.computed, features.cached);
        metrics.epochs = fitted.state.epoch;
        (metrics.stopped, metrics.best_epoch) = (fitted.stopped, fitted.best_epoch);
        Ok((metrics, features))
    }
}

/// Where training ended.
struct Fitted {
    state: State,
    stopped: Option<StopReason>,
    best_epoch: Option<u32>,
}

impl Extracted {
    fn new(
        dataset: &Dataset,
        config: &RunConfig,
        (weights, pool): (&Weights, Option<&SpatialPool>),
        preprocessing: &Preprocessing,
        cache: Option<(&Path, Hash)>,
        observer: &dyn Observer,
    ) -> Result<Self> {
        let trunk = models::build_pooled(config.model.name, weights, pool)?;
        let trunk = if config.evaluate.flip { models::mirrored(trunk) } else { trunk };
        let began = Instant::now();
        let features = features::extract(dataset, trunk.as_ref(), preprocessing, cache, observer)?;
        let seconds = began.elapsed().max(Duration::from_nanos(1)).as_secs_f64();
        Ok(Self { trunk, features, images_per_second: dataset.items.len() as f64 / seconds })
    }
}

/// Says what the configuration asks for in vain.
fn warn_of_ignored(config: &RunConfig, observer: &dyn Observer) {
    let (train, policy) = (config.model.train, config.augment.policy);
    if train != TrainPart::All && policy != AugmentPolicy::default() && policy != AugmentPolicy::None {
        let text = format!("augment.policy = \"{policy}\" is ignored: train = \"{train}\" caches features");
        observer.event(Event::Warning(text));
    }
}

fn rows_of(dataset: &Dataset, split: Split) -> Vec<usize> {
    let rows = dataset.items.iter().enumerate().filter(|(_, item)| item.split == split);
    rows.map(|(row, _)| row).collect()
}

fn identity(dataset: &Dataset, config: &RunConfig, resolved: &RunConfig, features: Hash) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(dataset.fingerprint().as_bytes());
    hasher.update(&config.epochs.to_le_bytes());
    hasher.update(resolved.to_toml().as_bytes());
    hasher.update(features.as_bytes());
    hasher.finalize().to_hex().to_string()
}
