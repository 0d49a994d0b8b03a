//! A network as a list of operations: one description for every way of running it.
//!
//! Models build a [`Graph`]; an executor runs it forwards and backwards: fused operations of [`crate::ops`] on the
//! processor, candle's own operations on any device. Maps are `[images, rows, columns, channels]`; parameters have
//! PyTorch's names, shapes and order of axes.

mod candle;
mod cpu;
mod network;
#[expect(dead_code)]
mod plan;

use candle_core::Tensor;

use crate::ops::Activation;

pub use candle::Statistics;
pub use network::{Network, Pass};

/// Index of a parameter in [`Graph::parameters`].
pub type ParameterId = usize;
/// Index of a node in [`Graph::nodes`]; its output has the same number.
pub type NodeId = usize;

/// What a parameter is, which decides its first value, weight decay and whether it is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Weight of a convolution or a linear map: decays.
    Weight,
    /// Bias: does not decay.
    Bias,
    /// Scale of a norm: starts at 1, does not decay.
    NormScale,
    /// Shift of a norm: starts at 0, does not decay.
    NormShift,
    /// Running mean of a batch-norm: no gradient.
    RunningMean,
    /// Running variance of a batch-norm: no gradient, starts at 1.
    RunningVariance,
    /// Scale of a residual branch (ConvNeXt): starts at 1e-6, does not decay.
    LayerScale,
}

impl ParameterKind {
    /// Whether it has a gradient.
    pub fn is_trained(self) -> bool {
        !matches!(self, Self::RunningMean | Self::RunningVariance)
    }

    /// Whether weight decay applies.
    pub fn decays(self) -> bool {
        self == Self::Weight
    }
}

/// A named tensor of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterSpec {
    /// The model's own name for it (torchvision's or timm's), as `layer1.0.conv1.weight`.
    pub name: String,
    /// Shape in PyTorch's order (convolutions `[outputs, inputs / groups, rows, columns]`).
    pub shape: Vec<usize>,
    /// What it is.
    pub kind: ParameterKind,
}

/// Zeros around a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pad {
    /// So many on every side.
    Sides(usize),
    /// TensorFlow's "same": as many in all as make `ceil(size / stride)` outputs, the odd one below and to the right.
    Same,
}

/// A convolution's geometry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvSpec {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Side of the window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Zeros around the input.
    pub pad: Pad,
    /// Groups of channels; `inputs` for a depthwise one.
    pub groups: usize,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The batch of normalised photos, 3 channels.
    Input,
    /// Convolution (a linear map over channels where the kernel is 1).
    Conv {
        /// Geometry.
        spec: ConvSpec,
        /// `[outputs, inputs / groups, kernel, kernel]`.
        weight: ParameterId,
        /// `[outputs]`.
        bias: Option<ParameterId>,
    },
    /// Batch normalisation over images, rows and columns.
    BatchNorm {
        /// Scale `[channels]`.
        weight: ParameterId,
        /// Shift `[channels]`.
        bias: ParameterId,
        /// Running mean `[channels]`.
        mean: ParameterId,
        /// Running (unbiased) variance `[channels]`.
        variance: ParameterId,
        /// Added to the variance.
        epsilon: f64,
        /// Share of a batch's statistics in the running ones.
        momentum: f64,
    },
    /// Normalisation of each pixel over its channels.
    LayerNorm {
        /// Scale `[channels]`.
        weight: ParameterId,
        /// Shift `[channels]`.
        bias: ParameterId,
        /// Added to the variance.
        epsilon: f64,
    },
    /// Elementwise.
    Activation(Activation),
    /// Maximum over a window; padding never wins.
    MaxPool {
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Padding on every side.
        pad: usize,
    },
    /// Mean over rows and columns: `[images, 1, 1, channels]`.
    GlobalPool,
    /// Sum of two maps.
    Add,
    /// First input times the second, which is `[images, 1, 1, channels]` (squeeze and excitation).
    Gate,
    /// Times a factor per channel (layer scale).
    ChannelScale {
        /// `[channels]`.
        weight: ParameterId,
    },
}

/// An operation and what it reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What is done.
    pub op: Op,
    /// Earlier nodes.
    pub inputs: Vec<NodeId>,
    /// Channels of the output.
    pub channels: usize,
}

/// Layer normalisation of the pooled features. It comes after the mean over the feature map, so that it is no node: whoever
/// pools applies it, before the heads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PooledNorm {
    /// Scale `[features]`.
    pub weight: ParameterId,
    /// Shift `[features]`.
    pub bias: ParameterId,
    /// Added to the variance.
    pub epsilon: f64,
}

