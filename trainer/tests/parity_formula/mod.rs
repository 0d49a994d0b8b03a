//! What fixtures/make_parity.py computes as well: weights, photos and vectors from names and indices; and comparing.
#![allow(dead_code, missing_docs)]

use candle_core::{Device, Tensor};
use kenami_domain::run_config::ModelName;
use kenami_trainer::models::{self, Weights};
use safetensors::{Dtype, tensor::TensorView};
use serde::Deserialize;

use super::common::uniform;

/// Whether gradients leap where rounding moves a value over a corner (ReLU, ReLU6).
fn has_corners(model: ModelName) -> bool {
    ["resn", "lite"].iter().any(|part| model.as_str().contains(part))
}

/// Scale or shift of a batch-norm after which hardly a value is near a corner, from `u`: see fixtures/make_parity.py.
fn away_from_corners(model: ModelName, name: &str, u: f64) -> f64 {
    if name.ends_with("weight") {
        return 0.2 + 0.08 * u;
    }
    let basic = matches!(model, ModelName::Resnet18 | ModelName::Resnet34);
    let last = name.ends_with(if basic { "bn2.bias" } else { "bn3.bias" }) || name.ends_with("downsample.1.bias");
    let lite = model.as_str().contains("lite");
    let level = match u {
        u if u < -0.25 && (lite || !last) => -1.0,
        u if u > 0.45 && lite => 7.0,
        _ => 1.0,
    };
    level + 0.4 * u
}

fn formula(model: ModelName, name: &str, shape: &[usize]) -> Vec<f32> {
    let last = name.rsplit('.').next().unwrap();
    let u = uniform(name, shape.iter().product()).into_iter();
    if has_corners(model) && shape.len() == 1 && matches!(last, "weight" | "bias") {
        return u.map(|u| away_from_corners(model, name, u) as f32).collect();
    }
    let (scale, shift) = match last {
        "gamma" => (0.8, 0.6),
        "cls_token" | "pos_embed" => (0.8, 0.0),
        _ if shape.len() >= 2 => ((24.0 / shape[1..].iter().product::<usize>() as f64).sqrt(), 0.0),
        "weight" => (0.4, 1.0),
        "running_var" => (0.8, 1.0),
        _ => (0.4, 0.0),
    };
    u.map(|u| (scale * u + shift) as f32).collect()
}

/// A network's weights from the formula, by way of a safetensors file.
pub fn formula_weights(name: ModelName) -> Weights {
    let tensors = models::parameters(name).into_iter().map(|parameter| {
        let values = formula(name, &parameter.name, &parameter.shape);
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        (parameter.name, parameter.shape, bytes)
    });
    let tensors: Vec<_> = tensors.collect();
    let views =
        tensors.iter().map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    Weights::from_bytes(name, &safetensors::serialize(views, None).unwrap()).unwrap()
}

/// Normalised photos `[count, side, side, 3]`.
pub fn photos(count: usize, side: usize) -> Tensor {
    let values: Vec<f32> = uniform("photos", count * side * side * 3).into_iter().map(|u| (4.0 * u) as f32).collect();
    Tensor::from_vec(values, (count, side, side, 3), &Device::Cpu).unwrap()
}

/// A tensor in five numbers: norm, dot product with `u(probe)`, first two values and last one.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Summary([f64; 5]);

impl Summary {
    /// The largest difference to `tensor`, as a share of its norm (entries: of ten times their root mean square).
    pub fn difference(&self, tensor: &Tensor, probe: &str) -> f64 {
        let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let [norm, dot, entries @ ..] = self.0;
        let found_norm = values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let found_dot: f64 = values.iter().zip(uniform(probe, values.len())).map(|(x, u)| f64::from(*x) * u).sum();
        let found = [values[0], values[1], values[values.len() - 1]].map(f64::from);
        let entry = 10.0 * norm / (values.len() as f64).sqrt();
        let entries = entries.iter().zip(found).map(|(a, b)| (a - b).abs() / entry);
        [(norm - found_norm).abs() / norm, (dot - found_dot).abs() / norm]
            .into_iter()
            .chain(entries)
            .fold(0.0, f64::max)
    }

    pub fn norm(&self) -> f64 {
        self.0[0]
    }
}
