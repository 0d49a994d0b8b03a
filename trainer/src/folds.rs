//! Out-of-sample predictions for every photo that may be trained on: k folds, each predicted by a model that has not seen it.
//!
//! They are what confident learning and CROWDLAB ask for: a model's opinion of photos whose labels it was not taught.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::{Device, Tensor};
use kenami_domain::{
    answer::Answer,
    dataset::{Item, Split},
    metrics::SplitMetrics,
    run_config::RunConfig,
    schema::AttributeKind,
};

use crate::{
    calibrate::tempered,
    data::{Dataset, HeadData, file_name, head_data},
    error::{Error, Result},
    evaluate::{Judged, evaluate},
    features::Features,
    files::write_atomically,
    fine_tune::FineTune,
    heads::HeadTrainer,
    models::Weights,
    observer::{Event, Observer},
};

/// The predictions' file: `item,attribute,answer,probability`, as `kenami consensus --probabilities` reads them.
pub const FILE: &str = "oof_predictions.csv";

/// A photo as far as folds see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldPhoto<'a> {
    /// Hash of its file: exact duplicates go together.
    pub file_hash: &'a str,
    /// The value (breed) of which every fold shall have its share.
    pub stratum: Option<&'a str>,
}

/// The fold, from 0, of each photo. Stratified: a stratum's single photos are spread so that two folds differ by at most one,
/// or by a group of duplicates. The same for any order of the photos.
///
/// # Panics
/// There are no folds.
pub fn assign(photos: &[FoldPhoto<'_>], count: usize, seed: u64) -> Vec<usize> {
    assert!(count > 0, "at least one fold");
    let mut by_file: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, photo) in photos.iter().enumerate() {
        by_file.entry(photo.file_hash).or_default().push(number);
    }
    // Duplicates that disagree on the stratum count for the first of them.
    let mut strata: BTreeMap<Option<&str>, Vec<Group>> = BTreeMap::new();
    for (file_hash, members) in by_file {
        let stratum = members.iter().map(|member| photos[*member].stratum).min().flatten();
        strata.entry(stratum).or_default().push((order(seed, file_hash), members));
    }
    let mut folds = vec![0; photos.len()];
    let mut totals = vec![0; count];
    for mut groups in strata.into_values() {
        // Large groups first, while there is room for them; equal ones in the seed's order.
        groups.sort_by(|a, b| b.1.len().cmp(&a.1.len()).then_with(|| a.0.cmp(&b.0)));
        let mut here = vec![0; count];
        for (_, members) in groups {
            let fold = (0..count).min_by_key(|fold| (here[*fold], totals[*fold])).unwrap_or(0);
            here[fold] += members.len();
            totals[fold] += members.len();
            members.iter().for_each(|member| folds[*member] = fold);
        }
    }
    folds
}

/// Photos that go together, and where they fall among others.
type Group = ([u8; 32], Vec<usize>);

/// Where a file falls among others: independent of names and of what else is there.
fn order(seed: u64, file_hash: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"folds").update(&seed.to_le_bytes()).update(file_hash.as_bytes());
    *hasher.finalize().as_bytes()
}

/// The fold of each item of a dataset; `None` for those of the test part, which stay out unless `test` lets them in. Strata are
/// the values of the given attribute that has most of them, else the answers to the first annotated one.
///
/// # Errors
/// A photo whose hash is not recorded cannot be read.
pub fn of_dataset(dataset: &Dataset, count: usize, seed: u64, test: bool) -> Result<Vec<Option<usize>>> {
    let takes_part = |row: &usize| test || dataset.items[*row].split != Split::Test;
    let rows: Vec<usize> = (0..dataset.items.len()).filter(takes_part).collect();
    let hashes = rows.iter().map(|row| content_hash(dataset, &dataset.items[*row])).collect::<Result<Vec<_>>>()?;
    let strata: Vec<_> = rows.iter().map(|row| stratum(dataset, &dataset.items[*row])).collect();
    let photos = hashes.iter().zip(&strata);
    let photos: Vec<_> = photos.map(|(file_hash, stratum)| FoldPhoto { file_hash, stratum: *stratum }).collect();
    let mut folds = vec![None; dataset.items.len()];
    rows.into_iter().zip(assign(&photos, count, seed)).for_each(|(row, fold)| folds[row] = Some(fold));
    Ok(folds)
}

