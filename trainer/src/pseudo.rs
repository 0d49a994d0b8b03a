//! Pseudo-labels (D.-H. Lee, ICML 2013 workshop): what a model is sure of becomes an answer to train on in a second round.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::{Path, PathBuf},
};

use kenami_domain::{
    answer::NOT_VISIBLE,
    dataset::{Item, Schema, Split},
    schema::AttributeKind,
};

use crate::{
    data::Dataset,
    error::{Error, Result},
    folds::by_hash,
    observer::Observer,
    predict::{Prediction, predict},
};

/// Where pseudo-labelled photos are said to lie, so that no name meets one of the dataset.
const FOLDER: &str = "pseudo/";

/// Unlabelled photos with the answers that a model is sure of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labelled {
    /// Training items; `image` is `pseudo/NAME`.
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
        let mut is_sure = false;
        for attribute in &schema.attributes {
            let key = &attribute.key;
            let first = prediction.heads.get(key).and_then(|ranked| ranked.first());
            let sure = first.filter(|(_, probability)| *probability >= threshold).map(|(value, _)| value.clone());
            if sure.is_some() {
                is_sure = true;
                *labelled.answers.entry(key.clone()).or_default() += 1;
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
        if is_sure {
            labelled.items.push(item);
        } else {
            labelled.unsure += 1;
        }
    }
    labelled
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
    use kenami_domain::schema::{Attribute, AttributeValue, Texts};

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
}
