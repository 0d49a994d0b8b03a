//! A dataset from photos, votes, reviewers' decisions and a policy: nothing in it depends on the order of what goes in.
//!
//! Per photo and annotated attribute:
//!
//! | | answer | target | mask |
//! |---|---|---|---|
//! | a value wins | the value | vote shares of the values (majority), posterior of the values (Dawid-Skene, CROWDLAB) | 1 |
//! | a reviewer decided on a value (adjudicated-first) | the value | that value alone | 1 |
//! | not visible or unsure wins, or was decided | it | as above | 0 |
//! | a tie | none | as above | 0 |
//! | no vote | none | empty | 0 |
//!
//! Photos with one file share its votes and decisions.

use std::{
    borrow::{Borrow, Cow},
    collections::{BTreeMap, HashMap, HashSet},
};

use serde::{Deserialize, Serialize};

use crate::{
    answer::{Answer, NOT_VISIBLE, UNSURE},
    consensus::{ConsensusError, ConsensusOptions, Decision, Method, Winner, decide},
    csvio::Probabilities,
    dataset::{Item, Manifest, Policy, Schema, Split},
    names::safe_names,
    schema::{Attribute, AttributeKind, Prior},
    split::{ImportedSplit, Parted, SplitPhoto, split},
    votes::VoteTable,
};

/// A photo to freeze.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FreezePhoto {
    /// Its name in the project.
    pub name: String,
    /// blake3 of its file, hex; two photos with one file are exact duplicates.
    pub file_hash: String,
    /// Value key per given attribute.
    pub given: BTreeMap<String, String>,
    /// The part that came with it.
    pub imported: Option<ImportedSplit>,
    /// Extension of the file's format (`jpg`), for names without one.
    pub extension: Option<String>,
}

/// A reviewer's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjudication {
    /// The file that was judged.
    pub file_hash: String,
    /// The attribute's key.
    pub attribute: String,
    /// What it is.
    pub answer: Answer,
}

/// All that a dataset is made of.
#[derive(Debug, Clone, Copy)]
pub struct FreezeInput<'a> {
    /// The dataset's name.
    pub name: &'a str,
    /// The project's key.
    pub project: &'a str,
    /// In any order.
    pub photos: &'a [FreezePhoto],
    /// The labels that count now; their item is the file's hash.
    pub votes: &'a VoteTable,
    /// In order of time: the last one about a file and attribute counts.
    pub adjudications: &'a [Adjudication],
    /// How answers become one.
    pub policy: Policy,
    /// Of the split.
    pub seed: u64,
    /// Given and annotated attributes.
    pub schema: &'a Schema,
    /// Breed standards and the like.
    pub priors: &'a [Prior],
    /// Guideline version per annotated attribute.
    pub guideline_versions: &'a BTreeMap<String, i32>,
    /// A run's out-of-sample probabilities, for CROWDLAB; their item is the file's hash.
    pub probabilities: Option<&'a Probabilities>,
    /// Given attribute of which every part gets its share; `None`: the one with the most values that are not too rare.
    pub stratify_by: Option<&'a str>,
}

/// Why there is no dataset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FreezeError {
    /// Nothing to freeze.
    #[error("the project has no photos")]
    NoPhotos,
    /// The split was to be stratified by something else.
    #[error("`{0}` is not a given attribute, so the split cannot be stratified by it")]
    NotGiven(String),
    /// The policy needs more.
    #[error(transparent)]
    Consensus(#[from] ConsensusError),
}

/// What the photos' answers came to on one attribute, in photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AttributeCounts {
    /// With a value: mask 1.
    pub answered: usize,
    /// Tied votes.
    pub tied: usize,
    /// Not visible.
    pub not_visible: usize,
    /// Unsure.
    pub unsure: usize,
    /// Without votes or decision.
    pub unlabelled: usize,
    /// Decided by a reviewer (counted above, too).
    pub adjudicated: usize,
}

