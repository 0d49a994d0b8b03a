//! Networks: from pixels to pooled features.

mod efficientnet_lite;
mod hub;
mod key_layouts;
mod weights;

use kenami_domain::run_config::{ModelConfig, ModelName};

pub use efficientnet_lite::{EfficientNetLite, Variant};
pub use weights::{TRUNK_PREFIX, Weights, WeightsInput};

use crate::{
    data::Preprocessing,
    error::{Error, Result},
    ops::Scratch,
};

/// Memory that a trunk works in; one a thread.
#[derive(Debug, Default)]
pub struct Workspace {
    pub(crate) input: Vec<f32>,
    pub(crate) output: Vec<f32>,
    pub(crate) scratch: Scratch,
}

/// A frozen network up to its pooled features.
pub trait Trunk: Send + Sync {
    /// Number of pooled features.
    fn features(&self) -> usize;

    /// Pooled features of one photo: `pixels` are `size` x `size` RGB bytes, `features` holds [`Self::features`] values.
    fn forward(&self, pixels: &[u8], size: usize, workspace: &mut Workspace, features: &mut [f32]);
}

/// Weights as the configuration asks for them; `provided` is what stands behind `demo` and `run:ID`.
///
/// # Errors
/// The weights cannot be found, read or fetched.
pub fn load_weights(model: &ModelConfig, provided: Option<&WeightsInput>, seed: u64) -> Result<Weights> {
    weights::load(model, provided, seed)
}

/// The network with these weights.
///
/// # Errors
/// A tensor is missing or of another shape, or the network is not available.
pub fn build_trunk(name: ModelName, weights: &Weights) -> Result<Box<dyn Trunk>> {
    match name {
        ModelName::EfficientnetLite0 => Ok(Box::new(EfficientNetLite::new(&Variant::LITE0, weights)?)),
        other => Err(unavailable(other)),
    }
}

/// How photos are prepared for these weights.
pub fn preprocessing(weights: &Weights, image_size: u32) -> Preprocessing {
    Preprocessing { size: image_size, mean: weights.normalisation.0, deviation: weights.normalisation.1 }
}

pub(crate) fn unavailable(name: ModelName) -> Error {
    Error::Unavailable { what: format!("model.name = \"{name}\""), available: "efficientnet_lite0".to_owned() }
}
