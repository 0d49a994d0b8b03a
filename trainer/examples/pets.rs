//! Trains on the Oxford-IIIT Pet photos and prints times and accuracies.
//!
//!     PETS=DIR cargo run --release -p kenami-trainer --example pets -- [CONFIG.toml]
//!
//! PETS: a folder with images/ and annotations/{trainval,test}.txt.
//! WEIGHTS: a safetensors file (default: the demo's). CACHE: where features are kept (default: nowhere).
//! OUT: the run's folder (default: a temporary one; with FOLDS a folder in it for each). SEEDS: how many seeds to run (default 1). VALIDATION_ONLY=1 hides the
//! test figures: choose on validation. FOLDS=1 prints instead, per head, the mean over five folds of trainval, each held out
//! in turn: a steadier ground to choose on than one fifth. ALL=1 holds nothing out: the last run of what was chosen. LABELLED=5 keeps the
//! labels of five training photos of each breed: for pseudo-labels (`pseudo.unlabelled = true`).

use std::{collections::BTreeMap, env, error::Error, fs, path::Path, path::PathBuf};

use kenami_domain::{
    dataset::{Item, Manifest, Schema, Split},
    metrics::Metrics,
    run_config::RunConfig,
    schema::{Attribute, AttributeKind, AttributeValue, Texts},
};
use kenami_trainer::{Dataset, Event, Observer, TrainRequest, WeightsInput, train};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Parts of trainval, one of which is held out.
const FOLDS: usize = 5;

struct Printer;

