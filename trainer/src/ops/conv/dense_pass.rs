//! Direct convolution as gathered products: which values of a band each output pixel is summed from.
//!
//! In a band of the input, with its padding in place, the values under one row of a window are adjacent. So an output is the
//! sum of `kernel` runs of `kernel * channels` products, whatever the stride; nothing is copied per window. The input
//! gradient of stride s is s^2 such convolutions of stride 1, one for each remainder of row and column, each with the part
//! of the window that meets it.

use pulp::Arch;
use rayon::prelude::*;

use super::{
    super::{BufferPool, access::PartSums},
    Geometry,
    ends::{Band, MapReader, Output, part_sums},
    scratch::{Scratch, Shared},
};

/// Output pixels that see the same part of the window.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    /// Where the first run begins in the band, for each pixel.
    pub(super) offsets: Vec<usize>,
    /// Where the values of each pixel of the output begin in the block, ascending.
    pub(super) targets: Vec<usize>,
    /// Where each run begins, from the pixel's offset on.
    pub(super) runs: Vec<usize>,
    /// Values of a run.
    pub(super) len: usize,
    /// Taps of the (turned, for a gradient) window, in the order of the runs.
    pub(super) taps: Vec<usize>,
}

impl Phase {
    /// How many of its pixels a block of so many values has.
    pub(super) fn there(&self, values: usize) -> usize {
        self.targets.partition_point(|target| *target < values)
    }

    /// Has `product` write the phase's pixels for one panel: straight to their targets from channel `first` on, or, where
    /// the panel has more channels than the output, by way of `products`.
    pub(super) fn write(
        &self,
        (values, outputs, first): (&mut [f32], usize, usize),
        (products, width): (&mut [f32], usize),
        product: impl FnOnce(usize, *mut f32, &[usize]),
    ) {
        let there = self.there(values.len());
        if first + width <= outputs {
            return product(there, values[first..].as_mut_ptr(), &self.targets[..there]);
        }
        let packed: Vec<usize> = (0..there).map(|pixel| pixel * width).collect();
        product(there, products.as_mut_ptr(), &packed);
        for (target, product) in self.targets.iter().zip(products.chunks_exact(width)).take(there) {
            values[target + first..target + outputs].copy_from_slice(&product[..outputs - first]);
        }
    }
}

/// A convolution in one direction, by blocks of output rows.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    /// What a block reads.
    pub(super) band: Band,
    /// The band's first row for the block that begins at output row `r` is `r * step / divide - above`.
    step: usize,
    divide: usize,
    above: usize,
    /// Rows of a block.
    pub(super) block: usize,
    pub(super) images: usize,
    pub(super) out_rows: usize,
    pub(super) out_columns: usize,
    pub(super) outputs: usize,
    pub(super) phases: Vec<Phase>,
}

/// Pixels of a block, about: enough for its weights, few enough for the cache.
const PIXELS: usize = 112;

impl Pass {
    /// The convolution itself.
    pub(super) fn forward(g: &Geometry) -> Self {
        let (kernel, stride) = (g.spec.kernel, g.spec.stride);
        let block = (PIXELS / g.out_columns).clamp(1, g.out_rows);
        let band = Band {
            rows: g.rows,
            columns: g.columns,
            channels: g.spec.inputs,
            band_rows: (block - 1) * stride + kernel,
            band_columns: ((g.out_columns - 1) * stride + kernel).max(g.pad_left),
            left: g.pad_left,
        };
        let pixel = |row: usize, column: usize| (row * band.band_columns + column) * band.channels;
        let pixels = 0..block * g.out_columns;
        let phase = Phase {
            offsets: pixels.clone().map(|p| pixel(p / g.out_columns * stride, p % g.out_columns * stride)).collect(),
            targets: pixels.map(|p| p * g.spec.outputs).collect(),
            runs: (0..kernel).map(|row| pixel(row, 0)).collect(),
            len: kernel * band.channels,
            taps: (0..kernel * kernel).collect(),
        };
        Self {
            band,
            step: stride,
            divide: 1,
            above: g.pad_top,
            block,
            images: g.images,
            out_rows: g.out_rows,
            out_columns: g.out_columns,
            outputs: g.spec.outputs,
            phases: vec![phase],
        }
    }

