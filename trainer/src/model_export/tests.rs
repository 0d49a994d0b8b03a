use std::{collections::HashMap, io::Cursor};

use image::{ImageFormat, RgbImage};
use kenami_domain::run_config::{ModelConfig, ModelName};
use prost::Message;
use safetensors::{Dtype, tensor::TensorView};

use super::*;
use crate::{
    Predictor,
    data::prepare,
    models::TRUNK_PREFIX,
    onnx::{
        interpreter::{Array, run},
        proto::ModelProto,
    },
    run::{METADATA, SavedHead},
};

const CONFIG: &str = "image_size = 32\n[model]\nweights = \"none\"\n";
const LABELS: [&str; 3] = ["akita", "beagle", "corgi"];
const TEMPERATURE: f64 = 1.5;

fn bytes(values: impl IntoIterator<Item = f32>) -> Vec<u8> {
    values.into_iter().flat_map(f32::to_le_bytes).collect()
}

/// A run's file: a random network, masks where the configuration has them, and a head of three breeds.
fn model_file(config: &str) -> Vec<u8> {
    let ModelConfig { name, attention, attention_masks, .. } = RunConfig::from_toml(config).unwrap().model;
    let weights = Weights::random(name, 3);
    let channels = models::graph(name).unwrap().features();
    let masks = if attention == Attention::Multi { attention_masks as usize } else { 1 };
    let width = masks * channels;
    // Large enough that masks of random maps are not all alike.
    let mask = bytes((0..width).map(|i| (i as f32 * 0.39).cos() * 2.0));
    // Masks show larger values than a mean does: no head shall be sure of anything.
    let scale = if attention == Attention::None && name != ModelName::ConvnextTiny { 1.0 } else { 0.02 };
    let head = bytes((0..3 * width).map(|i| scale * (i as f32 * 0.73).sin()));
    let bias = bytes([0.1, -0.2, 0.3]);
    let mut views = vec![
        ("heads.breed.weight".to_owned(), TensorView::new(Dtype::F32, vec![3, width], &head).unwrap()),
        ("heads.breed.bias".to_owned(), TensorView::new(Dtype::F32, vec![3], &bias).unwrap()),
    ];
    if attention != Attention::None {
        let view = TensorView::new(Dtype::F32, vec![masks, channels], &mask).unwrap();
        views.push((attention::WEIGHT.to_owned(), view));
    }
    for (name, stored) in &weights.tensors {
        let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes).unwrap();
        views.push((format!("{TRUNK_PREFIX}{name}"), view));
    }
    let saved = SavedModel {
        config: RunConfig::from_toml(config).unwrap().to_toml(),
        heads: vec![SavedHead {
            attribute: "breed".into(),
            labels: LABELS.map(str::to_owned).to_vec(),
            loss: LossName::CrossEntropy,
            temperature: TEMPERATURE,
        }],
        normalisation: weights.normalisation,
    };
    let metadata = HashMap::from([(METADATA.to_owned(), serde_json::to_string(&saved).unwrap())]);
    safetensors::serialize(views, Some(metadata)).unwrap()
}

