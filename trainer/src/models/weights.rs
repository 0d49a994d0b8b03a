//! Pretrained weights: where they come from and what is in them.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use half::{bf16, f16};
use kenami_domain::run_config::{ModelConfig, ModelName, WeightsKind, weights_kind};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::{Dtype, SafeTensors};

use super::{Variant, hub, key_layouts::KeyLayout, unavailable};
use crate::{
    error::{Error, Result},
    run::SavedModel,
};

/// Before every tensor of the trunk in a run's `model.safetensors`.
pub const TRUNK_PREFIX: &str = "trunk.";

/// A safetensors file, on disk or in memory.
#[derive(Debug, Clone)]
pub enum WeightsInput {
    /// A file.
    Path(PathBuf),
    /// A file's content.
    Bytes(Arc<[u8]>),
}

impl WeightsInput {
    fn read(&self) -> Result<Arc<[u8]>> {
        match self {
            Self::Path(path) => Ok(std::fs::read(path).map_err(Error::io(path))?.into()),
            Self::Bytes(bytes) => Ok(Arc::clone(bytes)),
        }
    }
}

/// One tensor as stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

/// A trunk's tensors under native names, in the precision in which they came.
#[derive(Debug, Clone)]
pub struct Weights {
    pub(crate) tensors: BTreeMap<String, Stored>,
    /// Mean and deviation of pixel values (0 to 255) that the network expects.
    pub normalisation: (f32, f32),
}

impl Weights {
    /// Reads a safetensors file: native or timm names, or a run's file.
    ///
    /// # Errors
    /// The bytes are no safetensors file, or tensors of `name` are missing.
    pub fn from_bytes(name: ModelName, bytes: &[u8]) -> Result<Self> {
        let variant = variant(name)?;
        let file = SafeTensors::deserialize(bytes)
            .map_err(|error| Error::Weights(format!("this is not a safetensors file ({error})")))?;
        let names = file.names();
        let prefix = if names.iter().any(|name| name.starts_with(TRUNK_PREFIX)) { TRUNK_PREFIX } else { "" };
        let layout = KeyLayout::detect(names.iter().filter_map(|name| name.strip_prefix(prefix)));
        let layout = layout.ok_or_else(|| Error::Weights(format!("the file's tensors are not those of {name}")))?;
        let mut tensors = BTreeMap::new();
        for (native, foreign) in layout.names(&variant) {
            let view = file
                .tensor(&format!("{prefix}{foreign}"))
                .map_err(|_| Error::Weights(format!("the file has no tensor {prefix}{foreign}, which {name} needs")))?;
            let stored = Stored { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() };
            tensors.insert(native, stored);
        }
        // A run of foreign weights carries their normalisation along with native names.
        let normalisation = SavedModel::read(bytes).map_or(layout.normalisation(), |saved| saved.normalisation);
        Ok(Self { tensors, normalisation })
    }

    /// Random initial weights: He's normal distribution for convolutions, the identity for batch normalisation.
    ///
    /// # Errors
    /// The network is not available.
    pub fn random(name: ModelName, seed: u64) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut tensors = BTreeMap::new();
        for (name, shape) in variant(name)?.tensors() {
            let len = shape.iter().product();
            let values: Vec<f32> = if shape.len() == 4 {
                let fan_out = shape[0] * shape[2] * shape[3] / if shape[1] == 1 { shape[0] } else { 1 };
                let deviation = (2.0 / fan_out as f64).sqrt();
                (0..len).map(|_| (normal(&mut rng) * deviation) as f32).collect()
            } else {
                let value = if name.ends_with(".weight") || name.ends_with("running_var") { 1.0 } else { 0.0 };
                vec![value; len]
            };
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            tensors.insert(name, Stored { dtype: Dtype::F32, shape, bytes });
        }
        Ok(Self { tensors, normalisation: KeyLayout::Native.normalisation() })
    }

    /// A tensor's values in single precision.
    ///
    /// # Errors
    /// The tensor is missing or of a type that is no floating-point number of 16 or 32 bits.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        let stored = self.stored(name)?;
        let bytes = &stored.bytes;
        match stored.dtype {
            Dtype::F32 => Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
            Dtype::F16 => Ok(bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
            Dtype::BF16 => Ok(bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
            other => Err(Error::Weights(format!("{name} is stored as {other:?}; F32, F16 and BF16 can be read"))),
        }
    }

    /// A tensor's shape.
    ///
    /// # Errors
    /// The tensor is missing.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.stored(name)?.shape)
    }

    fn stored(&self, name: &str) -> Result<&Stored> {
        self.tensors.get(name).ok_or_else(|| Error::Weights(format!("there is no tensor {name}")))
    }

    /// blake3 over names, shapes, types, bytes and normalisation: the same from whichever file they came.
    pub fn hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for (name, stored) in &self.tensors {
            hasher.update(format!("{name} {:?} {:?}\n", stored.dtype, stored.shape).as_bytes());
            hasher.update(&stored.bytes);
        }
        hasher.update(format!("{:?}", self.normalisation).as_bytes());
        hasher.finalize()
    }
}

/// The standard normal distribution by Box and Muller.
fn normal(rng: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

fn variant(name: ModelName) -> Result<Variant> {
    match name {
        ModelName::EfficientnetLite0 => Ok(Variant::LITE0),
        other => Err(unavailable(other)),
    }
}

/// See [`super::load_weights`].
pub(super) fn load(model: &ModelConfig, provided: Option<&WeightsInput>, seed: u64) -> Result<Weights> {
    let input = match weights_kind(&model.weights) {
        WeightsKind::None => return Weights::random(model.name, seed),
        WeightsKind::Demo | WeightsKind::Run(_) => provided.cloned().ok_or_else(|| {
            Error::Weights(format!("\"{}\" is not at hand here; give the path of a .safetensors file", model.weights))
        })?,
        WeightsKind::Hub(name) => WeightsInput::Path(hub::fetch(name)?),
        WeightsKind::Path(path) => WeightsInput::Path(path.into()),
    };
    Weights::from_bytes(model.name, &input.read()?)
}

#[cfg(test)]
mod tests;
