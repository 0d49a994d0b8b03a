//! Convolutions for training: forwards, and both gradients.

mod batch;
mod dense;
mod dense_pass;
mod ends;
mod grouped;
mod grouped_lanes;
mod panel;
mod scratch;
mod weights;
mod winograd;
mod winograd_gradient;
mod winograd_plan;
mod winograd_tiles;

pub use dense::Dense;
pub use grouped::Grouped;
pub use winograd::Winograd;

use super::{Activation, BufferPool, ChannelSums, GradSink, GradSource, Source, same_padding};
use crate::graph::{ConvSpec, Pad};

/// A convolution over maps of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Channels, window and groups.
    pub spec: ConvSpec,
    /// Images in the batch.
    pub images: usize,
    /// Rows of the input.
    pub rows: usize,
    /// Columns of the input.
    pub columns: usize,
    /// Rows of the output.
    pub out_rows: usize,
    /// Columns of the output.
    pub out_columns: usize,
    /// Zeros above the input.
    pub pad_top: usize,
    /// Zeros left of the input.
    pub pad_left: usize,
}

impl Geometry {
    /// For a batch of `images` maps of `rows` x `columns`.
    pub fn new(spec: ConvSpec, images: usize, rows: usize, columns: usize) -> Self {
        let side = |size: usize| match spec.pad {
            Pad::Sides(pad) => ((size + 2 * pad - spec.kernel) / spec.stride + 1, pad),
            Pad::Same => {
                let padding = same_padding(size, spec.kernel, spec.stride);
                (padding.output, padding.before)
            }
        };
        let ((out_rows, pad_top), (out_columns, pad_left)) = (side(rows), side(columns));
        Self { spec, images, rows, columns, out_rows, out_columns, pad_top, pad_left }
    }

    /// Pixels of the whole batch's input.
    pub fn in_pixels(&self) -> usize {
        self.images * self.rows * self.columns
    }

    /// Pixels of the whole batch's output.
    pub fn out_pixels(&self) -> usize {
        self.images * self.out_rows * self.out_columns
    }
}

/// What is done to an output value as it is written, when batch-norm is folded into weight and bias.
#[derive(Debug, Clone, Copy)]
pub struct Epilogue<'a> {
    /// Added per channel.
    pub bias: &'a [f32],
    /// A map of the output's shape that is added before the activation.
    pub residual: Option<&'a [f32]>,
    /// Applied last.
    pub activation: Activation,
}

/// A way of computing convolutions of one kind. Uses rayon's current threads. Results do not depend on their number.
/// Weights are PyTorch's `[outputs, inputs / groups, kernel, kernel]`; maps `[images, rows, columns, channels]`.
pub trait ConvKernel: Send + Sync {
    /// `y = x * w`, raw; `sums` gets the sums of y and y^2 per channel.
    fn forward(&self, x: Source<'_>, weight: &[f32], y: &mut [f32], sums: Option<&mut ChannelSums>, pool: &BufferPool);

    /// `y = act(x * w + bias + residual)`: inference.
    fn infer(&self, x: Source<'_>, weight: &[f32], epilogue: Epilogue<'_>, y: &mut [f32], pool: &BufferPool);

    /// The gradients that are asked for: `dx` of the input as it was read, `dw` of the weights (overwritten).
    fn backward(
        &self,
        x: Source<'_>,
        weight: &[f32],
        dy: GradSource<'_>,
        dx: Option<GradSink<'_>>,
        dw: Option<&mut [f32]>,
        pool: &BufferPool,
    );
}

#[cfg(test)]
mod tests;
