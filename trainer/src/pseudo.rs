//! Pseudo-labels (D.-H. Lee, ICML 2013 workshop): what a model is sure of becomes an answer to train on in a second round.
//!
//! [`completed`] answers what people have not in a dataset's own photos, [`from_run`] labels photos from elsewhere.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use kenami_domain::{
    answer::NOT_VISIBLE,
    dataset::{Item, Schema, Split},
    schema::{Attribute, AttributeKind},
};

use crate::{
    data::{Dataset, file_name},
    error::{Error, Result},
    folds::by_hash,
    observer::Observer,
    predict::{Prediction, predict},
};

/// Where pseudo-labelled photos are said to lie, so that no name meets one of the dataset.
const FOLDER: &str = "pseudo/";

/// Photos with the answers that a model is sure of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labelled {
    /// Training items; `image` is `pseudo/NAME` where the photo is not the dataset's own.
    pub items: Vec<Item>,
    /// Answers taken per attribute.
    pub answers: BTreeMap<String, usize>,
    /// Photos for which the model was sure of nothing.
    pub unsure: usize,
    /// Photos that the dataset has already.
    pub known: usize,
}

/// Takes the first answer of each head where its probability (after temperature scaling) is `threshold` or more. An annotated
/// attribute gets answer, target and mask 1, or mask 0 (also where the answer is "not visible"); a given one its value. Photos without any such answer are left out.
pub fn label(schema: &Schema, predictions: &[Prediction], threshold: f64) -> Labelled {
    let mut labelled = Labelled::default();
    for prediction in predictions {
        let mut item = Item::new(format!("{FOLDER}{}", prediction.image), Split::Train);
        let answered = answer(&mut item, &schema.attributes, prediction, threshold);
        labelled.push(item, &answered);
    }
    labelled
}

/// The dataset with answers where one of its training photos has none: neither a consensus nor a vote, or no given value. What
/// people saw and could not settle (not visible, unsure, tied) stays as it is. Takes answers as [`label`] does; photos are found
/// by their file names, and those of which nothing is missing that the model knows are not counted. Last, what was predicted
/// where an answer was taken.
pub fn completed(
    dataset: &Dataset,
    predictions: &[Prediction],
    threshold: f64,
) -> (Dataset, Labelled, Vec<Prediction>) {
    let by_name: HashMap<&str, &Prediction> = predictions.iter().map(|p| (p.image.as_str(), p)).collect();
    let (mut completed, mut labelled, mut taken) = (dataset.clone(), Labelled::default(), Vec::new());
    for item in completed.items.iter_mut().filter(|item| item.split == Split::Train) {
        let Some(prediction) = by_name.get(file_name(&item.image)) else { continue };
        let lacking = dataset.manifest.schema.attributes.iter().filter(|attribute| {
            prediction.heads.contains_key(&attribute.key) && is_unanswered(item, &attribute.key, attribute.kind)
        });
        let lacking: Vec<&Attribute> = lacking.collect();
        if !lacking.is_empty() {
            let answered = answer(item, lacking, prediction, threshold);
            labelled.push(item.clone(), &answered);
            let heads = answered.iter().map(|key| ((*key).to_owned(), prediction.heads[*key].clone())).collect();
            taken.push(Prediction { image: prediction.image.clone(), heads });
        }
    }
    (completed, labelled, taken)
}

fn is_unanswered(item: &Item, key: &str, kind: AttributeKind) -> bool {
    match kind {
        AttributeKind::Given => !item.given.contains_key(key),
        AttributeKind::Annotated => {
            !item.answers.contains_key(key)
                && item.votes.get(key).is_none_or(BTreeMap::is_empty)
                && item.targets.get(key).is_none_or(BTreeMap::is_empty)
        }
    }
}