impl PooledNorm {
    /// Normalises pooled features `[n, features]` over the features; every operation has a gradient.
    ///
    /// # Errors
    /// Shapes disagree, or the device fails.
    pub fn apply(&self, pooled: &Tensor, weight: &Tensor, bias: &Tensor) -> candle_core::Result<Tensor> {
        candle_nn::ops::layer_norm_slow(pooled, weight, bias, self.epsilon as f32)
    }
}

/// A network up to its last feature map.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// In the order in which they run; the first is the input.
    pub nodes: Vec<Node>,
    /// In the order in which the nodes use them.
    pub parameters: Vec<ParameterSpec>,
    /// Ends of the stages, from the stem on; the last one is the output. `train = "last-stage"` trains what comes after the
    /// last but one.
    pub stages: Vec<NodeId>,
    /// What pretrained features expect after pooling (ConvNeXt). Its parameters are in [`Self::parameters`], behind those of
    /// the nodes.
    pub pooled_norm: Option<PooledNorm>,
}

impl Graph {
    /// The node whose output is the feature map.
    pub fn output(&self) -> NodeId {
        self.nodes.len() - 1
    }

    /// Channels of the feature map.
    pub fn features(&self) -> usize {
        self.nodes[self.output()].channels
    }

    /// Appends a node.
    pub fn push(&mut self, op: Op, inputs: &[NodeId], channels: usize) -> NodeId {
        self.nodes.push(Node { op, inputs: inputs.to_vec(), channels });
        self.nodes.len() - 1
    }

    /// Appends a parameter.
    pub fn parameter(&mut self, name: impl Into<String>, shape: &[usize], kind: ParameterKind) -> ParameterId {
        self.parameters.push(ParameterSpec { name: name.into(), shape: shape.to_vec(), kind });
        self.parameters.len() - 1
    }

    /// The photos.
    pub fn input(&mut self) -> NodeId {
        self.push(Op::Input, &[], 3)
    }

    /// A convolution whose parameters are `NAME.weight` and `NAME.bias`.
    pub fn conv(&mut self, name: &str, input: NodeId, spec: ConvSpec, bias: bool) -> NodeId {
        let shape = [spec.outputs, spec.inputs / spec.groups, spec.kernel, spec.kernel];
        let weight = self.parameter(format!("{name}.weight"), &shape, ParameterKind::Weight);
        let bias = bias.then(|| self.parameter(format!("{name}.bias"), &[spec.outputs], ParameterKind::Bias));
        self.push(Op::Conv { spec, weight, bias }, &[input], spec.outputs)
    }

    /// A batch-norm whose parameters are `NAME.{weight,bias,running_mean,running_var}`.
    pub fn batch_norm(&mut self, name: &str, input: NodeId, epsilon: f64, momentum: f64) -> NodeId {
        let channels = self.nodes[input].channels;
        let mut tensor = |part: &str, kind| self.parameter(format!("{name}.{part}"), &[channels], kind);
        let weight = tensor("weight", ParameterKind::NormScale);
        let bias = tensor("bias", ParameterKind::NormShift);
        let mean = tensor("running_mean", ParameterKind::RunningMean);
        let variance = tensor("running_var", ParameterKind::RunningVariance);
        self.push(Op::BatchNorm { weight, bias, mean, variance, epsilon, momentum }, &[input], channels)
    }

    /// A layer-norm whose parameters are `NAME.{weight,bias}`.
    pub fn layer_norm(&mut self, name: &str, input: NodeId, epsilon: f64) -> NodeId {
        let channels = self.nodes[input].channels;
        let weight = self.parameter(format!("{name}.weight"), &[channels], ParameterKind::NormScale);
        let bias = self.parameter(format!("{name}.bias"), &[channels], ParameterKind::NormShift);
        self.push(Op::LayerNorm { weight, bias, epsilon }, &[input], channels)
    }

    /// An activation.
    pub fn activation(&mut self, input: NodeId, activation: Activation) -> NodeId {
        self.push(Op::Activation(activation), &[input], self.nodes[input].channels)
    }

    /// The sum of two maps.
    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.push(Op::Add, &[a, b], self.nodes[a].channels)
    }

    /// Ends a stage.
    pub fn end_stage(&mut self, node: NodeId) {
        self.stages.push(node);
    }
}

#[cfg(test)]
mod tests;
