//! Where a run's network looked: the overlays of its report, and those of one photo.
#![allow(missing_docs)]

mod common;

use std::{collections::BTreeMap, fs, path::Path};

use candle_core::{Device, Tensor};
use common::{drawn, run};
use image::RgbImage;
use kenami_domain::run_config::{ModelName, RunConfig};
use kenami_trainer::{
    Dataset, Explanation, Predictor,
    attention::{SpatialPool, WEIGHT},
    data::prepare,
    explain::{Method, overlay},
    models::{self, GraphTrunk, Weights},
};
use safetensors::SafeTensors;

const SIDE: u32 = 96;
const CHANNELS: usize = 1280;
const MASKS: usize = 3;
/// A sheet's panels.
const ACROSS: u32 = 168;
const DOWN: u32 = SIDE + 28;
const GAP: u32 = 8;

fn config(train: &str, attention: &str) -> String {
    format!(
        "epochs = 2\nbatch_size = 8\nimage_size = {SIDE}\n[model]\ntrain = \"{train}\"\nattention = \"{attention}\"\n\
         attention_masks = {MASKS}\n[optimizer]\nlr = 0.05\n[evaluate]\nexplain = 2\n"
    )
}

/// A run's model, by its tensors.
struct Model {
    bytes: Vec<u8>,
    network: GraphTrunk,
    weights: Weights,
}

impl Model {
    fn open(out: &Path) -> Self {
        let bytes = fs::read(out.join("model.safetensors")).unwrap();
        let weights = Weights::from_bytes(ModelName::EfficientnetLite0, &bytes).unwrap();
        let masks = tensor(&bytes, WEIGHT);
        let pool = match &masks {
            Some(values) => {
                let shape = (values.len() / CHANNELS, CHANNELS);
                let weight = Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
                SpatialPool::with_weight(&weight).unwrap()
            }
            None => SpatialPool::average(CHANNELS),
        };
        let network = GraphTrunk::with_pool(ModelName::EfficientnetLite0, &weights, pool).unwrap();
        Self { bytes, network, weights }
    }

    /// Rows and columns, and Grad-CAM written out: the gradient of `sum_mc w_mc sum_p s_mp A_pc`, where `s_m` is the
    /// softmax of `A q_m` over positions, or `1 / positions`.
    fn cam(&self, photo: &[u8], head: &str, class: usize) -> ((usize, usize), Vec<f32>) {
        let pixels = prepare(photo, &models::preprocessing(&self.weights, SIDE)).unwrap();
        let map = self.network.map(&pixels, SIDE as usize).unwrap();
        let (_, rows, columns, channels) = map.dims4().unwrap();
        let positions = rows * columns;
        let map: Vec<f64> = map.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f64::from).collect();
        let at = |p: usize, c: usize| map[p * channels + c];
        let queries = tensor(&self.bytes, WEIGHT);
        let masks = queries.as_ref().map_or(1, |values| values.len() / channels);
        let query = |m: usize, c: usize| queries.as_ref().map_or(0.0, |values| f64::from(values[m * channels + c]));
        let weight = tensor(&self.bytes, &format!("heads.{head}.weight")).unwrap();
        let weight = |m: usize, c: usize| f64::from(weight[(class * masks + m) * channels + c]);
        let mut means = vec![0.0; channels];
        for m in 0..masks {
            let logit = |p: usize| (0..channels).map(|c| at(p, c) * query(m, c)).sum::<f64>();
            let highest = (0..positions).map(logit).fold(f64::NEG_INFINITY, f64::max);
            let odds: Vec<f64> = (0..positions).map(|p| (logit(p) - highest).exp()).collect();
            let share: Vec<f64> = odds.iter().map(|x| x / odds.iter().sum::<f64>()).collect();
            let value = |p: usize| (0..channels).map(|c| at(p, c) * weight(m, c)).sum::<f64>();
            let mean: f64 = (0..positions).map(|p| share[p] * value(p)).sum();
            let pull: f64 = (0..positions).map(|p| share[p] * (value(p) - mean)).sum();
            for (c, sum) in means.iter_mut().enumerate() {
                *sum += (weight(m, c) + pull * query(m, c)) / positions as f64;
            }
        }
        let cam = (0..positions).map(|p| (0..channels).map(|c| at(p, c) * means[c]).sum::<f64>().max(0.0));
        let cam: Vec<f64> = cam.collect();
        let least = cam.iter().copied().fold(f64::INFINITY, f64::min);
        let span = cam.iter().map(|x| x - least).fold(0.0, f64::max) + 1e-7;
        ((rows, columns), cam.into_iter().map(|x| ((x - least) / span) as f32).collect())
    }
}

