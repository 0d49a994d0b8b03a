//! The arithmetic of batch normalisation between the passes over maps: from sums to scale and shift, and from the sums of
//! the backward pass to the factors by which the gradient of the raw map is put together
//! (S. Ioffe and C. Szegedy, ICML 2015).

use super::ChannelSums;

impl ChannelSums {
    /// Mean and biased variance per channel of a map of so many pixels, from the sums of `y` and `y^2`.
    pub fn moments(&self, pixels: usize) -> (Vec<f64>, Vec<f64>) {
        let count = pixels as f64;
        let mean: Vec<f64> = self.sum.iter().map(|sum| sum / count).collect();
        let variance = self.product.iter().zip(&mean).map(|(squares, mean)| (squares / count - mean * mean).max(0.0));
        let variance = variance.collect();
        (mean, variance)
    }
}

/// A batch-norm with its statistics: `z = scale y + shift`.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    /// `weight / sqrt(variance + epsilon)` per channel.
    pub scale: Vec<f32>,
    /// `bias - mean scale` per channel.
    pub shift: Vec<f32>,
    /// Mean per channel.
    pub mean: Vec<f64>,
    /// `1 / sqrt(variance + epsilon)` per channel.
    pub inverse: Vec<f64>,
}

/// Gradients of a batch-norm.
#[derive(Debug, Clone, PartialEq)]
pub struct NormGradients {
    /// Of its scale (PyTorch's weight).
    pub weight: Vec<f32>,
    /// Of its shift (PyTorch's bias).
    pub bias: Vec<f32>,
    /// a, b, c of `dy = a dz + b y + c`.
    pub factors: [Vec<f32>; 3],
}

impl Normalisation {
    /// With a batch's statistics or the running ones.
    pub fn new(weight: &[f32], bias: &[f32], mean: Vec<f64>, variance: &[f64], epsilon: f64) -> Self {
        let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + epsilon).sqrt()).collect();
        let scale: Vec<f64> = weight.iter().zip(&inverse).map(|(w, inverse)| f64::from(*w) * inverse).collect();
        let shift = bias.iter().zip(&mean).zip(&scale).map(|((b, m), s)| (f64::from(*b) - m * s) as f32).collect();
        Self { scale: scale.iter().map(|s| *s as f32).collect(), shift, mean, inverse }
    }

    /// From the sums of `dz` and `dz y`. `pixels` is the number of pixels where the statistics are the batch's, so that
    /// they have a gradient of their own, and `None` where they are fixed.
    ///
    /// With x = (y - mean) inverse: `dweight = sum dz x`, `dbias = sum dz`, and
    /// `dy = scale (dz - mean(dz) - x mean(dz x))`.
    pub fn backward(&self, sums: &ChannelSums, pixels: Option<usize>) -> NormGradients {
        let channels = self.mean.len();
        let mut gradients =
            NormGradients { weight: vec![0.0; channels], bias: vec![0.0; channels], factors: Default::default() };
        gradients.factors = [self.scale.clone(), vec![0.0; channels], vec![0.0; channels]];
        for c in 0..channels {
            let (mean, inverse, scale) = (self.mean[c], self.inverse[c], f64::from(self.scale[c]));
            let weight = (sums.product[c] - mean * sums.sum[c]) * inverse;
            gradients.weight[c] = weight as f32;
            gradients.bias[c] = sums.sum[c] as f32;
            if let Some(pixels) = pixels {
                let slope = -scale * inverse * weight / pixels as f64;
                gradients.factors[1][c] = slope as f32;
                gradients.factors[2][c] = (-scale * sums.sum[c] / pixels as f64 - slope * mean) as f32;
            }
        }
        gradients
    }
}

/// Moves running statistics towards a batch's: `(1 - momentum) running + momentum batch`, with the unbiased variance.
pub fn update_running(running: (&mut [f32], &mut [f32]), batch: (&[f64], &[f64]), pixels: usize, momentum: f64) {
    let unbiased = pixels as f64 / (pixels as f64 - 1.0).max(1.0);
    for ((running, batch), factor) in [(running.0, batch.0), (running.1, batch.1)].into_iter().zip([1.0, unbiased]) {
        for (running, batch) in running.iter_mut().zip(batch) {
            *running = ((1.0 - momentum) * f64::from(*running) + momentum * batch * factor) as f32;
        }
    }
}
