//! A frozen network that a graph describes.

use candle_core::{Device, Tensor};
use kenami_domain::run_config::ModelName;

use super::{Normalisation, Trunk, Weights, Workspace, graph};
use crate::{error::Result, graph::Network};

/// A graph in inference, its map averaged.
pub struct GraphTrunk {
    network: Network,
    normalisation: Normalisation,
}

impl GraphTrunk {
    /// On the processor.
    ///
    /// # Errors
    /// A tensor is missing or of another shape, or the model has no graph.
    pub fn new(name: ModelName, weights: &Weights) -> Result<Self> {
        let network = Network::new(graph(name)?, weights.named(&Device::Cpu)?, &Device::Cpu)?;
        Ok(Self { network, normalisation: weights.normalisation })
    }

    /// Pooled features `[n, features]` of normalised photos `[n, rows, columns, 3]`.
    ///
    /// # Errors
    /// The photos are too small, or the tensor library fails.
    pub fn pooled(&self, images: &Tensor) -> Result<Tensor> {
        self.network.pool(&self.network.infer(images)?)
    }
}

impl Trunk for GraphTrunk {
    fn features(&self) -> usize {
        self.network.graph().features()
    }

    fn forward(&self, pixels: &[u8], size: usize, _: &mut Workspace, features: &mut [f32]) -> Result<()> {
        let mut image = vec![0.0; pixels.len()];
        self.normalisation.apply(pixels, &mut image);
        let image = Tensor::from_vec(image, (1, size, size, 3), self.network.device())?;
        features.copy_from_slice(&self.pooled(&image)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }
}
