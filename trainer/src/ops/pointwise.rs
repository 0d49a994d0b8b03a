//! 1x1 convolutions: a matrix product over pixels.

use super::matrix::multiply;

/// A 1x1 convolution with batch-norm folded into weight and bias.
#[derive(Debug, Clone)]
pub struct Pointwise {
    weight: Vec<f32>,
    /// One per output channel.
    pub bias: Vec<f32>,
    inputs: usize,
}

impl Pointwise {
    /// From `weight` in the order `[output, input]` (PyTorch's) and a bias per output channel.
    ///
    /// # Panics
    /// Where the lengths disagree.
    pub fn new(weight: &[f32], bias: Vec<f32>, inputs: usize) -> Self {
        let outputs = bias.len();
        assert_eq!(weight.len(), inputs * outputs, "weight of {outputs} x {inputs}");
        let transposed = (0..inputs).flat_map(|i| (0..outputs).map(move |o| weight[o * inputs + i])).collect();
        Self { weight: transposed, bias, inputs }
    }

    /// Input channels.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Output channels.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// `y = x W`, or `y += x W` with `accumulate`; `x` is `[pixels, inputs]`, `y` is `[pixels, outputs]`. The bias is the
    /// caller's: it goes with what is fused next.
    ///
    /// # Panics
    /// Where the lengths disagree.
    pub fn multiply(&self, x: &[f32], y: &mut [f32], accumulate: bool) {
        let (inputs, outputs) = (self.inputs, self.outputs());
        let pixels = x.len() / inputs;
        multiply([pixels, outputs, inputs], (x, inputs, 1), &self.weight, y, accumulate);
    }
}

/// min(max(x, 0), 6).
#[inline(always)]
pub fn relu6(x: f32) -> f32 {
    x.clamp(0.0, 6.0)
}

/// Adds a bias per channel to `[pixels, channels]` and clamps to 0..6, in place.
pub fn relu6_bias(x: &mut [f32], bias: &[f32]) {
    for pixel in x.chunks_exact_mut(bias.len()) {
        for (x, b) in pixel.iter_mut().zip(bias) {
            *x = relu6(*x + b);
        }
    }
}