    /// The convolutions of the output's gradient that give the input's.
    pub(super) fn input_gradient(g: &Geometry) -> Self {
        let (kernel, stride) = (g.spec.kernel, g.spec.stride);
        let block = (PIXELS / g.columns).clamp(1, g.rows).next_multiple_of(stride);
        // Output rows that may meet one input row.
        let most = kernel.div_ceil(stride);
        let reach = |size: usize, pad: usize| most + (size - 1 + pad) / stride;
        let band = Band {
            rows: g.out_rows,
            columns: g.out_columns,
            channels: g.spec.outputs,
            band_rows: reach(block, g.pad_top),
            band_columns: reach(g.columns, g.pad_left),
            left: most - 1,
        };
        // Input pixel i is output pixel (i + pad - tap) / stride, for the taps of its remainder.
        let meets = |remainder: usize| (remainder..kernel).step_by(stride).count();
        let phases = (0..stride * stride).map(|remainders| {
            let (row, column) = (remainders / stride, remainders % stride);
            let (rows, columns) = (meets(row), meets(column));
            let inside = |size: usize, pad: usize, remainder: usize| {
                (0..size).filter(move |i| (i + pad) % stride == remainder).map(move |i| (i, (i + pad) / stride))
            };
            let (mut offsets, mut targets) = (Vec::new(), Vec::new());
            for (y, out_y) in inside(block, g.pad_top, row) {
                for (x, out_x) in inside(g.columns, g.pad_left, column) {
                    let first = (out_y + most - rows.max(1), out_x + most - columns.max(1));
                    offsets.push((first.0 * band.band_columns + first.1) * band.channels);
                    targets.push((y * g.columns + x) * g.spec.inputs);
                }
            }
            let turned = |tap: usize| kernel * kernel - 1 - tap;
            let taps = (0..rows * columns).map(|i| {
                let (y, x) = (rows - 1 - i / columns, columns - 1 - i % columns);
                turned((row + y * stride) * kernel + column + x * stride)
            });
            Phase {
                offsets,
                targets,
                runs: (0..rows).filter(|_| columns > 0).map(|r| r * band.band_columns * band.channels).collect(),
                len: columns * band.channels,
                taps: taps.collect(),
            }
        });
        Self {
            phases: phases.collect(),
            band,
            step: 1,
            divide: stride,
            above: most - 1,
            block,
            images: g.images,
            out_rows: g.rows,
            out_columns: g.columns,
            outputs: g.spec.inputs,
        }
    }

    /// Blocks of an image.
    pub(super) fn blocks(&self) -> usize {
        self.out_rows.div_ceil(self.block)
    }

    /// Image, first row and rows of the output of a block of the batch.
    pub(super) fn place(&self, block: usize) -> (usize, usize, usize) {
        let first = block % self.blocks() * self.block;
        (block / self.blocks(), first, self.block.min(self.out_rows - first))
    }

    /// First row of the band for the block that begins at an output row.
    pub(super) fn top(&self, row: usize) -> isize {
        (row * self.step / self.divide) as isize - self.above as isize
    }

    /// Reads block by block, has `multiply` compute its output from band to values (with scratch in between), and finishes
    /// it.
    pub(super) fn run(
        &self,
        arch: Arch,
        reader: &impl MapReader,
        output: Output<'_>,
        pool: &BufferPool,
        scratch: usize,
        multiply: impl Fn(&[f32], &mut [f32], &mut [f32]) + Sync,
    ) {
        let (row, finish, summed) = (self.out_columns * self.outputs, &output.finish, output.sums.is_some());
        let moved = if finish.is_in_place() { 0 } else { self.block * row };
        let take = || [self.band.len(), scratch, moved].map(|values| Scratch::take(pool, values));
        let map = Shared::new(output.map);
        let block = |[band, scratch, moved]: &mut [Scratch; 3], task: usize| {
            let (image, first, rows) = self.place(task);
            self.band.read(reader, image, self.top(first), band);
            let pixel = (image * self.out_rows + first) * self.out_columns;
            let values = if finish.is_in_place() {
                // SAFETY: these rows are this task's.
                unsafe { map.slice(pixel * self.outputs, rows * row) }
            } else {
                &mut moved[..rows * row]
            };
            multiply(band, scratch, values);
            let mut sums = part_sums(summed, arch, self.outputs);
            // SAFETY: these rows are this task's.
            unsafe { finish.apply(arch, pixel, self.outputs, values, map, sums.as_mut()) };
            sums
        };
        let tasks = (0..self.images * self.blocks()).into_par_iter();
        let parts: Vec<Option<PartSums>> = tasks.map_init(take, block).collect();
        output.reduce(self.outputs, parts);
    }
}