/// A dataset in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FreezeCounts {
    /// Photos per part.
    pub splits: BTreeMap<Split, usize>,
    /// Per annotated attribute.
    pub attributes: BTreeMap<String, AttributeCounts>,
    /// Photos whose file another photo has, too, beyond the first.
    pub duplicates: usize,
    /// Exact duplicates that the official split puts into different parts.
    pub parted: Vec<Parted>,
}

/// A frozen dataset. Its items are made one at a time: a million of them need not be in memory at once.
#[derive(Debug)]
pub struct Frozen<'a> {
    /// dataset.json.
    pub manifest: Manifest,
    /// What the lead should know.
    pub warnings: Vec<String>,
    /// What is in it.
    pub counts: FreezeCounts,
    photos: &'a [FreezePhoto],
    /// Photo numbers in the order of their names in the dataset.
    order: Vec<usize>,
    images: Vec<String>,
    splits: Vec<Split>,
    given: Vec<&'a str>,
    columns: Vec<Column>,
}

/// Freezes a dataset.
///
/// # Errors
/// No photos, an attribute to stratify by that is not given, or CROWDLAB without probabilities.
pub fn freeze<'a>(input: &FreezeInput<'a>) -> Result<Frozen<'a>, FreezeError> {
    if input.photos.is_empty() {
        return Err(FreezeError::NoPhotos);
    }
    let of_kind = |kind| input.schema.attributes.iter().filter(move |attribute| attribute.kind == kind);
    let given: Vec<&Attribute> = of_kind(AttributeKind::Given).collect();
    let annotated: Vec<&Attribute> = of_kind(AttributeKind::Annotated).collect();
    let mut warnings = unknown_given(input.photos, &given);
    let files: HashSet<&str> = input.photos.iter().map(|photo| photo.file_hash.as_str()).collect();
    let votes = known_votes(input.votes, &files, &annotated, &mut warnings);
    let decisions = known_adjudications(input, &files, &annotated, &mut warnings);
    let mut columns = Vec::new();
    for attribute in annotated {
        let decided = decisions.get(attribute.key.as_str()).cloned().unwrap_or_default();
        columns.push(Column::new(attribute, &votes, decided, input, &mut warnings)?);
    }
    let stratum = stratum(input, &given)?;
    let photo = |photo: &'a FreezePhoto| SplitPhoto {
        name: &photo.name,
        file_hash: &photo.file_hash,
        stratum: stratum.and_then(|key| photo.given.get(key)).map(String::as_str),
        imported: photo.imported,
    };
    let assignment = split(&input.photos.iter().map(photo).collect::<Vec<_>>(), input.seed);
    warnings.extend(assignment.parted.iter().map(|parted| {
        format!("the official split puts exact duplicates into different parts: {}", parted.photos.join(", "))
    }));
    let images = images(input.photos);
    let mut order: Vec<usize> = (0..input.photos.len()).collect();
    order.sort_unstable_by(|&a, &b| images[a].cmp(&images[b]));
    let mut frozen = Frozen {
        manifest: Manifest {
            name: input.name.to_owned(),
            project: input.project.to_owned(),
            hash: String::new(),
            schema: input.schema.clone(),
            policy: input.policy,
            seed: input.seed,
            priors: input.priors.to_vec(),
            guideline_versions: input.guideline_versions.clone(),
            items: input.photos.len(),
        },
        warnings,
        counts: FreezeCounts {
            duplicates: input.photos.len() - files.len(),
            parted: assignment.parted,
            ..Default::default()
        },
        photos: input.photos,
        order,
        images,
        splits: assignment.splits,
        given: given.iter().map(|attribute| attribute.key.as_str()).collect(),
        columns,
    };
    frozen.counts.attributes = frozen.attribute_counts();
    for split in Split::ALL {
        frozen.counts.splits.insert(split, frozen.splits.iter().filter(|&&of| of == split).count());
    }
    frozen.manifest.hash = content_hash(input.schema, input.policy, input.priors, frozen.items().map(|(_, item)| item));
    Ok(frozen)
}