/// The photo's hash as the dataset records it, else of its bytes.
pub(crate) fn content_hash(dataset: &Dataset, item: &Item) -> Result<String> {
    if item.image_hash.is_empty() {
        return Ok(blake3::hash(&dataset.bytes(item)?).to_hex().to_string());
    }
    Ok(item.image_hash.clone())
}

fn stratum<'a>(dataset: &'a Dataset, item: &'a Item) -> Option<&'a str> {
    let attributes = &dataset.manifest.schema.attributes;
    let given = attributes.iter().filter(|attribute| attribute.kind == AttributeKind::Given);
    match given.max_by_key(|attribute| attribute.values.len()) {
        Some(given) => item.given.get(&given.key).map(String::as_str),
        None => item.answers.get(&attributes.first()?.key).and_then(Answer::value),
    }
}

/// One round: what is learnt from and what is predicted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// From 0.
    pub number: usize,
    /// Items of the other folds.
    pub train: Vec<usize>,
    /// Items of this fold.
    pub held_out: Vec<usize>,
}

/// The dataset of one round: the fold's `train` is the training part and everything else the test part, so that no prior, no
/// early stopping and no choice of weights sees a photo that is held out.
pub fn fold_dataset(dataset: &Dataset, fold: &Fold) -> Dataset {
    let mut part = dataset.clone();
    part.items.iter_mut().for_each(|item| item.split = Split::Test);
    fold.train.iter().for_each(|row| part.items[*row].split = Split::Train);
    part
}

/// Calls `fit` for each fold and gathers what it says of the items held out, in their order; `None` for items without a fold.
///
/// # Errors
/// `fit` fails, or gives another number of answers than there are items.
pub fn out_of_sample<T: Clone>(
    folds: &[Option<usize>],
    mut fit: impl FnMut(&Fold) -> Result<Vec<T>>,
) -> Result<Vec<Option<T>>> {
    let count = folds.iter().flatten().max().map_or(0, |last| last + 1);
    let mut gathered = vec![None; folds.len()];
    for number in 0..count {
        let rows = |is_wanted: &dyn Fn(usize) -> bool| -> Vec<usize> {
            let with_fold = folds.iter().enumerate().filter_map(|(row, fold)| Some((row, (*fold)?)));
            with_fold.filter(|(_, fold)| is_wanted(*fold)).map(|(row, _)| row).collect()
        };
        let fold = Fold { number, train: rows(&|fold| fold != number), held_out: rows(&|fold| fold == number) };
        if fold.held_out.is_empty() {
            continue;
        }
        let answers = fit(&fold)?;
        if answers.len() != fold.held_out.len() {
            let (found, wanted) = (answers.len(), fold.held_out.len());
            return Err(Error::Run(format!("fold {number}: {found} predictions for {wanted} photos")));
        }
        fold.held_out.iter().zip(answers).for_each(|(row, answer)| gathered[*row] = Some(answer));
    }
    Ok(gathered)
}

/// Per attribute: probabilities of its values. A head that a fold could not teach is absent.
pub type Distributions = BTreeMap<String, Vec<f64>>;

/// Where the folds' features come from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// From a trunk that no fold moves: they are there already.
    Fixed(&'a Features),
    /// From a network of each fold's own, which begins with these weights; `maps` is where those of its frozen part are kept.
    Tuned { weights: &'a Weights, maps: &'a Path },
}

impl Source<'_> {
    fn trainer<'a>(
        &self,
        dataset: &Dataset,
        config: &'a RunConfig,
        heads: &'a [HeadData],
        fold: &Fold,
        observer: &dyn Observer,
    ) -> Result<HeadTrainer<'a>> {
        let rows: (&[usize], &[usize]) = (&fold.train, &[]);
        match self {
            Self::Fixed(features) => HeadTrainer::new(config, heads, &features.values, features.width, rows),
            Self::Tuned { weights, maps } => {
                let tune = FineTune::new(dataset, config, weights, maps, observer)?;
                HeadTrainer::fine_tuning(config, heads, tune, rows)
            }
        }
    }

    /// `[rows, width]`, as the fold's trainer is now.
    fn features(&self, trainer: &HeadTrainer<'_>, rows: &[usize], observer: &dyn Observer) -> Result<Tensor> {
        match (self, trainer.trunk()) {
            (Self::Fixed(Features { values, width, .. }), _) => {
                let picked = rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect();
                Ok(Tensor::from_vec(picked, (rows.len(), *width), &Device::Cpu)?)
            }
            (Self::Tuned { .. }, Some(trunk)) => trunk.features(rows, observer),
            (Self::Tuned { .. }, None) => Err(Error::Run("a fold's trunk was not trained".to_owned())),
        }
    }
}