fn tensor(bytes: &[u8], name: &str) -> Option<Vec<f32>> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let view = file.tensor(name).ok()?;
    Some(view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
}

fn panel(sheet: &RgbImage, column: u32, row: u32) -> RgbImage {
    image::imageops::crop_imm(sheet, GAP + column * ACROSS, GAP + row * DOWN, SIDE, SIDE).to_image()
}

fn assert_alike(found: &RgbImage, expected: &RgbImage, what: &str) {
    let largest = found.as_raw().iter().zip(expected.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(found.dimensions() == expected.dimensions() && largest <= 2, "{what} differs by {largest}");
}

/// The photos of a head's sheets, by the file's name without rank.
fn sheets(out: &Path, head: &str) -> BTreeMap<String, RgbImage> {
    let files = fs::read_dir(out.join("cam").join(head)).unwrap();
    let files = files.map(|file| {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap()[4..].to_owned();
        (name, image::open(path).unwrap().into_rgb8())
    });
    files.collect()
}

#[test]
fn sheets_show_maps_that_one_computes_by_hand() {
    let (dataset, dir): (Dataset, _) = (drawn(), tempfile::tempdir().unwrap());
    for (train, attention) in [("heads", "none"), ("all", "none"), ("last-stage", "multi")] {
        let out = dir.path().join(train);
        let metrics = run(&dataset, &out, &config(train, attention));
        assert!(!metrics.warnings.iter().any(|text| text.contains("explain")), "{:?}", metrics.warnings);
        let (model, predictor) = (Model::open(&out), Predictor::open(&out).unwrap());
        let mut structured = 0;
        for head in ["breed", "ear"] {
            let labels: BTreeMap<String, Vec<String>> =
                predictor.heads().map(|(head, labels)| (head.to_owned(), labels.to_vec())).collect();
            let labels = &labels[head];
            let sheets = sheets(&out, head);
            assert_eq!(sheets.len(), 2, "{train} {head}");
            for (name, sheet) in sheets {
                let item = dataset.items.iter().find(|item| item.image == format!("images/{name}.png")).unwrap();
                let photo = dataset.bytes(item).unwrap();
                let answer = if head == "breed" { item.given["breed"].clone() } else { ear(item) };
                let predicted = predictor.predict(&[(name.clone(), photo.clone())]).remove(0).unwrap();
                let predicted = predicted.heads[head][0].0.clone();
                let mut shown = vec![predicted.clone()];
                if answer != predicted {
                    shown.push(answer);
                }
                let explained =
                    |value: &str| -> Explanation { predictor.explain(&photo, head, value, Method::GradCam).unwrap() };
                assert_alike(&panel(&sheet, 0, 0), &explained(&predicted).photo, "the photo");
                for (at, value) in shown.iter().enumerate() {
                    let class = labels.iter().position(|label| label == value).unwrap();
                    let (cells, cam) = model.cam(&photo, head, class);
                    let found = explained(value);
                    assert_eq!((found.cells, found.cam.len()), (cells, 9));
                    for (a, b) in found.cam.iter().zip(&cam) {
                        assert!((a - b).abs() < 1e-3, "{train} {name} {value}: {:?} {cam:?}", found.cam);
                    }
                    structured += usize::from(cam.iter().any(|x| (0.05..0.95).contains(x)));
                    let expected = overlay(&found.photo, &cam, cells, 0.5);
                    assert_alike(&panel(&sheet, at as u32 + 1, 0), &expected, &format!("{train} {name} {value}"));
                    assert_alike(&found.overlay(0.5), &expected, "the overlay of one photo");
                }
                let masks = explained(&predicted).mask_overlays(0.5);
                assert_eq!(masks.len(), if attention == "multi" { MASKS } else { 0 });
                assert_eq!(sheet.height(), GAP + DOWN * if attention == "multi" { 2 } else { 1 });
                for (number, mask) in masks.iter().enumerate() {
                    assert_alike(&panel(&sheet, number as u32, 1), mask, &format!("mask {number} of {name}"));
                }
            }
        }
        assert!(structured > 0, "{train}: maps without structure prove nothing");
    }
}

fn ear(item: &kenami_domain::dataset::Item) -> String {
    item.targets["ear"].keys().next().unwrap().clone()
}

#[test]
fn masks_of_a_photo_are_those_that_pool_it() {
    let (dataset, dir) = (drawn(), tempfile::tempdir().unwrap());
    let text = config("last-stage", "multi").replace("explain = 2", "explain = 0");
    run(&dataset, dir.path(), &text);
    assert!(!dir.path().join("cam").exists());
    let (model, predictor) = (Model::open(dir.path()), Predictor::open(dir.path()).unwrap());
    let photo = dataset.bytes(&dataset.items[4]).unwrap();
    let found = predictor.explain(&photo, "breed", "corgi", Method::GradCamPlusPlus).unwrap();
    assert!(found.masks.iter().all(|mask| (mask.iter().sum::<f32>() - 1.0).abs() < 1e-5), "{:?}", found.masks);
    // Pooled under these masks by hand, the head says what the model says.
    let pixels = prepare(&photo, &models::preprocessing(&model.weights, SIDE)).unwrap();
    let map = model.network.map(&pixels, SIDE as usize).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let weight = tensor(&model.bytes, "heads.breed.weight").unwrap();
    let bias = tensor(&model.bytes, "heads.breed.bias").unwrap();
    let logit = |class: usize| -> f64 {
        let of = |m: usize, p: usize, c: usize| {
            f64::from(found.masks[m][p] * map[p * CHANNELS + c] * weight[(class * MASKS + m) * CHANNELS + c])
        };
        let all = (0..MASKS).flat_map(|m| (0..9).flat_map(move |p| (0..CHANNELS).map(move |c| (m, p, c))));
        all.map(|(m, p, c)| of(m, p, c)).sum::<f64>() + f64::from(bias[class])
    };
    let temperature = RunConfig::from_toml(&text).unwrap().evaluate.temperature;
    assert!(temperature, "probabilities are tempered: only their order is compared");
    let said = predictor.predict(&[("x".to_owned(), photo.clone())]).remove(0).unwrap().heads["breed"].clone();
    let mut by_hand: Vec<(f64, &str)> =
        ["akita", "beagle", "corgi"].into_iter().enumerate().map(|(class, name)| (logit(class), name)).collect();
    by_hand.sort_by(|a, b| b.0.total_cmp(&a.0));
    let ratio = |i: usize| (said[0].1 / said[i].1).ln() / (by_hand[0].0 - by_hand[i].0);
    assert!(by_hand.iter().zip(&said).all(|(a, b)| a.1 == b.0), "{by_hand:?} {said:?}");
    assert!((ratio(1) / ratio(2) - 1.0).abs() < 1e-3, "one temperature for all: {by_hand:?} {said:?}");

    for (attribute, value, word) in [("size", "large", "no head size"), ("breed", "pug", "no value pug")] {
        let error = predictor.explain(&photo, attribute, value, Method::GradCam).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    assert!(predictor.explain(b"no photo", "breed", "corgi", Method::GradCam).is_err());
}
