//! The gradient of the weights by Winograd's algorithm: the adjoint of the forward pass.

use rayon::prelude::*;

use super::{
    super::{
        BufferPool,
        access::{GradReader, Reader},
    },
    panel::{Outer, Panels},
    scratch::{Scratch, Shared},
    weights::{Strides, scatter},
    winograd::{WINDOWS, Winograd},
    winograd_plan::{Plan, spaced},
    winograd_tiles::{ForwardTiles, Into, Layout, WeightGradientTiles},
};

impl Winograd {
    /// The gradient of the weights.
    pub(super) fn weight_gradient(&self, x: &Reader<'_>, dy: &GradReader<'_>, dw: &mut [f32], pool: &BufferPool) {
        let plan = Plan::new(&self.geometry, self.m);
        let (left, right) = (Panels::new(self.arch, plan.inputs), Panels::new(self.arch, plan.outputs));
        let frequencies = plan.frequencies();
        let rows = plan.superblock(frequencies * (left.padded() + right.padded()));
        let tiles = rows * plan.tile_columns;
        let mut values = Scratch::take(pool, frequencies * spaced(tiles * left.padded()));
        let mut gradients = Scratch::take(pool, frequencies * spaced(tiles * right.padded()));
        let pairs = left.count * right.count;
        let pair_values = frequencies * left.width * right.width;
        let once = rows == plan.all_rows && pairs >= 12;
        let mut sums = Scratch::take(pool, if once { 0 } else { pairs * pair_values });
        let (values, gradients, sums) = (Shared::new(&mut values), Shared::new(&mut gradients), Shared::new(&mut sums));
        // Frequencies that one task takes.
        let group = (frequencies * pairs / 12).clamp(1, frequencies);
        let groups = frequencies.div_ceil(group);
        let dw = Shared::new(dw);
        for block in 0..plan.all_rows.div_ceil(rows) {
            let rows = block * rows..((block + 1) * rows).min(plan.all_rows);
            let tiles = rows.len() * plan.tile_columns;
            let layout = |panels: Panels| Layout {
                frequency: spaced(tiles * panels.padded()),
                panel: tiles * panels.width,
                tile: panels.width,
                width: panels.width,
            };
            let (from, with) = (layout(left), layout(right));
            let first = rows.start;
            rows.into_par_iter().for_each(|row| {
                let tile = (row - first) * plan.tile_columns;
                let mut band = Scratch::take(pool, plan.input_band().len());
                // SAFETY: every task has its own tiles.
                unsafe { plan.transform(self.arch, x, row..row + 1, &mut band, (values.at(tile * from.tile), from)) };
                let shape = plan.output_band();
                let mut band = Scratch::take(pool, shape.len());
                let (image, top) = plan.place(row);
                shape.read(dy, image, top as isize, &mut band);
                let adjoint = ForwardTiles {
                    transform: Into::OutputGradient,
                    m: plan.m,
                    band: band.as_ptr(),
                    columns: shape.band_columns,
                    channels: plan.outputs,
                    tiles: plan.tile_columns,
                    out: gradients.at(tile * with.tile),
                    layout: with,
                };
                // SAFETY: as above.
                unsafe { adjoint.run(self.arch) };
            });
            let product = |pair: usize, frequency: usize, sums: *mut f32| {
                let product = Outer {
                    a: values.at(frequency * from.frequency + pair / right.count * from.panel),
                    a_row: 0,
                    a_step: from.tile,
                    b: gradients.at(frequency * with.frequency + pair % right.count * with.panel),
                    rows: 1,
                    count: tiles,
                    values: left.width.min(plan.inputs - pair / right.count * left.width),
                    c: sums.wrapping_add(frequency * left.width * right.width),
                    vectors: right.vectors,
                    add: block > 0,
                };
                // SAFETY: values and gradients are there; every task has its own pair or frequencies of the sums.
                unsafe { product.run(self.arch) };
            };
            if once {
                // The sums of a pair of panels stay in the second-level cache.
                let take = || [pair_values, WINDOWS * 9 * right.width].map(|values| Scratch::take(pool, values));
                (0..pairs).into_par_iter().for_each_init(take, |[sums, windows], pair| {
                    (0..frequencies).for_each(|frequency| product(pair, frequency, sums.as_mut_ptr()));
                    for from in (0..left.width).step_by(WINDOWS) {
                        // SAFETY: every task has its own pair.
                        unsafe { self.finish_gradient((left, right), (pair, from), sums.as_ptr(), windows, dw) };
                    }
                });
                return;
            }
            (0..pairs * groups).into_par_iter().for_each(|task| {
                let (pair, part) = (task / groups, task % groups * group);
                let frequencies = part..(part + group).min(frequencies);
                frequencies.for_each(|frequency| product(pair, frequency, sums.at(pair * pair_values)));
            });
        }
        let chunks = left.width.div_ceil(WINDOWS);
        (0..pairs * chunks).into_par_iter().for_each(|task| {
            let (pair, from) = (task / chunks, task % chunks * WINDOWS);
            let mut windows = Scratch::take(pool, WINDOWS * 9 * right.width);
            // SAFETY: every task has its own windows.
            unsafe { self.finish_gradient((left, right), (pair, from), sums.at(pair * pair_values), &mut windows, dw) };
        });
    }

    /// Transforms the sums of a pair of panels back to windows, from input `from` of its panel on, and puts these to their
    /// places.
    ///
    /// # Safety
    /// The sums `[frequencies, inputs, outputs]` are there, and no other task uses these windows of `dw` meanwhile.
    unsafe fn finish_gradient(
        &self,
        (left, right): (Panels, Panels),
        (pair, from): (usize, usize),
        sums: *const f32,
        windows: &mut [f32],
        dw: Shared,
    ) {
        let spec = &self.geometry.spec;
        let first = pair / right.count * left.width;
        let end = (first + from + WINDOWS).min(first + left.width).min(spec.inputs);
        let ks = (first + from).min(end)..end;
        let back = WeightGradientTiles {
            m: self.m,
            gradients: sums.wrapping_add(from * right.width),
            frequency: left.width * right.width,
            count: ks.len(),
            width: right.width,
            windows: windows.as_mut_ptr(),
        };
        // SAFETY: the caller's.
        unsafe {
            back.run(self.arch);
            scatter(windows, Strides::by_window(9, right.width), (right, pair % right.count), ks, spec, dw);
        }
    }
}