/// Whether a run's model as ONNX says of a photo what the predictor says.
fn assert_onnx_says_the_same(config: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = model_file(config);
    let name = RunConfig::from_toml(config).unwrap().model.name;
    fs::write(dir.path().join(MODEL), &file).unwrap();
    let out = dir.path().join("model.onnx");
    export_model(dir.path(), ModelFormat::Onnx, &out).unwrap();
    // For a look with onnxruntime.
    if let Some(dir) = std::env::var_os("ONNX_OUT") {
        fs::copy(&out, std::path::Path::new(&dir).join(format!("{name}.onnx"))).unwrap();
    }

    let photo = RgbImage::from_fn(48, 40, |x, y| image::Rgb([(x * 5) as u8, (y * 6) as u8, ((x * y) % 251) as u8]));
    let mut png = Cursor::new(Vec::new());
    photo.write_to(&mut png, ImageFormat::Png).unwrap();
    let png = png.into_inner();
    let weights = Weights::from_bytes(name, &file).unwrap();
    let size = RunConfig::from_toml(config).unwrap().image_size;
    let pixels = prepare(&png, &models::preprocessing(&weights, size)).unwrap();
    let planes = (0..3).flat_map(|c| pixels.iter().skip(c).step_by(3).map(|byte| f64::from(*byte) / 255.0));
    let images = Array { shape: vec![1, 3, size as usize, size as usize], values: planes.collect() };
    let model = ModelProto::decode(&fs::read(&out).unwrap()[..]).unwrap();
    let logits = run(&model, ("images", images))["logits_breed"].values.clone();

    let predictor = Predictor::from_bytes(&file).unwrap();
    let prediction = predictor.predict(&[("photo.png".to_owned(), png)]).remove(0).unwrap();
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let odds: Vec<f64> = logits.iter().map(|x| ((x - highest) / TEMPERATURE).exp()).collect();
    let probabilities: Vec<f64> = odds.iter().map(|x| x / odds.iter().sum::<f64>()).collect();
    for (label, probability) in &prediction.heads["breed"] {
        let at = LABELS.iter().position(|known| known == label).unwrap();
        assert!((probabilities[at] - probability).abs() < 1e-4, "{probabilities:?} {prediction:?}");
    }
    assert!(probabilities.iter().all(|p| *p < 0.999), "the case tells nothing: {probabilities:?}");
}

#[test]
fn a_run_as_onnx_says_what_the_predictor_says() {
    assert_onnx_says_the_same(CONFIG);
}

#[test]
fn a_run_with_masks_as_onnx_says_what_the_predictor_says() {
    let masks = "train = \"all\"\nattention = \"multi\"\nattention_masks = 3\n";
    assert_onnx_says_the_same(&format!("{CONFIG}{masks}").replace("size = 32", "size = 64"));
}

#[test]
fn a_convnext_as_onnx_says_what_the_predictor_says() {
    assert_onnx_says_the_same(&format!("{CONFIG}name = \"convnext_tiny\"\n"));
}

#[test]
fn safetensors_come_with_what_one_needs_besides() {
    let dir = tempfile::tempdir().unwrap();
    let file = model_file(CONFIG);
    fs::write(dir.path().join(MODEL), &file).unwrap();
    let out = dir.path().join("exported");
    export_model(dir.path(), ModelFormat::Safetensors, &out).unwrap();
    assert!(fs::read(out.join(MODEL)).unwrap() == file);
    let config: serde_json::Value = serde_json::from_slice(&fs::read(out.join(super::CONFIG)).unwrap()).unwrap();
    assert_eq!(
        (config["architecture"].as_str(), config["image_size"].as_u64()),
        (Some("efficientnet_lite0"), Some(32))
    );
    assert_eq!(config["heads"]["breed"]["labels"], serde_json::json!(LABELS));
    assert_eq!(config["heads"]["breed"]["temperature"].as_f64(), Some(TEMPERATURE));
    let (mean, deviation) = (config["mean"][1].as_f64().unwrap(), config["std"][2].as_f64().unwrap());
    assert!((mean - 127.0 / 255.0).abs() < 1e-6 && (deviation - 128.0 / 255.0).abs() < 1e-6);
    // It is a run's file still.
    assert!(Predictor::open(&out).is_ok());
}

#[test]
fn what_is_no_model_is_said() {
    let dir = tempfile::tempdir().unwrap();
    assert!(export_model(dir.path(), ModelFormat::Onnx, &dir.path().join("x")).is_err());
    fs::write(dir.path().join(MODEL), b"no tensors").unwrap();
    for format in [ModelFormat::Onnx, ModelFormat::Safetensors] {
        let error = export_model(dir.path(), format, &dir.path().join("x")).unwrap_err().to_string();
        assert!(error.contains("not a run's model.safetensors"), "{error}");
    }
    assert!(!dir.path().join("x").exists());
}
