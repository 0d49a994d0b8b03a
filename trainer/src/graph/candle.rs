//! A graph on candle's own operations: any device, and the reference that the fused operations are tested against.
//!
//! Where candle has no operation, or one without a gradient (max-pool with padding), it is put together from others.

use candle_core::{DType, Result, Tensor};

use super::{ConvSpec, Graph, NodeId, Op, Pad};
use crate::ops::{Activation, same_padding};

/// How batch-norm gets its statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistics {
    /// Those of the batch; the running ones follow.
    Batch,
    /// The running ones.
    Running,
}

/// New running statistics of one batch-norm.
#[derive(Debug, Clone)]
pub struct RunningUpdate {
    /// Which batch-norm.
    pub node: NodeId,
    /// The batch's mean `[channels]`.
    pub mean: Tensor,
    /// The batch's unbiased variance `[channels]`.
    pub variance: Tensor,
}

/// Runs the nodes after `from` up to `to`. `map` is the output of `from`, `[n, h, w, c]`; so is the result. Batch-norms
/// that used a batch's statistics are told about in `updates`.
///
/// # Errors
/// Shapes disagree, or the device fails.
pub fn run(
    graph: &Graph,
    parameters: &[Tensor],
    (from, to): (NodeId, NodeId),
    map: &Tensor,
    statistics: Statistics,
    updates: &mut Vec<RunningUpdate>,
) -> Result<Tensor> {
    let mut maps: Vec<Option<Tensor>> = vec![None; graph.nodes.len()];
    maps[from] = Some(map.permute((0, 3, 1, 2))?.contiguous()?);
    let last = last_readers(graph);
    for id in from + 1..=to {
        let node = &graph.nodes[id];
        let input = |i: usize| {
            let input = node.inputs[i];
            maps[input]
                .as_ref()
                .ok_or_else(|| candle_core::Error::Msg(format!("node {id} reads {input}, which is cut off")))
        };
        let parameter = |id: usize| &parameters[id];
        let output = match &node.op {
            Op::Input => candle_core::bail!("node {id} is a second input"),
            Op::Conv { spec, weight, bias } => convolution(input(0)?, parameter(*weight), bias.map(parameter), spec)?,
            Op::BatchNorm { weight, bias, mean, variance, epsilon, .. } => {
                let x = input(0)?;
                let (mean, variance) = match statistics {
                    Statistics::Running => (parameter(*mean).detach(), parameter(*variance).detach()),
                    Statistics::Batch => {
                        let (mean, variance) = moments(x)?;
                        let count = (x.elem_count() / x.dim(1)?) as f64;
                        updates.push(RunningUpdate {
                            node: id,
                            mean: mean.detach(),
                            variance: (variance.detach() * (count / (count - 1.0).max(1.0)))?,
                        });
                        (mean, variance)
                    }
                };
                let scale = (parameter(*weight) / (variance + *epsilon)?.sqrt()?)?;
                x.broadcast_sub(&column(&mean)?)?
                    .broadcast_mul(&column(&scale)?)?
                    .broadcast_add(&column(parameter(*bias))?)?
            }
            Op::LayerNorm { weight, bias, epsilon } => {
                let x = input(0)?;
                let centred = x.broadcast_sub(&x.mean_keepdim(1)?)?;
                let deviation = (centred.sqr()?.mean_keepdim(1)? + *epsilon)?.sqrt()?;
                centred
                    .broadcast_div(&deviation)?
                    .broadcast_mul(&column(parameter(*weight))?)?
                    .broadcast_add(&column(parameter(*bias))?)?
            }
            Op::Activation(activation) => activate(input(0)?, *activation)?,
            Op::MaxPool { kernel, stride, pad } => max_pool(input(0)?, *kernel, *stride, *pad)?,
            Op::GlobalPool => input(0)?.mean_keepdim(3)?.mean_keepdim(2)?,
            Op::Add => (input(0)? + input(1)?)?,
            Op::Gate => input(0)?.broadcast_mul(input(1)?)?,
            Op::ChannelScale { weight } => input(0)?.broadcast_mul(&column(parameter(*weight))?)?,
        };
        maps[id] = Some(output);
        for input in &node.inputs {
            if last[*input] == id {
                maps[*input] = None;
            }
        }
    }
    let output = maps[to].take().ok_or_else(|| candle_core::Error::Msg(format!("node {to} was not reached")))?;
    output.permute((0, 2, 3, 1))?.contiguous()
}

/// Per node, the last node that reads it.
pub(super) fn last_readers(graph: &Graph) -> Vec<NodeId> {
    let mut last = vec![0; graph.nodes.len()];
    for (id, node) in graph.nodes.iter().enumerate() {
        for input in &node.inputs {
            last[*input] = id;
        }
    }
    last
}

/// `[c]` as `[1, c, 1, 1]`.
fn column(values: &Tensor) -> Result<Tensor> {
    values.reshape((1, values.elem_count(), 1, 1))
}

