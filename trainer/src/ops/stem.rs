//! The first convolution: 3x3, stride 2, from bytes.

use super::{pointwise::relu6_bias, *};
use crate::models::Normalisation;

/// Kernel side of the stem.
const KERNEL: usize = 3;
/// Stride of the stem.
const STRIDE: usize = 2;
/// Red, green, blue.
const COLOURS: usize = 3;
/// Pixels gathered at a time: 27 values each stay in the second-level cache.
const ROWS: usize = 8;

/// A 3x3 convolution of stride 2 on RGB bytes, with normalisation, folded batch-norm and ReLU6.
#[derive(Debug, Clone)]
pub struct Stem {
    product: Pointwise,
    /// Per colour, a pixel byte's normalised value.
    tables: [Vec<f32>; COLOURS],
}

impl Stem {
    /// From `weight` in the order `[output, colour, kernel row, kernel column]` (PyTorch's).
    pub fn new(weight: &[f32], bias: Vec<f32>, normalisation: &Normalisation) -> Self {
        let taps = KERNEL * KERNEL;
        let reordered: Vec<f32> = weight
            .chunks_exact(COLOURS * taps)
            .flat_map(|filter| (0..taps).flat_map(move |t| (0..COLOURS).map(move |c| filter[c * taps + t])))
            .collect();
        let table = |colour: usize| {
            let (mean, deviation) = (normalisation.mean[colour], normalisation.deviation[colour]);
            (0..=u8::MAX).map(|byte| (f32::from(byte) - mean) / deviation).collect()
        };
        Self { product: Pointwise::new(&reordered, bias, COLOURS * taps), tables: std::array::from_fn(table) }
    }

    /// From `size` x `size` RGB bytes to the feature map; writes to `output` and says its shape.
    ///
    /// # Panics
    /// Where `pixels` is not a square of that size.
    pub fn forward(&self, pixels: &[u8], size: usize, output: &mut Vec<f32>) -> Grid {
        assert_eq!(pixels.len(), size * size * COLOURS);
        let padding = same_padding(size, KERNEL, STRIDE);
        let side = padding.output;
        let channels = self.product.outputs();
        output.resize(side * side * channels, 0.0);
        let mut gathered = vec![0.0; ROWS.min(side) * side * self.product.inputs()];
        for (strip, output) in output.chunks_mut(ROWS * side * channels).enumerate() {
            let rows = output.len() / (side * channels);
            let gathered = &mut gathered[..rows * side * self.product.inputs()];
            for (i, window) in gathered.chunks_exact_mut(self.product.inputs()).enumerate() {
                let (row, column) = (strip * ROWS + i / side, i % side);
                self.gather(pixels, size, (row * STRIDE, column * STRIDE), padding.before, window);
            }
            self.product.multiply(gathered, output, false);
            relu6_bias(output, &self.product.bias);
        }
        Grid { rows: side, columns: side, channels }
    }

    /// The window whose first padded pixel is `(row, column)`; zero outside the image.
    fn gather(&self, pixels: &[u8], size: usize, (row, column): (usize, usize), before: usize, window: &mut [f32]) {
        for (tap, value) in window.chunks_exact_mut(COLOURS).enumerate() {
            let (y, x) = (row + tap / KERNEL, column + tap % KERNEL);
            let inside = y >= before && x >= before && y - before < size && x - before < size;
            if inside {
                let at = ((y - before) * size + x - before) * COLOURS;
                for ((value, byte), table) in value.iter_mut().zip(&pixels[at..at + COLOURS]).zip(&self.tables) {
                    *value = table[usize::from(*byte)];
                }
            } else {
                value.fill(0.0);
            }
        }
    }
}
