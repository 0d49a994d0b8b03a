//! What each head learns: from the dataset's rows to target distributions and masks.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use kenami_domain::{
    answer::{Answer, NOT_VISIBLE},
    dataset::{Item, Split},
    run_config::{HeadConfig, PriorSource, RunConfig, Targets, Votes},
    schema::{Attribute, AttributeKind},
};

use rand::Rng;

use super::Dataset;
use crate::{
    error::{Error, Result},
    random,
};

/// Label smoothing where the configuration names none: given attributes, annotated attributes.
const SMOOTHING: (f64, f64) = (0.1, 0.2);
/// Photos with the answer "not visible" from which on a head can learn it.
const NOT_VISIBLE_PHOTOS: usize = 5;

/// One head's configuration, labels and targets over all items of a dataset.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadData {
    /// The attribute's key.
    pub attribute: String,
    /// Whether people annotate it; else it is given with the photo.
    pub annotated: bool,
    /// With smoothing and prior resolved.
    pub config: HeadConfig,
    /// Value keys: the classes, in order; with `data.not_visible` also that answer, as the last.
    pub labels: Vec<String>,
    /// `[items, labels]`, smoothed; rows with mask 0 are zero.
    pub targets: Vec<f32>,
    /// 1 where the item may be trained on, else 0.
    pub mask: Vec<f32>,
    /// The trusted answer, for evaluation.
    pub truth: Vec<Option<usize>>,
}

impl HeadData {
    /// The head over the first items alone.
    pub(crate) fn first(&self, items: usize) -> Self {
        Self {
            targets: self.targets[..items * self.labels.len()].to_vec(),
            mask: self.mask[..items].to_vec(),
            truth: self.truth[..items].to_vec(),
            ..self.clone()
        }
    }

    /// The targets of an epoch, `[items, labels]`: always the same, or with `votes = "sampled"` one vote drawn from each
    /// item's distribution (before smoothing; with `targets = "instance"` these are its vote shares) and then smoothed.
    /// The draw depends on seed, epoch, head and item alone.
    pub fn epoch_targets(&self, seed: u64, epoch: u32) -> Cow<'_, [f32]> {
        if self.config.votes == Votes::Distribution {
            return Cow::Borrowed(&self.targets);
        }
        let (classes, smoothing) = (self.labels.len(), self.config.smoothing.unwrap_or(0.0));
        let purpose = format!("votes of {}", self.attribute);
        let mut rng = random::at(seed, &purpose, u64::from(epoch));
        let mut targets = vec![0.0; self.targets.len()];
        let rows = self.targets.chunks_exact(classes).zip(targets.chunks_exact_mut(classes)).zip(&self.mask);
        for ((distribution, target), mask) in rows {
            // Also for items that do not count: the others' draws must not depend on them.
            let draw: f64 = rng.random();
            if *mask > 0.0 {
                let drawn = drawn(distribution, smoothing, draw);
                let share = |class| if class == drawn { 1.0 } else { 0.0 };
                let smoothed = |class| smooth(share(class), smoothing, classes) as f32;
                target.iter_mut().enumerate().for_each(|(class, target)| *target = smoothed(class));
            }
        }
        Cow::Owned(targets)
    }
}

/// The class into whose share of the distribution without smoothing `draw`, from 0 to 1, falls.
fn drawn(smoothed: &[f32], smoothing: f64, draw: f64) -> usize {
    let floor = smoothing / smoothed.len() as f64;
    let share = |t: &f32| ((f64::from(*t) - floor) / (1.0 - smoothing)).max(0.0);
    let target = draw * smoothed.iter().map(share).sum::<f64>();
    let mut sum = 0.0;
    // Rounding leaves a little of what smoothing gave to classes without votes: below a millionth is none.
    let classes = smoothed.iter().enumerate().map(|(class, t)| (class, share(t))).filter(|(_, share)| *share > 1e-6);
    let mut last = 0;
    for (class, share) in classes {
        last = class;
        sum += share;
        if target < sum {
            break;
        }
    }
    last
}