impl Frozen<'_> {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is no item; never, as freezing nothing is an error.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The items by image name, each with its photo's place in the input.
    pub fn items(&self) -> impl Iterator<Item = (usize, Item)> + '_ {
        self.order.iter().map(|&number| (number, self.item(number)))
    }

    fn item(&self, number: usize) -> Item {
        let photo = &self.photos[number];
        let given = photo.given.iter().filter(|(key, _)| self.given.contains(&key.as_str()));
        let mut item = Item {
            image: self.images[number].clone(),
            split: self.splits[number],
            given: given.map(|(key, value)| (key.clone(), value.clone())).collect(),
            answers: BTreeMap::new(),
            targets: BTreeMap::new(),
            masks: BTreeMap::new(),
            votes: BTreeMap::new(),
            image_hash: photo.file_hash.clone(),
        };
        for column in &self.columns {
            let cell = column.cell(&photo.file_hash);
            item.masks.insert(column.attribute.clone(), u8::from(cell.is_value()));
            item.targets.insert(column.attribute.clone(), cell.target);
            if let Outcome::Answer(answer) = cell.outcome {
                item.answers.insert(column.attribute.clone(), answer);
            }
            if !cell.votes.is_empty() {
                item.votes.insert(column.attribute.clone(), cell.votes);
            }
        }
        item
    }

    fn attribute_counts(&self) -> BTreeMap<String, AttributeCounts> {
        let count = |column: &Column| {
            let mut counts = AttributeCounts::default();
            for photo in self.photos {
                let place = match column.outcome(&photo.file_hash) {
                    Outcome::Answer(Answer::Value(_)) => &mut counts.answered,
                    Outcome::Answer(Answer::NotVisible) => &mut counts.not_visible,
                    Outcome::Answer(Answer::Unsure) => &mut counts.unsure,
                    Outcome::Tied => &mut counts.tied,
                    Outcome::Unlabelled => &mut counts.unlabelled,
                };
                *place += 1;
                counts.adjudicated += usize::from(column.adjudicated.contains_key(&photo.file_hash));
            }
            (column.attribute.clone(), counts)
        };
        self.columns.iter().map(count).collect()
    }
}

/// One annotated attribute of all files.
#[derive(Debug)]
struct Column {
    attribute: String,
    answers: Vec<String>,
    rows: HashMap<String, usize>,
    winners: Vec<Winner>,
    /// `[row * K + answer]`
    posterior: Vec<f64>,
    /// `[row * K + answer]`
    votes: Vec<u32>,
    adjudicated: HashMap<String, Answer>,
}

/// What is known of one file's attribute.
struct Cell {
    outcome: Outcome,
    target: BTreeMap<String, f64>,
    votes: BTreeMap<String, u32>,
}

enum Outcome {
    Answer(Answer),
    Tied,
    Unlabelled,
}

impl Cell {
    fn is_value(&self) -> bool {
        matches!(self.outcome, Outcome::Answer(Answer::Value(_)))
    }
}

