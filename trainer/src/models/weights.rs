//! Pretrained weights: where they come from and what is in them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use candle_core::{Device, Tensor};
use half::{bf16, f16};
use kenami_domain::run_config::{ModelConfig, ModelName, WeightsKind, weights_kind};
use safetensors::Dtype;

use super::{Family, KeyLayout, Normalisation, hub, init, parameters, tensor_file::TensorFile};
use crate::{
    error::{Error, Result},
    run::SavedModel,
};

/// Before every tensor of the trunk in a run's `model.safetensors`.
pub const TRUNK_PREFIX: &str = "trunk.";
/// What may stand before every tensor of a network: a run's own, and those of wrappers around PyTorch's modules.
const PREFIXES: [&str; 5] = ["", TRUNK_PREFIX, "module.", "model.", "backbone."];
/// First words of names that belong to a trunk in some layout: such a tensor without a place means another network's file.
const TRUNK_WORDS: [&str; 10] =
    ["layer1", "layer2", "layer3", "layer4", "blocks", "_blocks", "features", "stages", "reg_token", "register_tokens"];

/// A file of weights, on disk or in memory.
#[derive(Debug, Clone)]
pub enum WeightsInput {
    /// A file.
    Path(PathBuf),
    /// A file's content.
    Bytes(Arc<[u8]>),
}

/// One tensor as stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<usize>,
    pub(crate) bytes: Vec<u8>,
}

impl Stored {
    /// In single precision; `name` is for the error.
    pub(super) fn values(&self, name: &str) -> Result<Vec<f32>> {
        let bytes = &self.bytes;
        match self.dtype {
            Dtype::F32 => Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
            Dtype::F16 => Ok(bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
            Dtype::BF16 => Ok(bytes.chunks_exact(2).map(|b| bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect()),
            other => Err(Error::Weights(format!("{name} is stored as {other:?}; F32, F16 and BF16 can be read"))),
        }
    }
}

/// A trunk's tensors under native names, in the precision in which they came.
#[derive(Debug, Clone)]
pub struct Weights {
    pub(crate) tensors: BTreeMap<String, Stored>,
    /// What the network expects of a photo's colours.
    pub normalisation: Normalisation,
}

impl Weights {
    /// Reads a file from memory: see [`Self::read`].
    ///
    /// # Errors
    /// As there.
    pub fn from_bytes(name: ModelName, bytes: &[u8]) -> Result<Self> {
        Self::from_file(name, bytes, None)
    }

    /// Reads safetensors or what `torch.save` wrote, with the tensor names of any layout of [`KeyLayout::of`], or a run's
    /// file. A classifier's tensors are ignored. The normalisation is that of the run, of a `config.json` of timm beside
    /// the file, or what the layout's weights were trained with.
    ///
    /// # Errors
    /// The file cannot be read, tensors of `name` are missing or of another shape, or there are more blocks than it has.
    pub fn read(name: ModelName, input: &WeightsInput) -> Result<Self> {
        match input {
            WeightsInput::Bytes(bytes) => Self::from_file(name, bytes, None),
            WeightsInput::Path(path) => {
                let bytes = std::fs::read(path).map_err(Error::io(path))?;
                Self::from_file(name, &bytes, Some(path))
            }
        }
    }

    fn from_file(name: ModelName, bytes: &[u8], path: Option<&Path>) -> Result<Self> {
        let file = TensorFile::open(bytes, path)?;
        let names = file.names();
        let parameters = parameters(name);
        let known: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let candidates =
            PREFIXES.iter().flat_map(|prefix| KeyLayout::of(name).iter().map(move |layout| (*prefix, *layout)));
        let first = |(prefix, layout): &(&str, KeyLayout)| {
            known.contains(format!("{prefix}{}", layout.foreign(name, &parameters[0].name)).as_str())
        };
        let (prefix, layout) = candidates
            .into_iter()
            .find(first)
            .ok_or_else(|| Error::Weights(format!("the file's tensors are not those of {name}")))?;
        let mut tensors = BTreeMap::new();
        let mut used = BTreeSet::new();
        for parameter in parameters {
            let foreign = format!("{prefix}{}", layout.foreign(name, &parameter.name));
            let mut stored = file
                .get(&foreign)?
                .ok_or_else(|| Error::Weights(format!("the file has no tensor {foreign}, which {name} needs")))?;
            if !same_but_for_ones(&stored.shape, &parameter.shape) {
                return Err(Error::Weights(format!(
                    "{foreign} has shape {:?}, {name} needs {:?}",
                    stored.shape, parameter.shape
                )));
            }
            stored.shape = parameter.shape;
            used.insert(foreign);
            tensors.insert(parameter.name, stored);
        }
        let surplus = names.iter().filter(|name| !used.contains(*name)).find(|name| is_of_a_trunk(name, prefix));
        if let Some(surplus) = surplus {
            return Err(Error::Weights(format!("the file has a tensor {surplus}, which {name} does not have")));
        }
        // A run of foreign weights carries their normalisation along with native names.
        let normalisation = SavedModel::read(bytes).map(|saved| saved.normalisation);
        let normalisation = normalisation.or_else(|| path.and_then(hub::normalisation_beside));
        Ok(Self { tensors, normalisation: normalisation.unwrap_or_else(|| layout.normalisation(name)) })
    }

    /// Random first values, as PyTorch's implementation of the family draws them.
    pub fn random(name: ModelName, seed: u64) -> Self {
        let tensors = parameters(name).into_iter().map(|parameter| {
            let values = init::values(name, &parameter, seed);
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (parameter.name, Stored { dtype: Dtype::F32, shape: parameter.shape, bytes })
        });
        let layout =
            if Family::of(name) == Family::EfficientNetLite { KeyLayout::LitePytorch } else { KeyLayout::Native };
        Self { tensors: tensors.collect(), normalisation: layout.normalisation(name) }
    }

    /// These tensors (f32), by their native names.
    ///
    /// # Errors
    /// A tensor cannot be read.
    pub fn from_tensors<'a>(
        tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
        normalisation: Normalisation,
    ) -> Result<Self> {
        let stored = tensors.into_iter().map(|(name, tensor)| {
            let values = tensor.flatten_all()?.to_vec1::<f32>()?;
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Ok((name, Stored { dtype: Dtype::F32, shape: tensor.dims().to_vec(), bytes }))
        });
        Ok(Self { tensors: stored.collect::<Result<_>>()?, normalisation })
    }

    /// A tensor's values in single precision.
    ///
    /// # Errors
    /// The tensor is missing or of a type that is no floating-point number of 16 or 32 bits.
    pub fn values(&self, name: &str) -> Result<Vec<f32>> {
        self.stored(name)?.values(name)
    }

    /// A tensor's shape.
    ///
    /// # Errors
    /// The tensor is missing.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        Ok(&self.stored(name)?.shape)
    }