/// Lets a stop through, and tells what a fold does as a fold's.
struct FoldObserver<'a> {
    observer: &'a dyn Observer,
}

impl Observer for FoldObserver<'_> {
    fn event(&self, event: Event) {
        // Steps and maps of a fold are not the run's.
        if matches!(event, Event::Warning(_)) {
            self.observer.event(event);
        }
    }

    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }
}

/// Out-of-sample distributions: each fold trains heads of its own, and its own trunk where `source` says so, with the run's
/// configuration, for all of its epochs. No temperature: there is no part left to fit one on. One fold's network is in memory
/// at a time.
///
/// # Errors
/// The observer cancelled, or training a fold fails.
pub(crate) fn predict(
    dataset: &Dataset,
    config: &RunConfig,
    source: Source<'_>,
    observer: &dyn Observer,
) -> Result<Vec<Option<Distributions>>> {
    let quiet = FoldObserver { observer };
    let folds = of_dataset(dataset, config.evaluate.folds as usize, config.seed, config.evaluate.folds_test)?;
    out_of_sample(&folds, |fold| {
        let heads = head_data(&fold_dataset(dataset, fold), config, &mut |_| {})?;
        let mut trainer = source.trainer(dataset, config, &heads, fold, &quiet)?;
        let (number, folds, epochs) = (fold.number + 1, config.evaluate.folds as usize, config.epochs);
        observer.event(Event::Fold { number, folds, epoch: 0, epochs });
        for epoch in 1..=epochs {
            trainer.epoch(epoch, &quiet)?;
            observer.event(Event::Fold { number, folds, epoch, epochs });
        }
        trainer.finish()?;
        let held_out = source.features(&trainer, &fold.held_out, &quiet)?;
        let mut answers = vec![Distributions::new(); fold.held_out.len()];
        for (trained, head) in trainer.heads().iter().zip(&heads) {
            let logits = trained.forward(&held_out)?.flatten_all()?.to_vec1::<f32>()?;
            for (answer, row) in answers.iter_mut().zip(logits.chunks(head.labels.len())) {
                answer.insert(head.attribute.clone(), tempered(head.config.loss, row, 1.0));
            }
        }
        Ok(answers)
    })
}

/// Writes [`FILE`] and returns the figures of each head over all folds.
///
/// # Errors
/// The file cannot be written.
pub fn write(
    out_dir: &Path,
    dataset: &Dataset,
    heads: &[HeadData],
    predictions: &[Option<Distributions>],
) -> Result<BTreeMap<String, SplitMetrics>> {
    let rows =
        || dataset.items.iter().zip(predictions).enumerate().filter_map(|(i, (item, p))| Some((i, item, p.as_ref()?)));
    write_atomically(&out_dir.join(FILE), |file| {
        let mut csv = csv::Writer::from_writer(file);
        csv.write_record(["item", "attribute", "answer", "probability"])?;
        for (_, item, distributions) in rows() {
            for head in heads {
                for (label, p) in head.labels.iter().zip(distributions.get(&head.attribute).into_iter().flatten()) {
                    csv.write_record([file_name(&item.image), &head.attribute, label, &format!("{p:.6}")])?;
                }
            }
        }
        csv.flush()
    })?;
    let figures = heads.iter().filter_map(|head| {
        let judged = rows().filter_map(|(i, item, distributions)| {
            let probabilities = distributions.get(&head.attribute)?;
            Some(Judged { image: file_name(&item.image), answer: head.truth[i]?, probabilities })
        });
        Some((head.attribute.clone(), evaluate(&head.labels, &judged.collect::<Vec<_>>())?))
    });
    Ok(figures.collect())
}

/// Rows per content hash, for finding duplicates of photos that come from elsewhere.
pub(crate) fn by_hash(dataset: &Dataset) -> Result<HashMap<String, usize>> {
    let rows = dataset.items.iter().enumerate();
    rows.map(|(row, item)| Ok((content_hash(dataset, item)?, row))).collect()
}

#[cfg(test)]
mod tests;