/// The heads that `config` asks for and the dataset can teach; attributes that it cannot are told to `warn`.
///
/// # Errors
/// A head's attribute is not in the schema, a value is not in the schema, a head has no prior that its targets need, or
/// no head remains.
pub fn head_data(dataset: &Dataset, config: &RunConfig, warn: &mut dyn FnMut(String)) -> Result<Vec<HeadData>> {
    let schema = &dataset.manifest.schema.attributes;
    if let Some(unknown) = config.heads.keys().find(|key| !schema.iter().any(|attribute| attribute.key == **key)) {
        let known: Vec<&str> = schema.iter().map(|attribute| attribute.key.as_str()).collect();
        return Err(Error::Dataset(format!(
            "heads.{unknown}: there is no such attribute; the dataset has {}",
            known.join(", ")
        )));
    }
    let mut heads = Vec::new();
    for attribute in schema {
        let head = match config.heads.get(&attribute.key) {
            Some(head) => head.clone(),
            None if config.heads.is_empty() => HeadConfig::default(),
            None => continue,
        };
        let head = one_head(dataset, attribute, head, config.data.not_visible)?;
        let learnt = labelled_in_train(dataset, &head);
        if learnt >= 2 {
            heads.push(head);
        } else {
            warn(format!("no head for `{}`: {learnt} of its values labelled in train, two are needed", attribute.key));
        }
    }
    if heads.is_empty() {
        return Err(Error::Dataset("no attribute has two or more labelled values in train".to_owned()));
    }
    Ok(heads)
}

fn one_head(dataset: &Dataset, attribute: &Attribute, mut config: HeadConfig, not_visible: bool) -> Result<HeadData> {
    let by_kind = if attribute.kind == AttributeKind::Given { SMOOTHING.0 } else { SMOOTHING.1 };
    config.smoothing.get_or_insert(by_kind);
    let mut labels = labels(dataset, attribute);
    let rows = dataset.items.iter().map(|item| own_row(item, attribute, &labels)).collect::<Result<Vec<_>>>()?;
    let shrinkage = match config.targets {
        Targets::Instance => 0.0,
        Targets::Class => f64::INFINITY,
        Targets::Shrink(k) => k,
    };
    let prior = if shrinkage > 0.0 { Some(Prior::new(dataset, attribute, &labels, &rows, &mut config)?) } else { None };
    let smoothing = config.smoothing.unwrap_or(by_kind);
    let not_visible = not_visible && learns_not_visible(dataset, attribute);
    if not_visible {
        labels.push(NOT_VISIBLE.to_owned());
    }
    let classes = labels.len();
    let (mut targets, mut mask) = (Vec::with_capacity(rows.len() * classes), Vec::with_capacity(rows.len()));
    for (item, row) in dataset.items.iter().zip(&rows) {
        let target = match &prior {
            None => row.votes.clone().filter(|_| row.trusted),
            Some(prior) => shrunk(row, prior.of(item), shrinkage),
        };
        let target = if not_visible { with_not_visible(item, &attribute.key, row, target, classes) } else { target };
        mask.push(if target.is_some() { 1.0 } else { 0.0 });
        match target {
            Some(target) => targets.extend(target.iter().map(|t| smooth(*t, smoothing, classes) as f32)),
            None => targets.resize(targets.len() + classes, 0.0),
        }
    }
    let unseen = |item: &Item| not_visible && item.answers.get(&attribute.key) == Some(&Answer::NotVisible);
    let truths = dataset.items.iter().zip(&rows);
    let truth = truths.map(|(item, row)| if unseen(item) { Some(classes - 1) } else { row.truth }).collect();
    let annotated = attribute.kind == AttributeKind::Annotated;
    Ok(HeadData { attribute: attribute.key.clone(), annotated, config, labels, targets, mask, truth })
}

/// Whether enough photos of any part have the answer, so that the heads of all folds have the same classes.
fn learns_not_visible(dataset: &Dataset, attribute: &Attribute) -> bool {
    let has_it = |item: &&Item| item.answers.get(&attribute.key) == Some(&Answer::NotVisible);
    attribute.kind == AttributeKind::Annotated && dataset.items.iter().filter(has_it).count() >= NOT_VISIBLE_PHOTOS
}

/// The target over the values with the share of the votes that say "not visible" as the last class. Where that is the answer
/// it is trusted; elsewhere what may be trained on without it may be with it.
fn with_not_visible(
    item: &Item,
    key: &str,
    row: &Row,
    of_values: Option<Vec<f64>>,
    classes: usize,
) -> Option<Vec<f64>> {
    let answered = item.answers.get(key) == Some(&Answer::NotVisible);
    let of_values = if answered { row.votes.clone() } else { Some(of_values?) };
    let said = item.votes.get(key).and_then(|votes| votes.get(NOT_VISIBLE)).map_or(0.0, |count| f64::from(*count));
    let share = match &of_values {
        Some(_) if !answered || said > row.count => said / (row.count + said),
        // No vote for a value, or a reviewer decided against them.
        _ => 1.0,
    };
    let mut target = of_values.unwrap_or_else(|| vec![0.0; classes - 1]);
    target.iter_mut().for_each(|t| *t *= 1.0 - share);
    target.push(share);
    Some(target)
}