impl Column {
    fn new(
        attribute: &Attribute,
        votes: &VoteTable,
        adjudicated: HashMap<String, Answer>,
        input: &FreezeInput<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConsensusError> {
        let mut column = Self {
            attribute: attribute.key.clone(),
            answers: Vec::new(),
            rows: HashMap::new(),
            winners: Vec::new(),
            posterior: Vec::new(),
            votes: Vec::new(),
            adjudicated,
        };
        let method = match input.policy {
            Policy::AdjudicatedFirst | Policy::Majority => Method::Majority,
            Policy::DawidSkene => Method::DawidSkene,
            Policy::Crowdlab => Method::Crowdlab,
        };
        let Some(named) = votes.ratings(&attribute.key) else { return Ok(column) };
        let options = ConsensusOptions::default();
        let decision = decide(&attribute.key, named.clone(), method, input.probabilities, &options)?;
        warnings.extend(decision.warnings.iter().map(|warning| format!("{}: {warning}", attribute.key)));
        let k = decision.answers.len();
        // CROWDLAB's answers may be more than those that were voted for.
        let place: Vec<usize> = named.answers.iter().map(|&voted| place(&decision, voted)).collect();
        column.votes = vec![0; named.items.len() * k];
        for (row, votes) in named.ratings.iter().enumerate() {
            votes.iter().for_each(|vote| column.votes[row * k + place[vote.answer as usize]] += 1);
        }
        column.rows = (0..).zip(&named.items).map(|(row, &item)| (item.to_owned(), row)).collect();
        column.answers = decision.answers;
        column.winners = decision.winners;
        column.posterior = decision.posterior;
        Ok(column)
    }

    fn outcome(&self, file_hash: &str) -> Outcome {
        if let Some(answer) = self.adjudicated.get(file_hash) {
            return Outcome::Answer(answer.clone());
        }
        match self.rows.get(file_hash).map(|&row| &self.winners[row]) {
            Some(Winner::Answer(answer)) => Outcome::Answer(Answer::from(self.answers[*answer as usize].as_str())),
            Some(Winner::Tied(_)) => Outcome::Tied,
            None => Outcome::Unlabelled,
        }
    }

    fn cell(&self, file_hash: &str) -> Cell {
        let outcome = self.outcome(file_hash);
        let mut cell = Cell { outcome, target: BTreeMap::new(), votes: BTreeMap::new() };
        if let Some(&row) = self.rows.get(file_hash) {
            let range = row * self.answers.len()..(row + 1) * self.answers.len();
            cell.target = over_values(&self.answers, &self.posterior[range.clone()]);
            let votes = self.answers.iter().zip(&self.votes[range]).filter(|(_, votes)| **votes > 0);
            cell.votes = votes.map(|(answer, &votes)| (answer.clone(), votes)).collect();
        }
        if let Some(Answer::Value(value)) = self.adjudicated.get(file_hash) {
            cell.target = BTreeMap::from([(value.clone(), 1.0)]);
        }
        cell
    }
}

fn place(decision: &Decision<'_>, answer: &str) -> usize {
    decision.answers.iter().position(|known| known == answer).unwrap_or_default()
}

/// The distribution without not visible and unsure, and without what is zero but for rounding; empty where nothing is left.
fn over_values(answers: &[String], row: &[f64]) -> BTreeMap<String, f64> {
    let is_value = |answer: &str| answer != NOT_VISIBLE && answer != UNSURE;
    let values = || answers.iter().zip(row).filter(|&(answer, &p)| is_value(answer) && p > 1e-9);
    let sum: f64 = values().map(|(_, p)| p).sum();
    values().map(|(answer, &p)| (answer.clone(), p / sum)).collect()
}

/// Says which given attributes or values the schema lacks.
fn unknown_given(photos: &[FreezePhoto], given: &[&Attribute]) -> Vec<String> {
    let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
    for (key, value) in photos.iter().flat_map(|photo| &photo.given) {
        match given.iter().find(|attribute| attribute.key == *key) {
            None => *unknown.entry(format!("{key} is no given attribute and was left out")).or_default() += 1,
            Some(attribute) if attribute.value(value).is_none() => {
                *unknown.entry(format!("{key} has no value {value}")).or_default() += 1;
            }
            Some(_) => {}
        }
    }
    unknown.into_iter().map(|(what, photos)| format!("{what} ({photos} photos)")).collect()
}

/// The votes on the dataset's files, attributes and values; what is left out is said.
fn known_votes<'a>(
    votes: &'a VoteTable,
    files: &HashSet<&str>,
    annotated: &[&Attribute],
    warnings: &mut Vec<String>,
) -> Cow<'a, VoteTable> {
    let is_known = |row: &crate::votes::VoteRow<'_>| {
        files.contains(row.item) && knows(annotated, row.attribute, &Answer::from(row.answer))
    };
    let unknown = votes.rows().filter(|row| !is_known(row)).count();
    if unknown == 0 {
        return Cow::Borrowed(votes);
    }
    warnings.push(format!("{unknown} votes on unknown photos, attributes or values were left out"));
    let mut known = VoteTable::new();
    let rows = votes.rows().filter(is_known);
    rows.for_each(|row| known.push(row.item, row.annotator, row.attribute, row.answer));
    Cow::Owned(known)
}

