//! A whole run, from a dataset to a folder of results.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use kenami_domain::{
    metrics::{Metrics, PseudoLabels, SplitMetrics},
    run_config::{Attention, EvaluateConfig, PseudoConfig, RunConfig, TrainPart},
};

use crate::{
    auxiliary, checkpoint,
    data::{self, Dataset},
    device,
    error::{Error, Result},
    lr_finder::{Found, Range},
    models::{self, WeightsInput},
    observer::{Event, Observer},
    predict::Prediction,
    pseudo::{self, Labelled},
    round::{Earlier, Round, Start},
    run,
};

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
    device::check(config)?;
    if config.model.attention != Attention::None && config.model.train == TrainPart::Heads {
        // Cached features are pooled already.
        let what = format!("model.attention = \"{}\" with model.train = \"heads\"", config.model.attention);
        return missing(what, "model.train = \"last-stage\" and \"all\"");
    }
    if config.model.train != TrainPart::Heads {
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

/// Trains, evaluates and writes the run's folder. Blocks; uses rayon's threads. Two runs with the same dataset,
/// configuration and weights on one machine give identical files (but for times), also if one was interrupted and resumed.
///
/// With `auxiliary.dataset`, its labelled training photos are trained on as well. With `pseudo.unlabelled` or `pseudo.images`, a
/// second round of `pseudo.epochs` follows: it goes on from the first round's model (kept in the folder `first_round`) and learns
/// also what this model is sure of. Results are those of the dataset's own photos and answers.
///
/// # Errors
/// See [`Error`]; [`Error::Cancelled`] where the observer asked to stop.
pub fn train(request: TrainRequest, observer: &dyn Observer) -> Result<Metrics> {
    check_available(&request.config)?;
    let learnt = learnt(&request, observer)?;
    if !request.config.pseudo.is_on() {
        return Round::new(request, learnt).run(observer);
    }
    second_round(request, learnt, observer)
}

/// Searches a learning rate for the request: trains from its weights at rising rates, and throws the weights away. Nothing is
/// written to its folder.
///
/// # Errors
/// As [`train`]; the range is empty.
pub fn find_lr(request: TrainRequest, range: Range, observer: &dyn Observer) -> Result<Found> {
    check_available(&request.config)?;
    let learnt = learnt(&request, observer)?;
    Round::new(request, learnt).find_lr(range, observer)
}

/// The dataset with the photos of another one, where the configuration names it.
fn learnt(request: &TrainRequest, observer: &dyn Observer) -> Result<Dataset> {
    let dir = &request.config.auxiliary.dataset;
    if dir.is_empty() {
        return Ok(request.dataset.clone());
    }
    let other = Dataset::open(dir)?;
    let extended = auxiliary::extended(&request.dataset, &other)?;
    let more = extended.items.len() - request.dataset.items.len();
    if more == 0 {
        return Err(Error::Dataset(format!("{dir}: none of its training photos has an answer that the dataset knows")));
    }
    observer.event(Event::Reading { images: more });
    Ok(extended)
}

fn second_round(request: TrainRequest, learnt: Dataset, observer: &dyn Observer) -> Result<Metrics> {
    let pseudo = request.config.pseudo.clone();
    let photos = match pseudo.images.as_str() {
        "" => Vec::new(),
        folder => data::photos_in(Path::new(folder))?,
    };
    let first_dir = request.out_dir.join(run::FIRST_ROUND);
    let config = RunConfig {
        pseudo: PseudoConfig::default(),
        evaluate: EvaluateConfig { folds: 0, explain: 0, ..request.config.evaluate.clone() },
        ..request.config.clone()
    };
    let first = TrainRequest { config, out_dir: first_dir.clone(), ..request.clone() };
    fs::create_dir_all(&request.out_dir).map_err(Error::io(&request.out_dir))?;
    // Its checkpoint stays until all is done: a resumed run does not train it again.
    let metrics = Round { keep_checkpoint: true, ..Round::new(first, learnt.clone()) }.run(observer)?;
    let of_test =
        |(head, splits): (&String, &BTreeMap<String, SplitMetrics>)| Some((head.clone(), splits.get("test")?.accuracy));
    let before = metrics.heads.iter().filter_map(of_test).collect();
    let (taught, found, taken) = pseudo_labelled(learnt.clone(), &pseudo, &first_dir, &photos, observer)?;
    observer.event(Event::PseudoLabels { photos: found.photos, taken: found.taken, epochs: metrics.epochs });
    let start = Start::open(request.config.model.name, &first_dir, pseudo.epochs)?;
    let pseudo = PseudoLabels { before, epochs: metrics.epochs, ..found };
    let earlier = Earlier { metrics, answered: learnt, pseudo, taken };
    let round = Round { start: Some(start), earlier: Some(earlier), ..Round::new(request, taught) };
    let metrics = round.run(observer)?;
    let checkpoint = checkpoint::path(&first_dir);
    fs::remove_file(&checkpoint).map_err(Error::io(&checkpoint))?;
    Ok(metrics)
}

/// The dataset with what the first round's model is sure of: answers that its training photos lack, and other photos; last, its
/// predictions of the former.
fn pseudo_labelled(
    mut learnt: Dataset,
    config: &PseudoConfig,
    first_dir: &Path,
    photos: &[PathBuf],
    observer: &dyn Observer,
) -> Result<(Dataset, PseudoLabels, Vec<Prediction>)> {
    let mut taken = Vec::new();
    let mut found = PseudoLabels { threshold: config.threshold, ..PseudoLabels::default() };
    let mut add = |labelled: Labelled| {
        found.photos += labelled.items.len() + labelled.unsure + labelled.known;
        found.taken += labelled.items.len();
        for (attribute, count) in labelled.answers {
            *found.answers.entry(attribute).or_default() += count;
        }
    };
    if config.unlabelled {
        let predictions = run::read_predictions(first_dir)?;
        let (completed, labelled, of_taken) = pseudo::completed(&learnt, &predictions, config.threshold);
        (learnt, taken) = (completed, of_taken);
        add(labelled);
    }
    if !photos.is_empty() {
        let (extended, labelled) = pseudo::from_run(&learnt, first_dir, photos, config.threshold, observer)?;
        learnt = extended;
        add(labelled);
    }
    let counts: Vec<String> = found.answers.iter().map(|(key, count)| format!("{count} for {key}")).collect();
    tracing::info!("pseudo-labels: {} ({} of {} photos)", counts.join(", "), found.taken, found.photos);
    Ok((learnt, found, taken))
}