/// `(1 - a) t + a / K`.
fn smooth(target: f64, smoothing: f64, classes: usize) -> f64 {
    (1.0 - smoothing) * target + smoothing / classes as f64
}

/// The attribute's values, without retired ones that nobody uses.
fn labels(dataset: &Dataset, attribute: &Attribute) -> Vec<String> {
    let is_used = |key: &str| {
        dataset.items.iter().any(|item| {
            item.given.get(&attribute.key).is_some_and(|value| value == key)
                || item.answers.get(&attribute.key).and_then(Answer::value) == Some(key)
                || item.targets.get(&attribute.key).is_some_and(|shares| shares.contains_key(key))
        })
    };
    let kept = attribute.values.iter().filter(|value| !value.retired || is_used(&value.key));
    kept.map(|value| value.key.clone()).collect()
}

/// What one item says of one attribute.
struct Row {
    /// Vote shares, summing to 1.
    votes: Option<Vec<f64>>,
    /// Number of votes behind the shares.
    count: f64,
    /// Whether the shares may be trained on as they are.
    trusted: bool,
    /// Answered as not visible or unsure: nothing is expected of it.
    unanswerable: bool,
    truth: Option<usize>,
}

fn own_row(item: &Item, attribute: &Attribute, labels: &[String]) -> Result<Row> {
    let key = &attribute.key;
    let index = |value: &str| {
        labels
            .iter()
            .position(|label| label == value)
            .ok_or_else(|| Error::Dataset(format!("{}: `{value}` is not a value of the attribute `{key}`", item.image)))
    };
    let one_hot = |at: usize| {
        let mut row = vec![0.0; labels.len()];
        row[at] = 1.0;
        row
    };
    if attribute.kind == AttributeKind::Given {
        let truth = item.given.get(key).map(|value| index(value)).transpose()?;
        return Ok(Row { votes: truth.map(one_hot), count: 1.0, trusted: truth.is_some(), unanswerable: false, truth });
    }
    let answer = item.answers.get(key);
    let answered = answer.and_then(Answer::value).map(index).transpose()?;
    let votes = match item.targets.get(key).filter(|shares| shares.values().sum::<f64>() > 0.0) {
        Some(shares) => Some(normalised(shares, labels.len(), index)?),
        None => answered.map(one_hot),
    };
    let trusted = item.masks.get(key).map_or(votes.is_some(), |mask| *mask != 0) && votes.is_some();
    let value_votes = |votes: &BTreeMap<String, u32>| {
        let of_values = votes.iter().filter(|(answer, _)| Answer::from(answer.as_str()).value().is_some());
        of_values.map(|(_, count)| f64::from(*count)).sum::<f64>()
    };
    let count = item.votes.get(key).map(value_votes).filter(|count| *count > 0.0).unwrap_or(1.0);
    let unanswerable = answer.is_some_and(|answer| answer.value().is_none());
    Ok(Row { votes, count, trusted, unanswerable, truth: answered.filter(|_| trusted) })
}

fn normalised(
    shares: &BTreeMap<String, f64>,
    classes: usize,
    index: impl Fn(&str) -> Result<usize>,
) -> Result<Vec<f64>> {
    let total: f64 = shares.values().sum();
    let mut row = vec![0.0; classes];
    for (value, share) in shares {
        row[index(value)?] = share / total;
    }
    Ok(row)
}

/// `(n v + k p) / (n + k)`; the votes alone where nothing is expected, nothing where the part cannot be judged.
fn shrunk(row: &Row, prior: Option<&Vec<f64>>, k: f64) -> Option<Vec<f64>> {
    if row.unanswerable {
        return None;
    }
    match (&row.votes, prior) {
        (votes, None) => votes.clone().filter(|_| row.trusted),
        (None, Some(prior)) => Some(prior.clone()),
        (Some(_), Some(prior)) if k.is_infinite() => Some(prior.clone()),
        (Some(votes), Some(prior)) => {
            let mix = |(v, p): (&f64, &f64)| (row.count * v + k * p) / (row.count + k);
            Some(votes.iter().zip(prior).map(mix).collect())
        }
    }
}