fn knows(annotated: &[&Attribute], attribute: &str, answer: &Answer) -> bool {
    let attribute = annotated.iter().find(|known| known.key == attribute);
    attribute.is_some_and(|attribute| answer.value().is_none_or(|value| attribute.value(value).is_some()))
}

/// The decisions that the policy takes, the last one of each file, by attribute.
fn known_adjudications<'a>(
    input: &FreezeInput<'a>,
    files: &HashSet<&str>,
    annotated: &[&Attribute],
    warnings: &mut Vec<String>,
) -> HashMap<&'a str, HashMap<String, Answer>> {
    let mut known: HashMap<&str, HashMap<String, Answer>> = HashMap::new();
    let all = input.adjudications;
    if input.policy != Policy::AdjudicatedFirst {
        if !all.is_empty() {
            warnings.push(format!("{} reviewers' decisions are not used under the policy {}", all.len(), input.policy));
        }
        return known;
    }
    let mut left_out = 0;
    for decision in all {
        if files.contains(decision.file_hash.as_str()) && knows(annotated, &decision.attribute, &decision.answer) {
            let of = known.entry(&decision.attribute).or_default();
            of.insert(decision.file_hash.clone(), decision.answer.clone());
        } else {
            left_out += 1;
        }
    }
    if left_out > 0 {
        warnings.push(format!("{left_out} decisions on unknown photos, attributes or values were left out"));
    }
    known
}

/// The given attribute by which the split is stratified. Unless told: the one with the most values among those that have at
/// least four photos a value on average (strata of one photo would all train).
fn stratum<'a>(input: &FreezeInput<'a>, given: &[&'a Attribute]) -> Result<Option<&'a str>, FreezeError> {
    if let Some(key) = input.stratify_by {
        let is_given = given.iter().any(|attribute| attribute.key == key);
        return if is_given { Ok(Some(key)) } else { Err(FreezeError::NotGiven(key.to_owned())) };
    }
    let mut best = (0, None);
    for attribute in given {
        let values = || input.photos.iter().filter_map(|photo| photo.given.get(&attribute.key));
        let (photos, different) = (values().count(), values().collect::<HashSet<_>>().len());
        if different > best.0 && photos >= 4 * different {
            best = (different, Some(attribute.key.as_str()));
        }
    }
    Ok(best.1)
}

fn images(photos: &[FreezePhoto]) -> Vec<String> {
    let names = photos.iter().map(|p| (p.name.as_str(), p.file_hash.as_str(), p.extension.as_deref()));
    safe_names(names).into_iter().map(|name| format!("images/{name}")).collect()
}

/// The dataset's content hash: blake3, hex, over one line of JSON with format, schema, policy and priors (sorted by given
/// attribute, value and attribute), then every item as its line of items.jsonl, each line ended by `\n`.
///
/// Items in the order of their images. They carry the hashes of the image bytes. Name, project and seed are no content: the
/// split that the seed made is.
pub fn content_hash<T: Borrow<Item>>(
    schema: &Schema,
    policy: Policy,
    priors: &[Prior],
    items: impl IntoIterator<Item = T>,
) -> String {
    #[derive(Serialize)]
    struct Head<'a> {
        format: u32,
        schema: &'a Schema,
        policy: Policy,
        priors: Vec<&'a Prior>,
    }
    let mut priors: Vec<&Prior> = priors.iter().collect();
    priors.sort_by_key(|prior| (&prior.given_attribute, &prior.given_value, &prior.attribute));
    let mut hasher = blake3::Hasher::new();
    let mut line = |value: serde_json::Result<Vec<u8>>| {
        // Only maps with keys that are not strings, or a failing writer, could make this an error: there are none.
        hasher.update(&value.expect("a dataset's rows are JSON")).update(b"\n");
    };
    line(serde_json::to_vec(&Head { format: 1, schema, policy, priors }));
    items.into_iter().for_each(|item| line(serde_json::to_vec(item.borrow())));
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests;
