//! Maximum over windows, with the place of the maximum kept for the gradient.
//!
//! As PyTorch: padding never wins, of equal values the first wins, and what is not a number wins over everything.

use pulp::{Arch, NullaryFnOnce};
use rayon::prelude::*;

use super::{
    BufferPool, ChannelSums, GradSink, GradSource, Source,
    access::{GradReader, PartSums, Reader, Writer},
};

/// A max-pool over maps of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolGeometry {
    /// Images in the batch.
    pub images: usize,
    /// Rows of the input.
    pub rows: usize,
    /// Columns of the input.
    pub columns: usize,
    /// Channels.
    pub channels: usize,
    /// Side of the window, at most 15.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
    /// Padding on every side, at most half the window.
    pub pad: usize,
    /// Rows of the output.
    pub out_rows: usize,
    /// Columns of the output.
    pub out_columns: usize,
}

impl PoolGeometry {
    /// For a batch of `[images, rows, columns, channels]`.
    ///
    /// # Panics
    /// Where the window is larger than 15 or than the padded map, or the padding than half the window.
    pub fn new([images, rows, columns, channels]: [usize; 4], kernel: usize, stride: usize, pad: usize) -> Self {
        assert!(kernel <= 15 && pad <= kernel / 2 && stride > 0, "a max-pool of {kernel}, {stride}, {pad}");
        let side = |size: usize| (size + 2 * pad - kernel) / stride + 1;
        let (out_rows, out_columns) = (side(rows), side(columns));
        Self { images, rows, columns, channels, kernel, stride, pad, out_rows, out_columns }
    }

    /// Values of the output.
    pub fn out_values(&self) -> usize {
        self.images * self.out_rows * self.out_columns * self.channels
    }

    /// The taps of the window at `out` that are within `size` pixels: first tap and its pixel, and their number.
    fn taps(&self, out: usize, size: usize) -> (usize, usize, usize) {
        let first = self.pad.saturating_sub(out * self.stride);
        let pixel = (out * self.stride + first) - self.pad;
        (first, pixel, (size - pixel).min(self.kernel - first))
    }

    /// The windows, of `outs`, that see the pixel `at`, each with the tap that does.
    fn windows(&self, at: usize, outs: usize) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (kernel, stride, place) = (self.kernel, self.stride, at + self.pad);
        let first = (place + 1).saturating_sub(kernel).div_ceil(stride);
        (first..outs)
            .map(move |out| (out, out * stride))
            .take_while(move |(_, start)| *start <= place)
            .map(move |(out, start)| (out, place - start))
    }
}

/// Input rows of a part.
const ROWS: usize = 8;

/// `y = max x` over each window. `argmax`, where asked for, gets the number of the tap that won, row by row of the window.
///
/// # Panics
/// Where the lengths disagree.
pub fn max_pool(g: &PoolGeometry, x: Source<'_>, y: &mut [f32], argmax: Option<&mut [u8]>, pool: &BufferPool) {
    max_pool_on(Arch::new(), g, x, y, argmax, pool);
}

fn max_pool_on(
    arch: Arch,
    g: &PoolGeometry,
    x: Source<'_>,
    y: &mut [f32],
    argmax: Option<&mut [u8]>,
    pool: &BufferPool,
) {
    assert_eq!(y.len(), g.out_values(), "output");
    let reader = Reader::with_arch(arch, x, g.channels);
    let row = g.out_columns * g.channels;
    assert!(argmax.as_ref().is_none_or(|argmax| argmax.len() == y.len()), "argmax");
    let block = ROWS.div_ceil(g.stride);
    let cuts = |len: usize| {
        let image = g.out_rows * row;
        (0..len).step_by(image).flat_map(move |from| {
            (0..image).step_by(block * row).map(move |at| (from / image, at / row, (block * row).min(image - at)))
        })
    };
    let mut rest = argmax;
    let mut left = &mut *y;
    let parts: Vec<_> = cuts(left.len())
        .map(|(image, first, len)| {
            let values = left.split_off_mut(..len).expect("parts cover the output");
            let won = rest.as_mut().map(|rest| rest.split_off_mut(..len).expect("as long as the output"));
            (image, first, values, won)
        })
        .collect();
    parts.into_par_iter().for_each(|(image, first, y, argmax)| {
        // Where nobody keeps it, it is forgotten after each part.
        let mut own = Vec::new();
        let argmax = argmax.unwrap_or_else(|| {
            own.resize(y.len(), 0);
            &mut own
        });
        let last = first + y.len() / row - 1;
        let (_, top, _) = g.taps(first, g.rows);
        let (_, bottom, count) = g.taps(last, g.rows);
        let pixels = (image * g.rows + top) * g.columns..(image * g.rows + bottom + count) * g.columns;
        let mut scratch = pool.take(pixels.len() * g.channels);
        let band = reader.view(pixels, &mut scratch);
        arch.dispatch(Pool { g, band, top, first, y, argmax });
    });
}

