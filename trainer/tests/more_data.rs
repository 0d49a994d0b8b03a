//! Out-of-sample predictions over folds, and a second round on pseudo-labelled photos.
#![allow(missing_docs)]

mod common;

use std::{collections::BTreeSet, fs};

use common::{CONFIG, drawn, export, run};
use kenami_domain::{csvio::read_probabilities, dataset::Split};
use kenami_trainer::{Silent, pseudo};

fn name(image: &str) -> &str {
    image.rsplit('/').next().unwrap()
}

#[test]
fn every_photo_but_those_of_test_is_predicted_out_of_sample() {
    let dir = tempfile::tempdir().unwrap();
    let dataset = drawn();
    let text = format!("{CONFIG}[evaluate]\nfolds = 3\n");
    let metrics = run(&dataset, dir.path(), &text);
    let bytes = fs::read(dir.path().join("oof_predictions.csv")).unwrap();
    let parsed = read_probabilities(bytes.as_slice()).unwrap();
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    let items: BTreeSet<&str> = parsed.value.iter().map(|(item, ..)| item).collect();
    let expected = dataset.items.iter().filter(|item| item.split != Split::Test).map(|item| name(&item.image));
    assert_eq!(items, expected.collect());
    for item in items {
        for (attribute, values) in [("breed", 3), ("ear", 2)] {
            let row = parsed.value.row(item, attribute).unwrap();
            assert_eq!(row.len(), values);
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5, "{item} {row:?}");
        }
    }
    let breed = &metrics.out_of_sample["breed"];
    assert_eq!(breed.n, 39);
    assert!(breed.accuracy > 0.7, "{}", breed.accuracy);

    let again = tempfile::tempdir().unwrap();
    run(&dataset, again.path(), &text);
    assert!(fs::read(again.path().join("oof_predictions.csv")).unwrap() == bytes);
    run(&dataset, again.path(), CONFIG);
    assert!(!again.path().join("oof_predictions.csv").exists());
}

#[test]
fn what_a_model_is_sure_of_is_trained_on_in_a_second_round() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, first, second) = (dir.path().join("dataset"), dir.path().join("first"), dir.path().join("second"));
    let all = drawn();
    export(&all, &folder);
    let mut few = all.clone();
    // Every other variant of each breed keeps its labels.
    let is_even = |image: &str| image.trim_end_matches(".png").ends_with(['0', '2', '4', '6', '8']);
    few.items.retain(|item| item.split != Split::Train || is_even(&item.image));
    let unlabelled = all.items.iter().filter(|item| !few.items.contains(item) || item.image.ends_with("akita_14.png"));
    let photos: Vec<_> = unlabelled.map(|item| folder.join(&item.image)).collect();
    assert!(photos.len() > 5 && few.items.len() < all.items.len());
    // Enough epochs for a model whose answers are worth learning.
    let config = CONFIG.replace("epochs = 6", "epochs = 20");
    let before = run(&few, &first, &config).heads["breed"]["test"].accuracy;
    let (extended, labelled) = pseudo::from_run(&few, &first, &photos, 0.3, &Silent).unwrap();
    // Of three values one always has a third; the test photo among them is known and left out.
    assert_eq!((labelled.known, labelled.unsure, labelled.items.len()), (1, 0, photos.len() - 1));
    assert_eq!(labelled.answers["breed"], labelled.items.len());
    assert_eq!(extended.items[..few.items.len()], few.items);
    assert!(extended.items[few.items.len()..].iter().all(|item| item.split == Split::Train));
    let metrics = run(&extended, &second, &config);
    assert_eq!(metrics.photos, few.items.len() + labelled.items.len());
    assert_eq!(metrics.heads["breed"]["test"].n, 9);
    let after = metrics.heads["breed"]["test"].accuracy;
    assert!(before > 0.7 && after > 0.7, "{before} {after}");
    // Nothing is certain enough for a threshold of 1.
    let (extended, labelled) = pseudo::from_run(&few, &first, &photos, 1.0, &Silent).unwrap();
    assert_eq!((extended.items.len(), labelled.unsure), (few.items.len(), photos.len()));
}
