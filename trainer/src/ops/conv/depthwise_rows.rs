//! One row of a depthwise convolution and of both its gradients, vectorised over channels.
//!
//! All weights of a block of channels are in registers, and neighbouring columns are computed together, because they share
//! most of what they read. Rows of the window that lie outside the map are `None`.

use pulp::{Arch, Scalar, Simd, WithSimd};

use super::super::lanes::{lanes, load, store};

/// A row for one block of channels.
trait ChannelBlock {
    fn channels(&self) -> usize;

    /// # Safety
    /// `from + lanes` channels are there.
    unsafe fn run<V: Simd>(&mut self, simd: V, from: usize);
}

struct Blocks<B>(B);

impl<B: ChannelBlock> WithSimd for Blocks<B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<V: Simd>(mut self, simd: V) {
        let (channels, lanes) = (self.0.channels(), lanes::<V>());
        let mut from = 0;
        while from + lanes <= channels {
            // SAFETY: the loop's condition.
            unsafe { self.0.run(simd, from) };
            from += lanes;
        }
        for from in from..channels {
            // SAFETY: one lane, from < channels.
            unsafe { self.0.run(Scalar::new(), from) };
        }
    }
}

/// Weights of one block of channels.
///
/// # Safety
/// `weight` is `[K * K, channels]`, and `from + lanes` channels are there.
#[inline(always)]
unsafe fn weights<V: Simd, const K: usize>(weight: &[f32], channels: usize, from: usize) -> [[V::f32s; K]; K] {
    let weight = weight.as_ptr();
    // SAFETY: the caller's.
    std::array::from_fn(|y| std::array::from_fn(|x| unsafe { load::<V>(weight, (y * K + x) * channels + from) }))
}

/// Columns of the output computed together.
const TILE: usize = 4;

/// `output[j] = sum w[y][x] rows[y][j S + x]`, rows being padded.
pub(super) struct Forward<'a, const K: usize, const S: usize> {
    pub(super) weight: &'a [f32],
    pub(super) rows: [Option<&'a [f32]>; K],
    pub(super) output: &'a mut [f32],
    pub(super) channels: usize,
}

impl<const K: usize, const S: usize> Forward<'_, K, S> {
    /// # Panics
    /// Where weights or rows are too short.
    pub(super) fn run(self, arch: Arch) {
        let columns = self.output.len() / self.channels;
        assert!(columns > 0 && columns * self.channels == self.output.len());
        check_rows(&self.rows, ((columns - 1) * S + K) * self.channels);
        assert_eq!(self.weight.len(), K * K * self.channels);
        arch.dispatch(Blocks(self));
    }

    /// # Safety
    /// Columns `column..column + T` and channels `from..from + lanes` are there.
    #[inline(always)]
    unsafe fn tile<V: Simd, const T: usize>(
        &mut self,
        simd: V,
        weight: &[[V::f32s; K]; K],
        column: usize,
        from: usize,
    ) {
        let channels = self.channels;
        let mut sums = [simd.splat_f32s(0.0); T];
        for (row, weight) in self.rows.iter().zip(weight) {
            let Some(row) = row else { continue };
            let start = column * S * channels + from;
            for x in 0..(T - 1) * S + K {
                // SAFETY: `run` checked the rows' lengths.
                let pixel = unsafe { load::<V>(row.as_ptr(), start + x * channels) };
                for (tile, sum) in sums.iter_mut().enumerate() {
                    if x >= tile * S && x - tile * S < K {
                        *sum = simd.mul_add_e_f32s(weight[x - tile * S], pixel, *sum);
                    }
                }
            }
        }
        let output = self.output.as_mut_ptr();
        for (tile, sum) in sums.into_iter().enumerate() {
            // SAFETY: the caller's.
            unsafe { store::<V>(output, (column + tile) * channels + from, sum) };
        }
    }
}

impl<const K: usize, const S: usize> ChannelBlock for Forward<'_, K, S> {
    fn channels(&self) -> usize {
        self.channels
    }

    #[inline(always)]
    unsafe fn run<V: Simd>(&mut self, simd: V, from: usize) {
        let columns = self.output.len() / self.channels;
        // SAFETY: `run` checked the weights; the loops keep to the columns.
        unsafe {
            let weight = weights::<V, K>(self.weight, self.channels, from);
            let mut column = 0;
            while column + TILE <= columns {
                self.tile::<V, TILE>(simd, &weight, column, from);
                column += TILE;
            }
            for column in column..columns {
                self.tile::<V, 1>(simd, &weight, column, from);
            }
        }
    }
}

fn check_rows<const K: usize>(rows: &[Option<&[f32]>; K], needed: usize) {
    assert!(rows.iter().flatten().all(|row| row.len() >= needed), "rows of at least {needed} values");
}

/// A row of input gradients: `output[j] = sum w[y][x] rows[y][(j + pad - x) / S]` over the x that divide.
///
/// Rows are output gradients with `K - 1` zero columns before them and enough behind; `rows[y]` is the one that tap row y
/// reads, where there is one. `T S` columns are computed together.
pub(super) struct InputGradient<'a, const K: usize, const S: usize, const T: usize> {
    pub(super) weight: &'a [f32],
    pub(super) rows: [Option<&'a [f32]>; K],
    pub(super) output: &'a mut [f32],
    pub(super) channels: usize,
    /// Zeros left of the input.
    pub(super) pad: usize,
}

