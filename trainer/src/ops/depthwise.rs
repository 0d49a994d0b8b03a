//! Depthwise convolution with folded batch-norm and ReLU6, one output row at a time.

use pulp::{Arch, Scalar, Simd, WithSimd};

/// A depthwise convolution with batch-norm folded into weight and bias.
#[derive(Debug, Clone)]
pub struct Depthwise {
    /// `[kernel * kernel, channels]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
    kernel: usize,
    stride: usize,
}

impl Depthwise {
    /// From `weight` in the order `[channel, kernel row, kernel column]` (PyTorch's).
    ///
    /// # Panics
    /// Where the lengths disagree, or kernel and stride are not one of 3, 5 and 1, 2.
    pub fn new(weight: &[f32], bias: Vec<f32>, kernel: usize, stride: usize) -> Self {
        let (channels, taps) = (bias.len(), kernel * kernel);
        assert_eq!(weight.len(), channels * taps, "weight of {channels} x {taps}");
        assert!(matches!((kernel, stride), (3 | 5, 1 | 2)), "kernel {kernel}, stride {stride}");
        let transposed = (0..taps).flat_map(|t| (0..channels).map(move |c| weight[c * taps + t])).collect();
        Self { weight: transposed, bias, kernel, stride }
    }

    /// Channels in and out.
    pub fn channels(&self) -> usize {
        self.bias.len()
    }

    /// Side of the window.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Step of the window.
    pub fn stride(&self) -> usize {
        self.stride
    }
}

/// One output row: `rows` are the `kernel` padded input rows `[columns, channels]` that the window covers, `output` is
/// `[output columns, channels]`.
///
/// # Panics
/// Where the number of rows is not the kernel's or a row is shorter than the output row needs.
pub fn depthwise_row(arch: Arch, op: &Depthwise, rows: &[&[f32]], output: &mut [f32]) {
    match (op.kernel, op.stride) {
        (3, 1) => arch.dispatch(Row::<3, 1>::new(op, rows, output)),
        (3, 2) => arch.dispatch(Row::<3, 2>::new(op, rows, output)),
        (5, 1) => arch.dispatch(Row::<5, 1>::new(op, rows, output)),
        (5, 2) => arch.dispatch(Row::<5, 2>::new(op, rows, output)),
        _ => unreachable!("checked when the operation was made"),
    }
}

/// Output columns computed together: neighbours share most of their input.
const TILE: usize = 4;

struct Row<'a, const K: usize, const S: usize> {
    op: &'a Depthwise,
    rows: [&'a [f32]; K],
    output: &'a mut [f32],
}

impl<'a, const K: usize, const S: usize> Row<'a, K, S> {
    /// Checks all lengths, so that the kernel may read without checks.
    fn new(op: &'a Depthwise, rows: &[&'a [f32]], output: &'a mut [f32]) -> Self {
        let rows: [&[f32]; K] = rows.try_into().expect("as many rows as the kernel has");
        let columns = output.len() / op.channels();
        assert_eq!(output.len(), columns * op.channels());
        let needed = if columns == 0 { 0 } else { ((columns - 1) * S + K) * op.channels() };
        assert!(rows.iter().all(|row| row.len() >= needed), "rows of at least {needed} values");
        Self { op, rows, output }
    }

    fn columns(&self) -> usize {
        self.output.len() / self.op.channels()
    }

    /// All columns of the channels `from..from + lanes`.
    ///
    /// # Safety
    /// `from + lanes <= channels`.
    #[inline(always)]
    unsafe fn channel_block<V: Simd>(&mut self, simd: V, from: usize) {
        let channels = self.op.channels();
        let load = |slice: &[f32], at: usize| {
            debug_assert!(at + size_of::<V::f32s>() / size_of::<f32>() <= slice.len());
            // SAFETY: `new` checked the lengths for all columns and rows; the caller keeps `from` in range.
            unsafe { slice.as_ptr().add(at).cast::<V::f32s>().read_unaligned() }
        };
        let weight: [[V::f32s; K]; K] =
            std::array::from_fn(|y| std::array::from_fn(|x| load(&self.op.weight, (y * K + x) * channels + from)));
        let bias = load(&self.op.bias, from);
        let (zero, six) = (simd.splat_f32s(0.0), simd.splat_f32s(6.0));
        let columns = self.columns();
        let output = self.output.as_mut_ptr();
        let store = |column: usize, value: V::f32s| {
            let value = simd.min_f32s(simd.max_f32s(value, zero), six);
            // SAFETY: column < columns and from + lanes <= channels.
            unsafe { output.add(column * channels + from).cast::<V::f32s>().write_unaligned(value) }
        };
        let mut column = 0;
        while column + TILE <= columns {
            let mut sums = [bias; TILE];
            for (row, weight) in self.rows.iter().zip(&weight) {
                let start = column * S * channels + from;
                for x in 0..(TILE - 1) * S + K {
                    let pixel = load(row, start + x * channels);
                    for (tile, sum) in sums.iter_mut().enumerate() {
                        if x >= tile * S && x - tile * S < K {
                            *sum = simd.mul_add_e_f32s(weight[x - tile * S], pixel, *sum);
                        }
                    }
                }
            }
            for (tile, sum) in sums.into_iter().enumerate() {
                store(column + tile, sum);
            }
            column += TILE;
        }
        for column in column..columns {
            let mut sum = bias;
            for (row, weight) in self.rows.iter().zip(&weight) {
                for (x, weight) in weight.iter().enumerate() {
                    sum = simd.mul_add_e_f32s(*weight, load(row, (column * S + x) * channels + from), sum);
                }
            }
            store(column, sum);
        }
    }
}

