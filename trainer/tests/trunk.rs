//! EfficientNet-Lite0 against PyTorch; the numbers are made by fixtures/make_fixtures.py.
#![allow(missing_docs)]

mod common;

use std::collections::BTreeMap;

use common::{demo_file, formula_file, pixels, uniform, weights};
use kenami_domain::run_config::ModelName;
use kenami_trainer::models::{EfficientNetLite, Trunk, Weights, Workspace};
use pulp::Arch;
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: BTreeMap<String, Summary>,
}

#[derive(Deserialize)]
struct Summary {
    norm: f64,
    dot: f64,
    first: Vec<f64>,
    last: Vec<f64>,
}

const LITE0: ModelName = ModelName::EfficientnetLite0;

fn features(arch: Arch, weights: &Weights, size: usize) -> Vec<f32> {
    let trunk = EfficientNetLite::with_arch(arch, LITE0, weights).unwrap();
    let mut features = vec![0.0; trunk.features()];
    trunk.forward(&pixels("image", size), size, &mut Workspace::default(), &mut features).unwrap();
    features
}

/// Largest difference allowed, as a share of the norm (single precision through 50 layers).
const TOLERANCE: f64 = 2e-5;

fn compare(case: &str, features: &[f32]) {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/lite0.json")).unwrap();
    let expected = &fixture.cases[case];
    let norm = features.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    let dot: f64 = features.iter().zip(uniform("probe", features.len())).map(|(x, u)| f64::from(*x) * u).sum();
    let close = |name: &str, a: f64, b: f64| {
        assert!((a - b).abs() <= TOLERANCE * expected.norm, "{case} {name}: {a} is not {b}");
    };
    close("norm", norm, expected.norm);
    close("dot", dot, expected.dot);
    let last = &features[features.len() - expected.last.len()..];
    for (a, b) in features.iter().zip(&expected.first).chain(last.iter().zip(&expected.last)) {
        close("entry", f64::from(*a), *b);
    }
}

#[test]
fn formula_weights_give_pytorchs_features_at_even_and_odd_sizes() {
    let weights = weights(&formula_file(false));
    for size in [64, 75] {
        compare(&format!("formula_{size}"), &features(Arch::new(), &weights, size));
    }
}

#[test]
fn the_demos_half_precision_weights_give_pytorchs_features() {
    compare("demo_224", &features(Arch::new(), &weights(&demo_file()), 224));
}

#[test]
fn the_plain_path_gives_the_same_features() {
    let weights = weights(&formula_file(false));
    compare("formula_75", &features(Arch::Scalar, &weights, 75));
}

#[test]
fn half_precision_is_close_to_single() {
    let single = features(Arch::new(), &weights(&formula_file(false)), 64);
    let half = features(Arch::new(), &weights(&formula_file(true)), 64);
    let norm = single.iter().map(|x| x * x).sum::<f32>().sqrt();
    let difference = single.iter().zip(&half).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt();
    assert!(difference > 0.0 && difference < 0.01 * norm, "{difference} of {norm}");
}

#[test]
fn a_photos_features_do_not_depend_on_what_the_workspace_held() {
    let weights = weights(&formula_file(false));
    let trunk = EfficientNetLite::new(LITE0, &weights).unwrap();
    let mut workspace = Workspace::default();
    let mut run = |name: &str, size: usize| {
        let mut features = vec![0.0; trunk.features()];
        trunk.forward(&pixels(name, size), size, &mut workspace, &mut features).unwrap();
        features
    };
    let fresh = run("image", 64);
    run("another", 96);
    run("third", 33);
    assert_eq!(run("image", 64), fresh);
    // One pixel in, one out: the smallest photo works.
    assert!(run("dot", 1).iter().all(|x| x.is_finite()));
}