impl Observer for Printer {
    fn event(&self, event: Event) {
        match event {
            Event::Features { done, total, cached } if done == total => eprintln!("features {done} ({cached} cached)"),
            Event::Warning(text) => eprintln!("warning: {text}"),
            _ => {}
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let pets = PathBuf::from(env::var("PETS").map_err(|_| "PETS=DIR names the folder with the photos")?);
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/weights/efficientnet_lite0_f16.safetensors");
    let weights = PathBuf::from(env::var("WEIGHTS").unwrap_or_else(|_| demo.to_owned()));
    let mut config = match env::args().nth(1) {
        Some(path) => RunConfig::from_toml(&fs::read_to_string(path)?)?,
        None => RunConfig::default(),
    };
    let seeds: u64 = env::var("SEEDS").ok().map_or(Ok(1), |seeds| seeds.parse())?;
    let hide_test = env::var("VALIDATION_ONLY").is_ok();
    let scratch = tempfile::tempdir()?;
    let out = env::var_os("OUT").map_or_else(|| scratch.path().join("run"), PathBuf::from);
    let run = |dataset: &Dataset, config: &RunConfig, out_dir: PathBuf| {
        let request = TrainRequest {
            dataset: dataset.clone(),
            config: config.clone(),
            out_dir,
            cache_dir: Some(env::var_os("CACHE").map_or_else(|| scratch.path().join("cache"), PathBuf::from)),
            weights: Some(WeightsInput::Path(weights.clone())),
            resume: false,
        };
        train(request, &Printer)
    };
    let all = env::var("ALL").is_ok();
    let labelled: usize = env::var("LABELLED").ok().map_or(Ok(usize::MAX), |labelled| labelled.parse())?;
    let folds = if env::var("FOLDS").is_ok() { FOLDS } else { 1 };
    for seed in 0..seeds {
        config.seed = seed;
        let mut held_out: BTreeMap<String, (f64, f64, Vec<f64>)> = BTreeMap::new();
        for fold in 0..folds {
            let folder = if folds > 1 { out.join(format!("fold-{fold}")) } else { out.clone() };
            let metrics = run(&oxford_pets(&pets, (!all).then_some(fold), labelled)?, &config, folder)?;
            for (head, splits) in &metrics.heads {
                let sums = held_out.entry(head.clone()).or_default();
                if let Some(validation) = splits.get("validation") {
                    sums.0 += validation.accuracy / folds as f64;
                    sums.1 += validation.nll / folds as f64;
                }
                sums.2.push(splits["test"].accuracy);
            }
            if folds == 1 {
                print(seed, &metrics, hide_test);
            }
        }
        if folds > 1 {
            for (head, (accuracy, nll, test)) in held_out {
                println!("seed {seed} {head}: held-out accuracy {accuracy:.4} nll {nll:.4}, {folds} folds of trainval");
                if !hide_test {
                    println!("  test accuracy per fold: {test:.4?}");
                }
            }
        }
    }
    Ok(())
}

fn print(seed: u64, metrics: &Metrics, hide_test: bool) {
    println!(
        "seed {seed}: {:.1} s, {:.1} photos/s ({} computed, {} cached)",
        metrics.seconds, metrics.images_per_second, metrics.features_computed, metrics.features_cached
    );
    if let Some(pseudo) = &metrics.pseudo {
        println!("  pseudo-labels from {}: {} of {} photos", pseudo.threshold, pseudo.taken, pseudo.photos);
        for (head, before) in pseudo.before.iter().filter(|_| !hide_test) {
            println!("  {head} test before: accuracy {before:.4}");
        }
    }
    for (head, splits) in &metrics.heads {
        for (split, m) in splits.iter().filter(|(split, _)| !(hide_test && *split == "test")) {
            println!(
                "  {head} {split}: n {} accuracy {:.4} mean per class {:.4} macro F1 {:.4} nll {:.4} ece {:.4}",
                m.n, m.accuracy, m.mean_per_class_accuracy, m.macro_f1, m.nll, m.ece
            );
        }
    }
}

/// The folder as a dataset: breed and species given, the `fold`-th fifth of each breed's trainval photos for validation; training
/// photos of a breed after the first `labelled` lose their labels.
fn oxford_pets(dir: &Path, fold: Option<usize>, labelled: usize) -> Result<Dataset, Box<dyn Error>> {
    let mut by_breed: BTreeMap<String, Vec<Item>> = BTreeMap::new();
    let mut species = BTreeMap::new();
    for (file, split) in [("trainval.txt", Split::Train), ("test.txt", Split::Test)] {
        for line in fs::read_to_string(dir.join("annotations").join(file))?.lines().filter(|l| !l.starts_with('#')) {
            let mut words = line.split_whitespace();
            let (Some(name), Some(_), Some(kind)) = (words.next(), words.next(), words.next()) else { continue };
            let breed = name.rsplit_once('_').ok_or("a name without a breed")?.0.to_owned();
            let kind = if kind == "1" { "cat" } else { "dog" };
            species.insert(breed.clone(), kind);
            by_breed.entry(breed.clone()).or_default().push(Item {
                given: BTreeMap::from([("breed".into(), breed), ("species".into(), kind.into())]),
                ..Item::new(format!("images/{name}.jpg"), split)
            });
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for items in by_breed.values_mut() {
        let mut train: Vec<&mut Item> = items.iter_mut().filter(|item| item.split == Split::Train).collect();
        train.shuffle(&mut rng);
        if let Some(fold) = fold {
            train.into_iter().skip(fold).step_by(FOLDS).for_each(|item| item.split = Split::Validation);
        }
        let train = items.iter_mut().filter(|item| item.split == Split::Train);
        train.skip(labelled).for_each(|item| item.given.clear());
    }
    let attribute = |key: &str, values: Vec<&str>| Attribute {
        key: key.to_owned(),
        names: Texts::default(),
        kind: AttributeKind::Given,
        values: values
            .into_iter()
            .map(|value| AttributeValue { key: value.to_owned(), names: Texts::default(), retired: false })
            .collect(),
    };
    let breeds = attribute("breed", by_breed.keys().map(String::as_str).collect());
    let manifest =
        Manifest::new("oxford-pets", Schema { attributes: vec![breeds, attribute("species", vec!["cat", "dog"])] });
    let root = dir.to_owned();
    Ok(Dataset::new(manifest, by_breed.into_values().flatten().collect(), move |item| fs::read(root.join(&item.image))))
}
