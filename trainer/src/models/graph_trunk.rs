//! A frozen network that a graph describes.

use candle_core::{Device, Tensor};
use kenami_domain::run_config::ModelName;

use super::{Normalisation, Trunk, Weights, Workspace, graph};
use crate::{attention::SpatialPool, error::Result, graph::Network};

/// A graph in inference, its map averaged or pooled under masks.
pub struct GraphTrunk {
    network: Network,
    pool: SpatialPool,
    normalisation: Normalisation,
}

impl GraphTrunk {
    /// On the processor, with plain averaging.
    ///
    /// # Errors
    /// A tensor is missing or of another shape, or the model has no graph.
    pub fn new(name: ModelName, weights: &Weights) -> Result<Self> {
        let channels = graph(name)?.features();
        Self::with_pool(name, weights, SpatialPool::average(channels))
    }

    /// On the processor, pooled by `pool`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_pool(name: ModelName, weights: &Weights, pool: SpatialPool) -> Result<Self> {
        let network = Network::new(graph(name)?, weights.named(&Device::Cpu)?, &Device::Cpu)?;
        Ok(Self { network, pool, normalisation: weights.normalisation })
    }

    /// Pooled features `[n, features]` of normalised photos `[n, rows, columns, 3]`.
    ///
    /// # Errors
    /// The photos are too small, or the tensor library fails.
    pub fn pooled(&self, images: &Tensor) -> Result<Tensor> {
        self.pool(&self.network.infer(images)?)
    }

    /// The network of a trunk that is none itself, as the fused one of EfficientNet-Lite: for a look at maps.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn of(name: ModelName, weights: &Weights, pool: Option<&SpatialPool>) -> Result<Self> {
        match pool {
            Some(pool) => Self::with_pool(name, weights, pool.clone()),
            None => Self::new(name, weights),
        }
    }

    /// The feature map `[1, rows, columns, channels]` of a photo of `size` x `size` RGB bytes.
    ///
    /// # Errors
    /// As [`Self::pooled`].
    pub fn map(&self, pixels: &[u8], size: usize) -> Result<Tensor> {
        let mut image = vec![0.0; pixels.len()];
        self.normalisation.apply(pixels, &mut image);
        self.network.infer(&Tensor::from_vec(image, (1, size, size, 3), self.network.device())?)
    }

    /// Pooled features `[n, features]` of feature maps, by operations that have gradients.
    ///
    /// # Errors
    /// The maps are not the network's.
    pub fn pool(&self, map: &Tensor) -> Result<Tensor> {
        self.network.pool(map, &self.pool)
    }

    /// The attention masks `[n, masks, rows, columns]` of feature maps, each summing to 1; `None` without attention.
    ///
    /// # Errors
    /// The maps are not the network's.
    pub fn masks(&self, map: &Tensor) -> Result<Option<Tensor>> {
        Ok(self.pool.forward(map)?.masks)
    }
}

impl Trunk for GraphTrunk {
    fn features(&self) -> usize {
        self.pool.width()
    }

    fn forward(&self, pixels: &[u8], size: usize, _: &mut Workspace, features: &mut [f32]) -> Result<()> {
        features.copy_from_slice(&self.pool(&self.map(pixels, size)?)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }

    fn network(&self) -> Option<&GraphTrunk> {
        Some(self)
    }
}
