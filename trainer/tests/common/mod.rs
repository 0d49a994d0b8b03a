//! What several tests share: formula weights, and a small dataset made of drawn pictures.
#![allow(dead_code, missing_docs)]

use std::{collections::BTreeMap, io::Cursor, path::Path};

use image::{ImageFormat, Rgb, RgbImage};
use kenami_domain::{
    dataset::{Item, Manifest, Schema, Split},
    metrics::Metrics,
    run_config::{ModelName, RunConfig},
    schema::{Attribute, AttributeKind, AttributeValue, Texts},
};
use kenami_trainer::{
    Dataset, Silent, TrainRequest, WeightsInput,
    models::{self, KeyLayout, Weights},
    train,
};
use safetensors::{Dtype, tensor::TensorView};

/// As in fixtures/make_fixtures.py.
pub fn fnv1a64(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |value, byte| (value ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// As in fixtures/make_fixtures.py.
pub fn splitmix64(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Uniform in [-0.5, 0.5), as in fixtures/make_fixtures.py.
pub fn uniform(name: &str, count: usize) -> Vec<f64> {
    let seed = fnv1a64(name);
    let value = |i: u64| (splitmix64(seed.wrapping_add(i)) >> 40) as f64 / (1u64 << 24) as f64 - 0.5;
    (0..count as u64).map(value).collect()
}

/// Random RGB bytes, as in fixtures/make_fixtures.py.
pub fn pixels(name: &str, size: usize) -> Vec<u8> {
    let seed = fnv1a64(name);
    (0..(size * size * 3) as u64).map(|i| (splitmix64(seed.wrapping_add(i)) >> 56) as u8).collect()
}

fn formula_tensor(name: &str, shape: &[usize]) -> Vec<f32> {
    let scale = |u: f64| match shape {
        [_, inputs, rows, columns] => u * (24.0 / (inputs * rows * columns) as f64).sqrt(),
        _ if name.ends_with(".weight") => 1.0 + 0.4 * u,
        _ if name.ends_with("running_var") => 1.0 + 0.8 * u,
        _ => 0.4 * u,
    };
    uniform(name, shape.iter().product()).into_iter().map(|u| scale(u) as f32).collect()
}

/// A safetensors file of EfficientNet-Lite0 with formula weights, named as the demo's; `half` stores them in half precision.
pub fn formula_file(half: bool) -> Vec<u8> {
    let tensors = models::parameters(ModelName::EfficientnetLite0).into_iter().map(|parameter| {
        let name = KeyLayout::LitePytorch.foreign(ModelName::EfficientnetLite0, &parameter.name);
        let shape = parameter.shape;
        let values = formula_tensor(&name, &shape);
        let bytes: Vec<u8> = if half {
            values.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect()
        } else {
            values.iter().flat_map(|value| value.to_le_bytes()).collect()
        };
        (name, shape, bytes)
    });
    let tensors: Vec<_> = tensors.collect();
    let dtype = if half { Dtype::F16 } else { Dtype::F32 };
    let views =
        tensors.iter().map(|(name, shape, bytes)| (name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

pub fn weights(file: &[u8]) -> Weights {
    Weights::from_bytes(ModelName::EfficientnetLite0, file).unwrap()
}

pub fn demo_file() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/weights/efficientnet_lite0_f16.safetensors");
    std::fs::read(path).unwrap()
}

/// An attribute with these values.
pub fn attribute(key: &str, kind: AttributeKind, values: &[&str]) -> Attribute {
    let value = |key: &&str| AttributeValue { key: (*key).to_owned(), names: Texts::default(), retired: false };
    Attribute { key: key.to_owned(), names: Texts::default(), kind, values: values.iter().map(value).collect() }
}

/// A dataset's head with these attributes and no priors.
pub fn manifest(attributes: Vec<Attribute>) -> Manifest {
    Manifest { project: "test".into(), ..Manifest::new("drawn", Schema { attributes }) }
}

/// A picture whose colour and stripes tell its class; `variant` moves the stripes.
pub fn picture(class: usize, variant: usize) -> Vec<u8> {
    let photo = RgbImage::from_fn(40, 40, |x, y| {
        let stripe = ((x as usize + variant * 3) / (2 + class) + y as usize / 7).is_multiple_of(2);
        let noise =
            (splitmix64((variant * 1_000_000 + class * 10_000 + y as usize * 40 + x as usize) as u64) >> 59) as u8;
        let bright = if stripe { 180 + noise } else { 40 + noise };
        Rgb(std::array::from_fn(|colour| if colour == class % 3 { bright } else { 90 + noise }))
    });
    let mut bytes = Cursor::new(Vec::new());
    photo.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// 48 pictures of three breeds; `ear` is annotated for most, not visible for every sixth; `tail` is never labelled.
pub fn drawn() -> Dataset {
    let ears = ["drop", "erect"];
    let breeds = ["akita", "beagle", "corgi"];
    let mut items = Vec::new();
    for variant in 0..16 {
        for (class, breed) in breeds.iter().enumerate() {
            let split = match variant {
                0..10 => Split::Train,
                10..13 => Split::Validation,
                _ => Split::Test,
            };
            let hidden = (variant * 3 + class) % 6 == 5;
            let ear = ears[usize::from(class == 1)];
            items.push(Item {
                given: BTreeMap::from([("breed".into(), (*breed).into())]),
                answers: BTreeMap::from([("ear".into(), if hidden { "not_visible" } else { ear }.into())]),
                targets: BTreeMap::from([(
                    "ear".into(),
                    if hidden { BTreeMap::new() } else { BTreeMap::from([(ear.to_owned(), 1.0)]) },
                )]),
                masks: BTreeMap::from([("ear".into(), u8::from(!hidden))]),
                ..Item::new(format!("images/{breed}_{variant}.png"), split)
            });
        }
    }
    let attributes = vec![
        attribute("breed", AttributeKind::Given, &breeds),
        attribute("ear", AttributeKind::Annotated, &ears),
        attribute("tail", AttributeKind::Annotated, &["long", "short"]),
    ];
    Dataset::new(manifest(attributes), items, |item| {
        let name = item.image.trim_start_matches("images/").trim_end_matches(".png");
        let (breed, variant) = name.split_once('_').unwrap();
        let class = ["akita", "beagle", "corgi"].iter().position(|known| *known == breed).unwrap();
        Ok(picture(class, variant.parse().unwrap()))
    })
}

/// Writes a dataset as the exported folder.
pub fn export(dataset: &Dataset, dir: &Path) {
    std::fs::create_dir_all(dir.join("images")).unwrap();
    std::fs::write(dir.join("dataset.json"), serde_json::to_vec(&dataset.manifest).unwrap()).unwrap();
    let lines: Vec<String> = dataset.items.iter().map(|item| serde_json::to_string(item).unwrap()).collect();
    std::fs::write(dir.join("items.jsonl"), lines.join("\n") + "\n").unwrap();
    for item in &dataset.items {
        std::fs::write(dir.join(&item.image), dataset.bytes(item).unwrap()).unwrap();
    }
}

/// Small pictures and few epochs; every photo of the drawn set takes a millisecond.
pub const CONFIG: &str = "epochs = 6\nbatch_size = 8\nimage_size = 32\n";

/// A run on a dataset with the demo's weights.
pub fn request(dataset: &Dataset, out_dir: &Path, text: &str) -> TrainRequest {
    TrainRequest {
        dataset: dataset.clone(),
        config: RunConfig::from_toml(text).unwrap(),
        out_dir: out_dir.to_owned(),
        cache_dir: None,
        weights: Some(WeightsInput::Bytes(demo_file().into())),
        resume: false,
    }
}

/// A whole run.
pub fn run(dataset: &Dataset, out_dir: &Path, text: &str) -> Metrics {
    train(request(dataset, out_dir, text), &Silent).unwrap()
}
