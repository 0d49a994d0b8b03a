//! Any network with a graph, frozen.

use candle_core::{Device, Tensor};
use kenami_domain::run_config::ModelName;

use super::{Normalisation, Trunk, Weights, Workspace, graph};
use crate::{error::Result, graph::Network};

/// A network in inference, up to its pooled features.
pub struct FrozenNetwork {
    network: Network,
    normalisation: Normalisation,
}

impl FrozenNetwork {
    /// With these weights.
    ///
    /// # Errors
    /// A tensor is missing or of another shape, or the network has no graph.
    pub fn new(name: ModelName, weights: &Weights) -> Result<Self> {
        let network = Network::new(graph(name)?, weights.named(&Device::Cpu)?, &Device::Cpu)?;
        Ok(Self { network, normalisation: weights.normalisation })
    }
}

impl Trunk for FrozenNetwork {
    fn features(&self) -> usize {
        self.network.graph().features()
    }

    fn forward(&self, pixels: &[u8], size: usize, _workspace: &mut Workspace, features: &mut [f32]) -> Result<()> {
        let mut input = vec![0.0; pixels.len()];
        self.normalisation.apply(pixels, &mut input);
        let map = self.network.infer(&Tensor::from_vec(input, (1, size, size, 3), &Device::Cpu)?)?;
        let (_, h, w, c) = map.dims4()?;
        let mut pooled = map.reshape((1, h * w, c))?.mean(1)?;
        if let Some(norm) = &self.network.graph().pooled_norm {
            let [weight, bias] = [norm.weight, norm.bias].map(|id| self.network.parameters()[id].as_tensor().detach());
            pooled = norm.apply(&pooled, &weight, &bias)?;
        }
        features.copy_from_slice(&pooled.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }
}