impl<const K: usize, const S: usize, const T: usize> InputGradient<'_, K, S, T> {
    /// Output columns that one input column reads at most.
    const REACH: usize = (K - 1) / S + 1;

    /// Columns that the padded rows must have.
    pub(super) fn row_columns(columns: usize, pad: usize) -> usize {
        (columns - 1 + pad) / S + T + K
    }

    /// # Panics
    /// Where weights or rows are too short.
    pub(super) fn run(self, arch: Arch) {
        let columns = self.output.len() / self.channels;
        assert!(columns > 0 && columns * self.channels == self.output.len());
        check_rows(&self.rows, Self::row_columns(columns, self.pad) * self.channels);
        assert_eq!(self.weight.len(), K * K * self.channels);
        arch.dispatch(Blocks(self));
    }
}

impl<const K: usize, const S: usize, const T: usize> ChannelBlock for InputGradient<'_, K, S, T> {
    fn channels(&self) -> usize {
        self.channels
    }

    #[inline(always)]
    unsafe fn run<V: Simd>(&mut self, simd: V, from: usize) {
        let (channels, pad) = (self.channels, self.pad);
        let columns = self.output.len() / channels;
        // SAFETY: `run` checked the weights.
        let weight = unsafe { weights::<V, K>(self.weight, channels, from) };
        let output = self.output.as_mut_ptr();
        for m in (pad / S..=(columns - 1 + pad) / S).step_by(T) {
            let mut sums = [[simd.splat_f32s(0.0); S]; T];
            for (row, weight) in self.rows.iter().zip(&weight) {
                let Some(row) = row else { continue };
                // Column m is at m + K - 1.
                let start = (m + K - Self::REACH) * channels + from;
                for x in 0..T + Self::REACH - 1 {
                    // SAFETY: `run` checked the rows' lengths.
                    let pixel = unsafe { load::<V>(row.as_ptr(), start + x * channels) };
                    for (tile, sums) in sums.iter_mut().enumerate() {
                        let back = (tile + Self::REACH - 1).wrapping_sub(x);
                        for (phase, sum) in sums.iter_mut().enumerate() {
                            let tap = back.wrapping_mul(S).wrapping_add(phase);
                            if back < Self::REACH && tap < K {
                                *sum = simd.mul_add_e_f32s(weight[tap], pixel, *sum);
                            }
                        }
                    }
                }
            }
            for (tile, sums) in sums.into_iter().enumerate() {
                for (phase, sum) in sums.into_iter().enumerate() {
                    let column = (S * (m + tile) + phase).wrapping_sub(pad);
                    if column < columns {
                        // SAFETY: just checked; from + lanes <= channels.
                        unsafe { store::<V>(output, column * channels + from, sum) };
                    }
                }
            }
        }
    }
}

/// Adds a row's share of the weight gradients: `sums[y][x] += sum over j of gradient[j] rows[y][j S + x]`.
pub(super) struct WeightGradient<'a, const K: usize, const S: usize> {
    /// Of the output.
    pub(super) gradient: &'a [f32],
    /// Padded rows of the input.
    pub(super) rows: [Option<&'a [f32]>; K],
    /// `[K * K, channels]`.
    pub(super) sums: &'a mut [f32],
    pub(super) channels: usize,
}

impl<const K: usize, const S: usize> WeightGradient<'_, K, S> {
    /// # Panics
    /// Where sums or rows are too short.
    pub(super) fn run(self, arch: Arch) {
        let columns = self.gradient.len() / self.channels;
        assert!(columns > 0 && columns * self.channels == self.gradient.len());
        check_rows(&self.rows, ((columns - 1) * S + K) * self.channels);
        assert_eq!(self.sums.len(), K * K * self.channels);
        arch.dispatch(Blocks(self));
    }

    /// # Safety
    /// Columns `column..column + T` and channels `from..from + lanes` are there.
    #[inline(always)]
    unsafe fn tile<V: Simd, const T: usize>(&self, simd: V, sums: &mut [[V::f32s; K]; K], column: usize, from: usize) {
        let channels = self.channels;
        let gradient = self.gradient.as_ptr();
        // SAFETY: the caller's.
        let gradient: [V::f32s; T] =
            std::array::from_fn(|t| unsafe { load::<V>(gradient, (column + t) * channels + from) });
        for (row, sums) in self.rows.iter().zip(sums) {
            let Some(row) = row else { continue };
            let start = column * S * channels + from;
            for x in 0..(T - 1) * S + K {
                // SAFETY: `run` checked the rows' lengths.
                let pixel = unsafe { load::<V>(row.as_ptr(), start + x * channels) };
                for (tile, gradient) in gradient.iter().enumerate() {
                    if x >= tile * S && x - tile * S < K {
                        let sum = &mut sums[x - tile * S];
                        *sum = simd.mul_add_e_f32s(*gradient, pixel, *sum);
                    }
                }
            }
        }
    }
}

impl<const K: usize, const S: usize> ChannelBlock for WeightGradient<'_, K, S> {
    fn channels(&self) -> usize {
        self.channels
    }

    #[inline(always)]
    unsafe fn run<V: Simd>(&mut self, simd: V, from: usize) {
        let channels = self.channels;
        let columns = self.gradient.len() / channels;
        // SAFETY: `run` checked the lengths; the loops keep to the columns.
        unsafe {
            let mut sums = weights::<V, K>(self.sums, channels, from);
            let mut column = 0;
            while column + TILE <= columns {
                self.tile::<V, TILE>(simd, &mut sums, column, from);
                column += TILE;
            }
            for column in column..columns {
                self.tile::<V, 1>(simd, &mut sums, column, from);
            }
            let into = self.sums.as_mut_ptr();
            for (y, sums) in sums.into_iter().enumerate() {
                for (x, sum) in sums.into_iter().enumerate() {
                    store::<V>(into, (y * K + x) * channels + from, sum);
                }
            }
        }
    }
}
