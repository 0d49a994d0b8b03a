//! Networks: from pixels to feature maps and pooled features.
//!
//! [`graph()`] describes a network, [`Weights`] fills it, [`build_trunk`] makes the frozen one whose pooled features are cached.

mod convnext;
pub mod dinov2;
mod efficientnet;
mod efficientnet_lite;
mod graph_trunk;
mod hub;
mod init;
mod key_layouts;
mod mirrored;
mod normalisation;
mod resnet;
mod tensor_file;
mod weights;

use kenami_domain::run_config::{ConfigError, ModelConfig, ModelName, RunConfig, TrainPart};

pub use dinov2::Dinov2;
pub use efficientnet_lite::EfficientNetLite;
pub use graph_trunk::GraphTrunk;
pub use key_layouts::KeyLayout;
pub(crate) use mirrored::flipped;
pub use mirrored::mirrored;
pub use normalisation::Normalisation;
pub use weights::{TRUNK_PREFIX, Weights, WeightsInput};

use crate::{
    attention::SpatialPool,
    data::Preprocessing,
    error::{Error, Result},
    graph::{Graph, ParameterSpec},
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
    ///
    /// # Errors
    /// The network cannot take photos of this size, or the tensor library fails.
    fn forward(&self, pixels: &[u8], size: usize, workspace: &mut Workspace, features: &mut [f32]) -> Result<()>;

    /// The network itself, whose maps can be looked at, where the trunk is one.
    fn network(&self) -> Option<&GraphTrunk> {
        None
    }
}

/// Networks that are built alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    ResNet,
    EfficientNet,
    EfficientNetLite,
    ConvNext,
    Dinov2,
}

impl Family {
    pub(crate) fn of(name: ModelName) -> Self {
        match name {
            ModelName::Resnet18
            | ModelName::Resnet34
            | ModelName::Resnet50
            | ModelName::Resnet101
            | ModelName::Resnet152
            | ModelName::WideResnet50
            | ModelName::Resnext50 => Self::ResNet,
            ModelName::EfficientnetB0
            | ModelName::EfficientnetB1
            | ModelName::EfficientnetB2
            | ModelName::EfficientnetB3
            | ModelName::EfficientnetB4 => Self::EfficientNet,
            ModelName::EfficientnetLite0 | ModelName::EfficientnetLite1 | ModelName::EfficientnetLite2 => {
                Self::EfficientNetLite
            }
            ModelName::ConvnextTiny => Self::ConvNext,
            ModelName::Dinov2Vits14 => Self::Dinov2,
        }
    }
}

/// The network's description, up to its last feature map; attention, pooling and heads come behind it.
///
/// # Errors
/// DINOv2, which is frozen only and has a module of its own ([`Dinov2`]).
pub fn graph(name: ModelName) -> Result<Graph> {
    let graph = match Family::of(name) {
        Family::ResNet => resnet::graph(name),
        Family::EfficientNet | Family::EfficientNetLite => efficientnet::graph(name),
        Family::ConvNext => convnext::graph(name),
        Family::Dinov2 => None,
    };
    graph.ok_or_else(|| Error::Unavailable {
        what: format!("training the trunk of {name}"),
        available: "model.train = \"heads\" with model.attention = \"none\"".to_owned(),
    })
}

/// Every tensor of a network's trunk, in the order of use: of all models, whether they have a graph or not.
pub fn parameters(name: ModelName) -> Vec<ParameterSpec> {
    graph(name).map_or_else(|_| dinov2::parameters(), |graph| graph.parameters)
}

/// Whether the model can do what `config` asks of it.
///
/// # Errors
/// What it cannot do, and what it can.
pub fn check(config: &RunConfig) -> Result<()> {
    if Family::of(config.model.name) != Family::Dinov2 {
        return Ok(());
    }
    if config.evaluate.explain > 0 {
        return Err(Error::Unavailable {
            what: format!("evaluate.explain = {} with {}", config.evaluate.explain, config.model.name),
            available: "0; overlays of every other network".to_owned(),
        });
    }
    if config.model.train != TrainPart::Heads || config.model.attention != Default::default() {
        graph(config.model.name)?;
    }
    if !(config.image_size as usize).is_multiple_of(dinov2::PATCH) {
        return Err(Error::Config(ConfigError {
            key: Some("image_size".to_owned()),
            line: None,
            column: None,
            message: format!("image_size is a multiple of {} for {}", dinov2::PATCH, config.model.name),
        }));
    }
    Ok(())
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
/// A tensor is missing or of another shape.
pub fn build_trunk(name: ModelName, weights: &Weights) -> Result<Box<dyn Trunk>> {
    match Family::of(name) {
        Family::EfficientNetLite => Ok(Box::new(EfficientNetLite::new(name, weights)?)),
        Family::Dinov2 => Ok(Box::new(Dinov2::new(weights, &candle_core::Device::Cpu)?)),
        _ => Ok(Box::new(GraphTrunk::new(name, weights)?)),
    }
}

/// As [`build_trunk`], pooled by `pool`, where there is one.
///
/// # Errors
/// As there; or the model has no graph, whose map could be pooled.
pub fn build_pooled(name: ModelName, weights: &Weights, pool: Option<&SpatialPool>) -> Result<Box<dyn Trunk>> {
    match pool.filter(|pool| pool.weight().is_some()) {
        Some(pool) => Ok(Box::new(GraphTrunk::with_pool(name, weights, pool.clone())?)),
        None => build_trunk(name, weights),
    }
}

/// How photos are prepared for these weights.
pub fn preprocessing(weights: &Weights, image_size: u32) -> Preprocessing {
    Preprocessing { size: image_size, normalisation: weights.normalisation }
}
