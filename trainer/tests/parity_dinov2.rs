//! DINOv2 against timm's network with position embeddings interpolated as its authors do; the numbers are made by
//! fixtures/make_parity.py.
#![allow(missing_docs)]

mod common;
mod parity_formula;

use std::collections::BTreeMap;

use candle_core::Device;
use kenami_domain::run_config::ModelName;
use kenami_trainer::models::{Dinov2, Trunk, Workspace, dinov2::Pooling};
use parity_formula::{Summary, formula_weights, photos};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    photos: usize,
    side: usize,
    tokens: Summary,
    pooled: Summary,
}

/// Share of the norm: single precision through twelve blocks.
const TOLERANCE: f64 = 2e-5;

#[test]
fn tokens_and_pooled_features_are_those_of_pytorch() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/parity_dinov2.json")).unwrap();
    let weights = formula_weights(ModelName::Dinov2Vits14);
    let network = Dinov2::new(&weights, &Device::Cpu).unwrap();
    for case in fixture.cases.values() {
        let images = photos(case.photos, case.side);
        let tokens = network.tokens(&images).unwrap();
        assert_eq!(tokens.dims(), [case.photos, 1 + (case.side / 14).pow(2), 384]);
        let difference = case.tokens.difference(&tokens, "probe");
        assert!(difference < TOLERANCE, "{}: tokens differ by {difference}", case.side);
        let difference = case.pooled.difference(&network.pooled(&images).unwrap(), "probe");
        assert!(difference < TOLERANCE, "{}: features differ by {difference}", case.side);
    }
}

#[test]
fn as_a_trunk_it_gives_the_chosen_features_of_bytes() {
    let weights = formula_weights(ModelName::Dinov2Vits14);
    let both = Dinov2::new(&weights, &Device::Cpu).unwrap();
    let class = Dinov2::new(&weights, &Device::Cpu).unwrap().with_pooling(Pooling::ClassToken);
    assert_eq!((both.features(), class.features()), (768, 384));
    let pixels: Vec<u8> = (0..28 * 28 * 3).map(|i| (i * 37 % 251) as u8).collect();
    let features = |trunk: &dyn Trunk| {
        let mut features = vec![0.0; trunk.features()];
        trunk.forward(&pixels, 28, &mut Workspace::default(), &mut features).unwrap();
        features
    };
    assert_eq!(features(&both)[..384], features(&class));
    let odd = both.forward(&[0; 30 * 30 * 3], 30, &mut Workspace::default(), &mut [0.0; 768]).unwrap_err();
    assert!(odd.to_string().contains("14 x 14 patches"), "{odd}");
}