struct Pool<'a> {
    g: &'a PoolGeometry,
    /// Rows of the input from `top` on.
    band: &'a [f32],
    top: usize,
    /// First row of the output.
    first: usize,
    y: &'a mut [f32],
    argmax: &'a mut [u8],
}

impl NullaryFnOnce for Pool<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let g = self.g;
        let pixels = self.y.chunks_exact_mut(g.channels).zip(self.argmax.chunks_exact_mut(g.channels));
        for (at, (y, argmax)) in pixels.enumerate() {
            let (tap_row, row, rows) = g.taps(self.first + at / g.out_columns, g.rows);
            let (tap_column, column, columns) = g.taps(at % g.out_columns, g.columns);
            let mut started = false;
            for i in 0..rows {
                for j in 0..columns {
                    let pixel = (row - self.top + i) * g.columns + column + j;
                    let x = &self.band[pixel * g.channels..][..g.channels];
                    let tap = ((tap_row + i) * g.kernel + tap_column + j) as u8;
                    if !started {
                        y.copy_from_slice(x);
                        argmax.fill(tap);
                        started = true;
                        continue;
                    }
                    for ((y, argmax), x) in y.iter_mut().zip(argmax.iter_mut()).zip(x) {
                        let wins = *x > *y || x.is_nan();
                        *y = if wins { *x } else { *y };
                        *argmax = if wins { tap } else { *argmax };
                    }
                }
            }
        }
    }
}

/// The input's gradient: each output's goes to the pixel that won.
///
/// # Panics
/// Where the lengths disagree.
pub fn max_pool_gradient(g: &PoolGeometry, dy: GradSource<'_>, argmax: &[u8], dx: GradSink<'_>, pool: &BufferPool) {
    max_pool_gradient_on(Arch::new(), g, dy, argmax, dx, pool);
}

fn max_pool_gradient_on(
    arch: Arch,
    g: &PoolGeometry,
    dy: GradSource<'_>,
    argmax: &[u8],
    dx: GradSink<'_>,
    pool: &BufferPool,
) {
    assert_eq!(argmax.len(), g.out_values(), "argmax");
    let reader = GradReader::with_arch(arch, dy, g.channels);
    let writer = Writer::with_arch(arch, dx.input, dx.accumulate, g.channels);
    let summed = dx.sums.is_some();
    let (row, out_row) = (g.columns * g.channels, g.out_columns * g.channels);
    let parts: Vec<_> = dx
        .values
        .chunks_mut(g.rows * row)
        .enumerate()
        .flat_map(|(image, values)| {
            values.chunks_mut(ROWS * row).enumerate().map(move |(part, values)| (image, part * ROWS, values))
        })
        .collect();
    let parts: Vec<Option<PartSums>> = parts
        .into_par_iter()
        .map(|(image, first, into)| {
            let rows = into.len() / row;
            let outs = (first..first + rows).flat_map(|at| g.windows(at, g.out_rows)).map(|(out, _)| out);
            let (top, bottom) = outs.fold((g.out_rows, 0), |(top, bottom), out| (top.min(out), bottom.max(out + 1)));
            let top = top.min(bottom);
            let pixels = (image * g.out_rows + top) * g.out_columns..(image * g.out_rows + bottom) * g.out_columns;
            let argmax = &argmax[pixels.start * g.channels..pixels.end * g.channels];
            let mut scratch = pool.take(pixels.len() * g.channels);
            let dy = reader.view(pixels, &mut scratch);
            let mut gradient = pool.take(rows * row);
            arch.dispatch(Spread { g, dy, argmax, top, first, out_row, dx: &mut gradient });
            let mut sums = summed.then(|| PartSums::with_arch(arch, g.channels));
            writer.write((image * g.rows + first) * g.columns, &gradient, into, sums.as_mut());
            sums
        })
        .collect();
    if let Some(sums) = dx.sums {
        *sums = ChannelSums::reduce(g.channels, parts.into_iter().flatten());
    }
}

struct Spread<'a> {
    g: &'a PoolGeometry,
    /// Rows of the output from `top` on.
    dy: &'a [f32],
    argmax: &'a [u8],
    top: usize,
    out_row: usize,
    /// First row of the input.
    first: usize,
    dx: &'a mut [f32],
}

impl NullaryFnOnce for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let g = self.g;
        for (at, dx) in self.dx.chunks_exact_mut(g.channels).enumerate() {
            dx.fill(0.0);
            for (out_row, tap_row) in g.windows(self.first + at / g.columns, g.out_rows) {
                for (out_column, tap_column) in g.windows(at % g.columns, g.out_columns) {
                    let tap = (tap_row * g.kernel + tap_column) as u8;
                    let from = (out_row - self.top) * self.out_row + out_column * g.channels;
                    let won = &self.argmax[from..][..g.channels];
                    let dy = &self.dy[from..][..g.channels];
                    for ((dx, won), dy) in dx.iter_mut().zip(won).zip(dy) {
                        *dx += if *won == tap { *dy } else { 0.0 };
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