/// Gives `item` the model's first answers of these attributes where it is sure of them; their keys.
fn answer<'a>(
    item: &mut Item,
    attributes: impl IntoIterator<Item = &'a Attribute>,
    prediction: &Prediction,
    threshold: f64,
) -> Vec<&'a str> {
    let mut answered = Vec::new();
    for attribute in attributes {
        let key = &attribute.key;
        let first = prediction.heads.get(key).and_then(|ranked| ranked.first());
        let sure = first.filter(|(_, probability)| *probability >= threshold).map(|(value, _)| value.clone());
        if sure.is_some() {
            answered.push(key.as_str());
        }
        match (attribute.kind, sure) {
            (AttributeKind::Given, Some(value)) => {
                item.given.insert(key.clone(), value);
            }
            (AttributeKind::Given, None) => {}
            (AttributeKind::Annotated, Some(value)) => {
                item.answers.insert(key.clone(), value.as_str().into());
                let is_value = value != NOT_VISIBLE;
                if is_value {
                    item.targets.insert(key.clone(), BTreeMap::from([(value, 1.0)]));
                }
                item.masks.insert(key.clone(), u8::from(is_value));
            }
            (AttributeKind::Annotated, None) => {
                item.masks.insert(key.clone(), 0);
            }
        }
    }
    answered
}

impl Labelled {
    /// A photo and the attributes of which it got an answer.
    fn push(&mut self, item: Item, answered: &[&str]) {
        if answered.is_empty() {
            self.unsure += 1;
            return;
        }
        self.items.push(item);
        answered.iter().for_each(|key| *self.answers.entry((*key).to_owned()).or_default() += 1);
    }
}

/// The dataset with pseudo-labelled photos in its training part, for a second round. `photos` are the files behind the
/// predictions. Exact duplicates of the dataset's own photos are left out: a photo that is tested on is not trained on.
///
/// # Errors
/// A photo cannot be read, or two have the same name.
pub fn extended(dataset: &Dataset, mut labelled: Labelled, photos: &[PathBuf]) -> Result<(Dataset, Labelled)> {
    let mut paths: HashMap<String, PathBuf> = HashMap::new();
    for path in photos {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        if paths.insert(format!("{FOLDER}{name}"), path.clone()).is_some() {
            return Err(Error::Dataset(format!("two unlabelled photos have the name {name}")));
        }
    }
    let known = by_hash(dataset)?;
    let mut items = Vec::with_capacity(labelled.items.len());
    for mut item in labelled.items {
        let path = paths
            .get(&item.image)
            .ok_or_else(|| Error::Dataset(format!("{}: there is a prediction for it, but no photo", item.image)))?;
        item.image_hash = blake3::hash(&fs::read(path).map_err(Error::io(path))?).to_hex().to_string();
        if known.contains_key(&item.image_hash) {
            labelled.known += 1;
            item.answers.keys().chain(item.given.keys()).for_each(|key| {
                labelled.answers.entry(key.clone()).and_modify(|count| *count -= 1);
            });
        } else {
            items.push(item);
        }
    }
    labelled.items = items;
    let extended = dataset.extended(labelled.items.clone(), move |item| match paths.get(&item.image) {
        Some(path) => fs::read(path),
        None => Err(std::io::ErrorKind::NotFound.into()),
    });
    Ok((extended, labelled))
}

/// Predicts `photos` with the model of a finished run and adds those that it is sure of to the dataset's training part.
///
/// # Errors
/// The folder has no model, no photo can be read, or the observer cancelled.
pub fn from_run(
    dataset: &Dataset,
    run_dir: &Path,
    photos: &[PathBuf],
    threshold: f64,
    observer: &dyn Observer,
) -> Result<(Dataset, Labelled)> {
    let predictions = predict(run_dir, photos, observer)?;
    extended(dataset, label(&dataset.manifest.schema, &predictions, threshold), photos)
}

#[cfg(test)]
mod tests {
    use kenami_domain::{
        answer::Answer,
        dataset::Manifest,
        schema::{AttributeValue, Texts},
    };

    use super::*;