impl<const K: usize, const S: usize> WithSimd for Row<'_, K, S> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(mut self, simd: V) {
        let lanes = size_of::<V::f32s>() / size_of::<f32>();
        let channels = self.op.channels();
        let mut from = 0;
        while from + lanes <= channels {
            // SAFETY: the loop's condition.
            unsafe { self.channel_block(simd, from) };
            from += lanes;
        }
        for from in from..channels {
            // SAFETY: one lane, from < channels.
            unsafe { self.channel_block(Scalar::new(), from) };
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    fn wave(len: usize, step: f32) -> Vec<f32> {
        (0..len).map(|i| (i as f32 * step).sin() * 2.0).collect()
    }

    /// One output value by the definition.
    fn reference(op: &Depthwise, rows: &[Vec<f32>], column: usize, channel: usize) -> f32 {
        let (kernel, channels) = (op.kernel, op.channels());
        let mut sum = f64::from(op.bias[channel]);
        for (y, row) in rows.iter().enumerate() {
            for x in 0..kernel {
                let pixel = row[(column * op.stride + x) * channels + channel];
                sum += f64::from(op.weight[(y * kernel + x) * channels + channel]) * f64::from(pixel);
            }
        }
        sum.clamp(0.0, 6.0) as f32
    }

    #[test]
    fn every_path_agrees_with_the_definition() {
        let mut paths = vec![Arch::Scalar, Arch::new()];
        #[cfg(target_arch = "x86_64")]
        paths.extend(pulp::x86::V3::try_new().map(Arch::V3));
        // Channels and columns that fill no vector and no tile, or several.
        for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2)] {
            for (channels, columns) in [(1, 1), (7, 3), (16, 4), (37, 9), (64, 6)] {
                let op = Depthwise::new(&wave(channels * kernel * kernel, 0.7), wave(channels, 0.3), kernel, stride);
                let padded = (columns - 1) * stride + kernel;
                let rows: Vec<_> = (0..kernel).map(|y| wave(padded * channels, 0.11 + y as f32 * 0.02)).collect();
                let slices: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
                for arch in &paths {
                    let mut output = vec![f32::NAN; columns * channels];
                    depthwise_row(*arch, &op, &slices, &mut output);
                    for (i, value) in output.into_iter().enumerate() {
                        let expected = reference(&op, &rows, i / channels, i % channels);
                        assert_abs_diff_eq!(value, expected, epsilon = 2e-5);
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "rows of at least")]
    fn a_row_that_is_too_short_is_refused() {
        let op = Depthwise::new(&[0.0; 9], vec![0.0], 3, 1);
        depthwise_row(Arch::new(), &op, &[&[0.0; 3], &[0.0; 3], &[0.0; 2]], &mut [0.0]);
    }
}