    /// A tensor in single precision on a device.
    ///
    /// # Errors
    /// As [`Self::values`], or the device fails.
    pub fn tensor(&self, name: &str, device: &Device) -> Result<Tensor> {
        Ok(Tensor::from_vec(self.values(name)?, self.shape(name)?, device)?)
    }

    /// All tensors by name, in single precision on a device.
    ///
    /// # Errors
    /// As [`Self::tensor`].
    pub fn named(&self, device: &Device) -> Result<HashMap<String, Tensor>> {
        self.tensors.keys().map(|name| Ok((name.clone(), self.tensor(name, device)?))).collect()
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

/// Whether two shapes are the same up to sides of 1: a linear map is a 1x1 convolution.
fn same_but_for_ones(a: &[usize], b: &[usize]) -> bool {
    let sides = |shape: &[usize]| shape.iter().copied().filter(|side| *side != 1).collect::<Vec<_>>();
    sides(a) == sides(b)
}

fn is_of_a_trunk(name: &str, prefix: &str) -> bool {
    let Some(name) = name.strip_prefix(prefix) else { return false };
    let word = name.split('.').next().unwrap_or(name);
    TRUNK_WORDS.contains(&word) && !name.ends_with("num_batches_tracked")
}

/// See [`super::load_weights`].
pub(super) fn load(model: &ModelConfig, provided: Option<&WeightsInput>, seed: u64) -> Result<Weights> {
    let input = match weights_kind(&model.weights) {
        WeightsKind::None => return Ok(Weights::random(model.name, seed)),
        WeightsKind::Demo if model.name != ModelName::EfficientnetLite0 => {
            return Err(Error::Weights(format!(
                "the demo's weights are those of efficientnet_lite0; {} needs a model of the hub, the path of a file, or \
                 \"none\" as model.weights",
                model.name
            )));
        }
        WeightsKind::Demo | WeightsKind::Run(_) => provided.cloned().ok_or_else(|| {
            Error::Weights(format!(
                "\"{}\" is not at hand here; give the path of a .safetensors or .pth file",
                model.weights
            ))
        })?,
        WeightsKind::Hub(name) => WeightsInput::Path(hub::fetch(model.name, name)?),
        WeightsKind::Path(path) => WeightsInput::Path(path.into()),
    };
    Weights::read(model.name, &input)
}

#[cfg(test)]
mod tests;