    fn attribute(key: &str, kind: AttributeKind) -> Attribute {
        let value = |key: &str| AttributeValue { key: key.to_owned(), names: Texts::default(), retired: false };
        Attribute { key: key.to_owned(), names: Texts::default(), kind, values: vec![value("x"), value("y")] }
    }

    fn prediction(image: &str, breed: f64, ear: f64) -> Prediction {
        let head = |p: f64| vec![("x".to_owned(), p), ("y".to_owned(), 1.0 - p)];
        let heads = BTreeMap::from([("breed".to_owned(), head(breed)), ("ear".to_owned(), head(ear))]);
        Prediction { image: image.to_owned(), heads }
    }

    #[test]
    fn only_what_is_sure_becomes_an_answer() {
        let attributes = vec![attribute("breed", AttributeKind::Given), attribute("ear", AttributeKind::Annotated)];
        let predictions = [prediction("a", 0.95, 0.9), prediction("b", 0.95, 0.89), prediction("c", 0.6, 0.7)];
        let labelled = label(&Schema { attributes }, &predictions, 0.9);
        assert_eq!(labelled.items.len(), 2);
        assert_eq!((labelled.unsure, labelled.answers["breed"], labelled.answers["ear"]), (1, 2, 1));
        let [a, b] = &labelled.items[..] else { panic!("two items") };
        assert_eq!((a.given["breed"].as_str(), a.masks["ear"], a.targets["ear"]["x"]), ("x", 1, 1.0));
        assert_eq!((b.given["breed"].as_str(), b.masks["ear"], b.targets.len()), ("x", 0, 0));
        assert!(a.split == Split::Train && a.image == "pseudo/a");
    }

    #[test]
    fn a_photo_gets_the_answers_that_it_lacks_and_no_others() {
        let attributes = vec![
            attribute("breed", AttributeKind::Given),
            attribute("ear", AttributeKind::Annotated),
            attribute("tail", AttributeKind::Annotated),
        ];
        let item = |name: &str, split| {
            let mut item = Item::new(format!("images/{name}"), split);
            item.given.insert("breed".to_owned(), "y".to_owned());
            item.masks = BTreeMap::from([("ear".to_owned(), 0), ("tail".to_owned(), 0)]);
            item
        };
        let mut items: Vec<Item> =
            ["none", "unseen", "tied", "faint", "held", "shared"].map(|n| item(n, Split::Train)).into();
        items[1].answers.insert("ear".to_owned(), Answer::NotVisible);
        items[2].votes.insert("ear".to_owned(), BTreeMap::from([("x".to_owned(), 1), ("y".to_owned(), 1)]));
        items[4].split = Split::Validation;
        // From a folder that holds no votes.
        items[5].targets.insert("ear".to_owned(), BTreeMap::from([("x".to_owned(), 0.5), ("y".to_owned(), 0.5)]));
        let dataset = Dataset::new(Manifest::new("d", Schema { attributes }), items.clone(), |_| Ok(Vec::new()));
        let mut predictions: Vec<_> = items.iter().map(|i| prediction(file_name(&i.image), 0.99, 0.95)).collect();
        predictions[3] = prediction("faint", 0.99, 0.8);
        let (completed, labelled, taken) = completed(&dataset, &predictions, 0.9);
        // The tail has no head; "faint" lacks an ear of which the model is not sure.
        assert_eq!((labelled.items.len(), labelled.unsure), (1, 1));
        assert_eq!(labelled.answers, BTreeMap::from([("ear".to_owned(), 1)]));
        assert_eq!(completed.items[1..], items[1..]);
        let heads: Vec<(&str, usize)> = taken.iter().map(|p| (p.image.as_str(), p.heads.len())).collect();
        assert_eq!(heads, [("none", 1), ("faint", 0)]);
        let answered = &completed.items[0];
        assert_eq!((answered.given["breed"].as_str(), answered.masks["ear"], answered.masks["tail"]), ("y", 1, 0));
        assert_eq!((&answered.answers["ear"], answered.targets["ear"]["x"]), (&Answer::Value("x".to_owned()), 1.0));
    }
}
