//! EfficientNet-Lite: inverted residuals without squeeze-and-excitation, ReLU6, "same" padding.
//!
//! Architecture: M. Tan and Q. V. Le, EfficientNet, ICML 2019, in TensorFlow's Lite variant; tensor names as in
//! efficientnet-lite-pytorch (`_blocks.3._depthwise_conv.weight`).

use pulp::Arch;

use super::{Trunk, Weights, Workspace};
use crate::{
    error::{Error, Result},
    ops::{Depthwise, InvertedResidual, Pointwise, Stem, relu6_bias},
};

/// Added to the variance in batch normalisation.
const EPSILON: f64 = 1e-3;

/// Blocks of one stage.
#[derive(Debug, Clone, Copy)]
struct Stage {
    repeats: usize,
    kernel: usize,
    stride: usize,
    expand: usize,
    inputs: usize,
    outputs: usize,
}

/// One size of the family.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    stem: usize,
    stages: &'static [Stage],
    head: usize,
}

const fn stage(repeats: usize, kernel: usize, stride: usize, expand: usize, inputs: usize, outputs: usize) -> Stage {
    Stage { repeats, kernel, stride, expand, inputs, outputs }
}

impl Variant {
    /// EfficientNet-Lite0: 3.4 million parameters up to 1280 features, 0.4 billion multiplications at 224 pixels.
    pub const LITE0: Self = Self {
        stem: 32,
        stages: &[
            stage(1, 3, 1, 1, 32, 16),
            stage(2, 3, 2, 6, 16, 24),
            stage(2, 5, 2, 6, 24, 40),
            stage(3, 3, 2, 6, 40, 80),
            stage(3, 5, 1, 6, 80, 112),
            stage(4, 5, 2, 6, 112, 192),
            stage(1, 3, 1, 6, 192, 320),
        ],
        head: 1280,
    };

    /// Blocks in order, each with its number.
    fn blocks(&self) -> impl Iterator<Item = (usize, Stage)> + '_ {
        let each = self.stages.iter().flat_map(|stage| {
            (0..stage.repeats).map(|repeat| {
                let first = repeat == 0;
                let (stride, inputs) = if first { (stage.stride, stage.inputs) } else { (1, stage.outputs) };
                Stage { repeats: 1, stride, inputs, ..*stage }
            })
        });
        each.enumerate()
    }

    /// Blocks per stage.
    pub(super) fn repeats(&self) -> impl Iterator<Item = usize> + '_ {
        self.stages.iter().map(|stage| stage.repeats)
    }

    /// Whether the blocks of a stage have an expansion.
    pub(super) fn expands(&self, stage: usize) -> bool {
        self.stages[stage].expand != 1
    }

    /// Name and shape of every tensor that the trunk needs, in order. Batch-norm tensors end in `weight`, `bias`,
    /// `running_mean` and `running_var`.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = vec![("_conv_stem.weight".to_owned(), vec![self.stem, 3, 3, 3])];
        push_norm(&mut tensors, "_bn0", self.stem);
        for (number, block) in self.blocks() {
            let name = |part: &str| format!("_blocks.{number}.{part}");
            let wide = block.inputs * block.expand;
            if block.expand != 1 {
                tensors.push((name("_expand_conv.weight"), vec![wide, block.inputs, 1, 1]));
                push_norm(&mut tensors, &name("_bn0"), wide);
            }
            tensors.push((name("_depthwise_conv.weight"), vec![wide, 1, block.kernel, block.kernel]));
            push_norm(&mut tensors, &name("_bn1"), wide);
            tensors.push((name("_project_conv.weight"), vec![block.outputs, wide, 1, 1]));
            push_norm(&mut tensors, &name("_bn2"), block.outputs);
        }
        let last = self.stages[self.stages.len() - 1].outputs;
        tensors.push(("_conv_head.weight".to_owned(), vec![self.head, last, 1, 1]));
        push_norm(&mut tensors, "_bn1", self.head);
        tensors
    }
}

fn push_norm(tensors: &mut Vec<(String, Vec<usize>)>, name: &str, channels: usize) {
    for part in ["weight", "bias", "running_mean", "running_var"] {
        tensors.push((format!("{name}.{part}"), vec![channels]));
    }
}

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
    /// A tensor is missing or has another shape.
    pub fn new(variant: &Variant, weights: &Weights) -> Result<Self> {
        Self::with_arch(Arch::new(), variant, weights)
    }

    /// The same on a chosen instruction set.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_arch(arch: Arch, variant: &Variant, weights: &Weights) -> Result<Self> {
        for (name, shape) in variant.tensors() {
            let found = weights.shape(&name)?;
            if found != shape.as_slice() {
                return Err(Error::Weights(format!("{name} has shape {found:?}, the network needs {shape:?}")));
            }
        }
        let (stem, stem_bias) = folded(weights, "_conv_stem", "_bn0")?;
        let (mean, deviation) = weights.normalisation;
        let (head, head_bias) = folded(weights, "_conv_head", "_bn1")?;
        let inputs = head.len() / head_bias.len();
        Ok(Self {
            arch,
            stem: Stem::new(&stem, stem_bias, mean, deviation),
            blocks: variant.blocks().map(|(number, stage)| block(weights, number, stage)).collect::<Result<_>>()?,
            head: Pointwise::new(&head, head_bias, inputs),
        })
    }
}

fn block(weights: &Weights, number: usize, stage: Stage) -> Result<InvertedResidual> {
    let fold = |conv: &str, norm: &str| {
        folded(weights, &format!("_blocks.{number}.{conv}"), &format!("_blocks.{number}.{norm}"))
    };
    let expand = if stage.expand == 1 {
        None
    } else {
        let (weight, bias) = fold("_expand_conv", "_bn0")?;
        Some(Pointwise::new(&weight, bias, stage.inputs))
    };
    let (depthwise, depthwise_bias) = fold("_depthwise_conv", "_bn1")?;
    let (project, project_bias) = fold("_project_conv", "_bn2")?;
    Ok(InvertedResidual {
        expand,
        depthwise: Depthwise::new(&depthwise, depthwise_bias, stage.kernel, stage.stride),
        project: Pointwise::new(&project, project_bias, stage.inputs * stage.expand),
        residual: stage.stride == 1 && stage.inputs == stage.outputs,
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

    fn forward(&self, pixels: &[u8], size: usize, workspace: &mut Workspace, features: &mut [f32]) {
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
    }
}