/// The expected distribution per value of a given attribute.
struct Prior {
    given: String,
    table: BTreeMap<String, Vec<f64>>,
}

impl Prior {
    /// From the dataset's table, or from the training part; sets `config.prior` to the one that was used.
    fn new(
        dataset: &Dataset,
        attribute: &Attribute,
        labels: &[String],
        rows: &[Row],
        config: &mut HeadConfig,
    ) -> Result<Self> {
        let key = &attribute.key;
        if attribute.kind == AttributeKind::Given {
            return Err(Error::Dataset(format!(
                "heads.{key}.targets: `{key}` is given with the photo, only \"instance\" makes sense"
            )));
        }
        let entries: Vec<_> = dataset.manifest.priors.iter().filter(|prior| prior.attribute == *key).collect();
        let source = config.prior.unwrap_or(if entries.is_empty() { PriorSource::Train } else { PriorSource::Table });
        config.prior = Some(source);
        if source == PriorSource::Train {
            let given = entries.first().map(|prior| prior.given_attribute.clone());
            return Self::from_training_part(dataset, key, given, rows, labels.len());
        }
        let first = entries.first().ok_or_else(|| {
            Error::Dataset(format!("heads.{key}.prior: the dataset has no table for `{key}`; choose \"train\""))
        })?;
        let index = |value: &str| {
            labels.iter().position(|label| label == value).ok_or_else(|| {
                Error::Dataset(format!("the table for `{key}` names `{value}`, which is not one of its values"))
            })
        };
        let mut table = BTreeMap::new();
        for prior in entries.iter().filter(|prior| prior.given_attribute == first.given_attribute) {
            if prior.distribution.values().sum::<f64>() > 0.0 {
                table.insert(prior.given_value.clone(), normalised(&prior.distribution, labels.len(), index)?);
            }
        }
        Ok(Self { given: first.given_attribute.clone(), table })
    }

    /// Mean vote shares per value of `given` over the training part; of the given attribute with the most values where
    /// no table says which.
    fn from_training_part(
        dataset: &Dataset,
        key: &str,
        given: Option<String>,
        rows: &[Row],
        classes: usize,
    ) -> Result<Self> {
        let of_schema = || {
            let given = dataset.manifest.schema.attributes.iter().filter(|a| a.kind == AttributeKind::Given);
            given.max_by_key(|a| a.values.len()).map(|a| a.key.clone())
        };
        let given = given
            .or_else(of_schema)
            .ok_or_else(|| Error::Dataset(format!("heads.{key}.targets: no given attribute to expect `{key}` from")))?;
        let mut sums: BTreeMap<String, (f64, Vec<f64>)> = BTreeMap::new();
        for (item, row) in dataset.items.iter().zip(rows) {
            let (Some(value), Some(votes), true, Split::Train) =
                (item.given.get(&given), &row.votes, row.trusted, item.split)
            else {
                continue;
            };
            let (count, sum) = sums.entry(value.clone()).or_insert_with(|| (0.0, vec![0.0; classes]));
            *count += 1.0;
            sum.iter_mut().zip(votes).for_each(|(sum, vote)| *sum += vote);
        }
        let mean = |(count, sum): (f64, Vec<f64>)| sum.into_iter().map(|s| s / count).collect();
        Ok(Self { given, table: sums.into_iter().map(|(value, sums)| (value, mean(sums))).collect() })
    }

    fn of(&self, item: &Item) -> Option<&Vec<f64>> {
        item.given.get(&self.given).and_then(|value| self.table.get(value))
    }
}

/// How many values have the largest share in some training item's target.
fn labelled_in_train(dataset: &Dataset, head: &HeadData) -> usize {
    let classes = head.labels.len();
    if classes == 0 {
        return 0;
    }
    let floor = (head.config.smoothing.unwrap_or(0.0) / classes as f64) as f32 + f32::EPSILON;
    let mut seen = BTreeSet::new();
    for (i, item) in dataset.items.iter().enumerate() {
        if item.split == Split::Train && head.mask[i] > 0.0 {
            let target = &head.targets[i * classes..(i + 1) * classes];
            seen.extend(target.iter().enumerate().filter(|(_, t)| **t > floor).map(|(class, _)| class));
        }
    }
    seen.len()
}

#[cfg(test)]
mod tests;
