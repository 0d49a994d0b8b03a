//! EfficientNet-Lite for inference alone, photo by photo, with blocks of fused kernels.

use kenami_domain::run_config::ModelName;
use pulp::Arch;

use super::{
    Trunk, Weights, Workspace,
    efficientnet::{Size, Stage},
};
use crate::{
    error::{Error, Result},
    ops::{Depthwise, InvertedResidual, Pointwise, Stem, relu6_bias},
};

/// Added to the variance in batch normalisation.
const EPSILON: f64 = 1e-3;

/// An EfficientNet-Lite trunk for inference: batch normalisation is folded into the convolutions.
pub struct EfficientNetLite {
    arch: Arch,
    stem: Stem,
    blocks: Vec<InvertedResidual>,
    head: Pointwise,
}

impl EfficientNetLite {
    /// Folds `weights` into the network.
    ///
    /// # Errors
    /// A tensor is missing, or `name` is of another family.
    pub fn new(name: ModelName, weights: &Weights) -> Result<Self> {
        Self::with_arch(Arch::new(), name, weights)
    }

    /// The same on a chosen instruction set.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_arch(arch: Arch, name: ModelName, weights: &Weights) -> Result<Self> {
        let size = Size::of(name).filter(|size| size.lite);
        let size = size.ok_or_else(|| Error::Weights(format!("{name} is no EfficientNet-Lite")))?;
        let (stem, stem_bias) = folded(weights, "conv_stem", "bn1")?;
        let (head, head_bias) = folded(weights, "conv_head", "bn2")?;
        let inputs = head.len() / head_bias.len();
        let blocks = size.blocks().map(|(stage, number, block)| fused(weights, stage, number, block));
        Ok(Self {
            arch,
            stem: Stem::new(&stem, stem_bias, &weights.normalisation),
            blocks: blocks.collect::<Result<_>>()?,
            head: Pointwise::new(&head, head_bias, inputs),
        })
    }
}

fn fused(weights: &Weights, stage: usize, number: usize, block: Stage) -> Result<InvertedResidual> {
    let fold = |conv: &str, norm: &str| {
        folded(weights, &format!("blocks.{stage}.{number}.{conv}"), &format!("blocks.{stage}.{number}.{norm}"))
    };
    // timm names layers in the order in which they come, which an expansion shifts.
    let (expand, [spatial, projection], project) = if block.expand == 1 {
        (None, ["bn1", "bn2"], "conv_pw")
    } else {
        let (weight, bias) = fold("conv_pw", "bn1")?;
        (Some(Pointwise::new(&weight, bias, block.inputs)), ["bn2", "bn3"], "conv_pwl")
    };
    let (depthwise, depthwise_bias) = fold("conv_dw", spatial)?;
    let (project, project_bias) = fold(project, projection)?;
    Ok(InvertedResidual {
        expand,
        depthwise: Depthwise::new(&depthwise, depthwise_bias, block.kernel, block.stride),
        project: Pointwise::new(&project, project_bias, block.inputs * block.expand),
        residual: block.stride == 1 && block.inputs == block.outputs,
    })
}

/// A convolution's weight and bias with the batch normalisation that follows it: `w g / sqrt(v + e)` and
/// `b - m g / sqrt(v + e)`.
fn folded(weights: &Weights, conv: &str, norm: &str) -> Result<(Vec<f32>, Vec<f32>)> {
    let part = |name: &str| weights.values(&format!("{norm}.{name}"));
    let (gamma, beta, mean, variance) = (part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?);
    let mut weight = weights.values(&format!("{conv}.weight"))?;
    let per_channel = weight.len() / gamma.len();
    let mut bias = Vec::with_capacity(gamma.len());
    for (channel, filter) in weight.chunks_exact_mut(per_channel).enumerate() {
        let scale = f64::from(gamma[channel]) / (f64::from(variance[channel]) + EPSILON).sqrt();
        filter.iter_mut().for_each(|w| *w = (f64::from(*w) * scale) as f32);
        bias.push((f64::from(beta[channel]) - f64::from(mean[channel]) * scale) as f32);
    }
    Ok((weight, bias))
}

impl Trunk for EfficientNetLite {
    fn features(&self) -> usize {
        self.head.outputs()
    }

    fn forward(&self, pixels: &[u8], size: usize, workspace: &mut Workspace, features: &mut [f32]) -> Result<()> {
        let Workspace { input, output, scratch } = workspace;
        let mut grid = self.stem.forward(pixels, size, input);
        for block in &self.blocks {
            grid = block.forward(self.arch, input, grid, output, scratch);
            std::mem::swap(input, output);
        }
        let positions = grid.rows * grid.columns;
        output.resize(positions * self.head.outputs(), 0.0);
        self.head.multiply(input, output, false);
        relu6_bias(output, &self.head.bias);
        features.fill(0.0);
        for pixel in output.chunks_exact(features.len()) {
            features.iter_mut().zip(pixel).for_each(|(sum, x)| *sum += x);
        }
        features.iter_mut().for_each(|sum| *sum /= positions as f32);
        Ok(())
    }
}