/// Mean and biased variance per channel of `[n, c, h, w]`.
fn moments(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let mean = x.mean_keepdim(0)?.mean_keepdim(2)?.mean_keepdim(3)?;
    let variance = x.broadcast_sub(&mean)?.sqr()?.mean((0, 2, 3))?;
    Ok((mean.flatten_all()?, variance))
}

fn convolution(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, spec: &ConvSpec) -> Result<Tensor> {
    let (_, _, rows, columns) = x.dims4()?;
    let (x, pad) = match spec.pad {
        Pad::Sides(pad) => (x.clone(), pad),
        Pad::Same => {
            let down = same_padding(rows, spec.kernel, spec.stride);
            let right = same_padding(columns, spec.kernel, spec.stride);
            let x = x.pad_with_zeros(2, down.before, down.after)?.pad_with_zeros(3, right.before, right.after)?;
            (x, 0)
        }
    };
    let y = if spec.groups == spec.inputs && spec.groups == spec.outputs && spec.groups > 1 {
        depthwise(&x, weight, spec, pad)?
    } else {
        x.conv2d(weight, pad, spec.stride, 1, spec.groups)?
    };
    match bias {
        Some(bias) => y.broadcast_add(&column(bias)?),
        None => Ok(y),
    }
}

/// One channel at a time would be a thousand small convolutions: a sum over the window's places instead.
fn depthwise(x: &Tensor, weight: &Tensor, spec: &ConvSpec, pad: usize) -> Result<Tensor> {
    let x = x.pad_with_zeros(2, pad, pad)?.pad_with_zeros(3, pad, pad)?;
    let (_, channels, rows, columns) = x.dims4()?;
    let (out_rows, out_columns) = ((rows - spec.kernel) / spec.stride + 1, (columns - spec.kernel) / spec.stride + 1);
    let mut sum: Option<Tensor> = None;
    for place in 0..spec.kernel * spec.kernel {
        let (row, column) = (place / spec.kernel, place % spec.kernel);
        let seen = strided(&strided(&x, 2, row, spec.stride, out_rows)?, 3, column, spec.stride, out_columns)?;
        let factor = weight.narrow(2, row, 1)?.narrow(3, column, 1)?.reshape((1, channels, 1, 1))?;
        let term = seen.broadcast_mul(&factor)?;
        sum = Some(match sum {
            Some(sum) => (sum + term)?,
            None => term,
        });
    }
    sum.ok_or_else(|| candle_core::Error::Msg("a window without a place".to_owned()))
}

/// Every `step`-th index of `dim` from `start` on, `count` of them.
fn strided(x: &Tensor, dim: usize, start: usize, step: usize, count: usize) -> Result<Tensor> {
    if step == 1 {
        return x.narrow(dim, start, count);
    }
    let indices: Vec<u32> = (0..count).map(|i| (start + i * step) as u32).collect();
    x.contiguous()?.index_select(&Tensor::new(indices, x.device())?, dim)
}

/// The first of equal values wins, as in PyTorch.
fn max_pool(x: &Tensor, kernel: usize, stride: usize, pad: usize) -> Result<Tensor> {
    let around = |x: &Tensor, dim: usize| -> Result<Tensor> {
        if pad == 0 {
            return Ok(x.clone());
        }
        let mut dims = x.dims().to_vec();
        dims[dim] = pad;
        let edge = Tensor::full(f32::MIN, dims, x.device())?;
        Tensor::cat(&[&edge, x, &edge], dim)
    };
    let x = around(&around(x, 2)?, 3)?;
    let (_, _, rows, columns) = x.dims4()?;
    let (out_rows, out_columns) = ((rows - kernel) / stride + 1, (columns - kernel) / stride + 1);
    let mut best: Option<Tensor> = None;
    for place in 0..kernel * kernel {
        let (row, column) = (place / kernel, place % kernel);
        let seen = strided(&strided(&x, 2, row, stride, out_rows)?, 3, column, stride, out_columns)?.contiguous()?;
        best = Some(match best {
            Some(best) => seen.gt(&best)?.where_cond(&seen, &best)?,
            None => seen,
        });
    }
    best.ok_or_else(|| candle_core::Error::Msg("a window without a place".to_owned()))
}

/// candle's relu passes a gradient at 0, PyTorch's does not: the mask is made here.
fn activate(x: &Tensor, activation: Activation) -> Result<Tensor> {
    let mask = |mask: Tensor| mask.to_dtype(DType::F32).map(|mask| mask.detach());
    match activation {
        Activation::Identity => Ok(x.clone()),
        Activation::Relu => x * mask(x.detach().gt(0.0)?)?,
        Activation::Relu6 => {
            let inner = (mask(x.detach().gt(0.0)?)? * mask(x.detach().lt(6.0)?)?)?;
            let above = (mask(x.detach().ge(6.0)?)? * 6.0)?;
            (x * inner)? + above
        }
        Activation::Silu => x * candle_nn::ops::sigmoid(x)?,
        Activation::Sigmoid => candle_nn::ops::sigmoid(x),
        Activation::Gelu => x.gelu_erf(),
    }
}
