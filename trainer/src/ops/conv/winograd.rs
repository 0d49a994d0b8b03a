//! 3 x 3 convolutions of stride 1 by Winograd's minimal filtering, forwards and for both gradients.
//!
//! Rows of tiles are transformed to frequencies, where the convolution is one matrix product per frequency, and back. A
//! block of tiles with all its frequencies stays in the second-level cache. `F(4, 3)` needs a quarter of the products of a
//! direct convolution, `F(2, 3)` 4/9.
//!
//! Errors, relative to the largest value, with 256 channels on maps of 14 x 14: a direct sum in single precision 1.2e-6,
//! `F(2, 3)` 0.6e-6, `F(4, 3)` 2.4e-6. What bounds the time is the products at 56 and 28 pixels a side (near half of it goes
//! to the transforms there), and the traffic of tiles and weights through the caches at 14 and 7.

use rayon::prelude::*;

use pulp::Arch;

use super::{
    super::{
        BufferPool, ChannelSums, GradSink, GradSource, Source,
        access::{GradReader, PartSums, Reader},
    },
    ConvKernel, Epilogue, Geometry,
    ends::{Finish, MapReader, Output, part_sums},
    panel::{Gather, Panels, vector_lanes},
    scratch::{Scratch, Shared},
    weights::{Strides, Windows},
    winograd_plan::{Plan, spaced},
    winograd_tiles::{Layout, OutputTiles, WeightTiles},
};

/// Values of a block of tiles with its frequencies: they stay in the second-level cache.
const BLOCK: usize = 160 << 10;
/// Fewest tiles of a block: fewer would read the weights too often.
const FEWEST: usize = 16;
/// Values of transformed weights that every block of tiles may read anew.
const SMALL_WEIGHTS: usize = 1 << 20;
/// Inputs whose transformed weights of one panel stay in the second-level cache.
const INPUTS: usize = 64;
/// Tiles that are multiplied with these at a time.
const TILES: usize = 64;
/// Windows that are transformed at a time.
pub(super) const WINDOWS: usize = 8;

/// The kernel for 3 x 3, stride 1, one group.
#[derive(Debug, Clone)]
pub struct Winograd {
    pub(super) geometry: Geometry,
    /// Outputs of a tile a side.
    pub(super) m: usize,
    pub(super) arch: Arch,
}

impl Winograd {
    /// Whether such a convolution can be done.
    pub fn supports(geometry: &Geometry) -> bool {
        let spec = &geometry.spec;
        spec.kernel == 3 && spec.stride == 1 && spec.groups == 1 && geometry.pad_top <= 2 && geometry.pad_left <= 2
    }

    /// The kernel for one size of maps, with the tiles that are fastest for it.
    ///
    /// # Panics
    /// Where [`Winograd::supports`] says no.
    pub fn new(geometry: Geometry) -> Self {
        Self::with(geometry, Self::tile(&geometry), Arch::new())
    }

    /// With chosen tiles (2 or 4 outputs a side) and instruction set.
    pub fn with(geometry: Geometry, tile: usize, arch: Arch) -> Self {
        assert!(Self::supports(&geometry) && (tile == 2 || tile == 4), "{geometry:?}");
        Self { geometry, m: tile, arch }
    }

    /// Outputs of a tile a side: those with the fewest products.
    fn tile(geometry: &Geometry) -> usize {
        let products =
            |m: &usize| geometry.out_rows.div_ceil(*m) * geometry.out_columns.div_ceil(*m) * (m + 2) * (m + 2);
        [4, 2].into_iter().min_by_key(products).unwrap_or(4)
    }

    /// Transforms a panel's windows `ks` to `out[frequency][k - first k]`.
    ///
    /// # Safety
    /// `out` has these places, which no other task uses meanwhile.
    unsafe fn weights(
        &self,
        windows: &Windows<'_>,
        (panels, panel): (Panels, usize),
        ks: std::ops::Range<usize>,
        tmp: &mut [f32],
        (out, frequency): (*mut f32, usize),
    ) {
        for from in ks.clone().step_by(WINDOWS) {
            let part = from..(from + WINDOWS).min(ks.end);
            windows.copy((panels, panel), part.clone(), tmp, Strides::by_window(9, panels.width));
            let tiles = WeightTiles {
                m: self.m,
                windows: tmp.as_ptr(),
                count: part.len(),
                width: panels.width,
                out: out.wrapping_add((from - ks.start) * panels.width),
                frequency,
            };
            // SAFETY: the caller's.
            unsafe { tiles.run(self.arch) };
        }
    }

    fn convolve(
        &self,
        plan: &Plan,
        reader: &impl MapReader,
        windows: &Windows<'_>,
        mut output: Output<'_>,
        pool: &BufferPool,
    ) {
        let panels = Panels::new(self.arch, plan.outputs);
        let values = plan.frequencies() * plan.inputs * panels.padded();
        let parts = if values <= SMALL_WEIGHTS || panels.count < 2 {
            self.by_blocks(plan, panels, reader, windows, &mut output, pool)
        } else {
            self.by_panels(plan, panels, reader, windows, &mut output, pool)
        };
        output.reduce(plan.outputs, parts);
    }

    /// All weights are transformed; then each task takes blocks of tiles all the way.
    fn by_blocks(
        &self,
        plan: &Plan,
        panels: Panels,
        reader: &impl MapReader,
        windows: &Windows<'_>,
        output: &mut Output<'_>,
        pool: &BufferPool,
    ) -> Vec<Option<PartSums>> {
        let (finish, summed) = (&output.finish, output.sums.is_some());
        let frequencies = plan.frequencies();
        let panel_values = frequencies * plan.inputs * panels.width;
        let mut transformed = Scratch::take(pool, panels.count * panel_values);
        let weights = Shared::new(&mut transformed);
        let chunk = 32;
        let chunks = plan.inputs.div_ceil(chunk);
        (0..panels.count * chunks).into_par_iter().for_each(|task| {
            let (panel, from) = (task / chunks, task % chunks * chunk);
            let mut tmp = Scratch::take(pool, WINDOWS * 9 * panels.width);
            let ks = from..(from + chunk).min(plan.inputs);
            let out = weights.at(panel * panel_values + from * panels.width);
            // SAFETY: every task has its own panel or ks.
            unsafe { self.weights(windows, (panels, panel), ks, &mut tmp, (out, plan.inputs * panels.width)) };
        });

        let inputs = plan.inputs.next_multiple_of(vector_lanes(self.arch));
        let per_tile = frequencies * (inputs + panels.width);
        let rows = (BLOCK / per_tile).max(FEWEST).div_ceil(plan.tile_columns).max(1);
        let blocks = plan.all_rows.div_ceil(rows);
        let tiles = rows * plan.tile_columns;
        let out_row = plan.out_columns * plan.outputs;
        let map = Shared::new(output.map);
        let take = || {
            let scratch_rows = if finish.is_in_place() { 0 } else { rows * plan.m };
            [
                Scratch::take(pool, plan.input_band().len()),
                Scratch::take(pool, frequencies * spaced(tiles * inputs)),
                Scratch::take(pool, frequencies * spaced(tiles * panels.width)),
                Scratch::take(pool, scratch_rows * out_row),
            ]
        };
        let offsets: Vec<usize> = (0..tiles).map(|tile| tile * inputs).collect();
        let targets: Vec<usize> = (0..tiles).map(|tile| tile * panels.width).collect();
        let block = |[band, values, products, moved]: &mut [Scratch; 4], block: usize| {
            let rows = block * rows..((block + 1) * rows).min(plan.all_rows);
            let tiles = rows.len() * plan.tile_columns;
            let from = Layout { frequency: spaced(tiles * inputs), panel: 0, tile: inputs, width: inputs };
            let to =
                Layout { frequency: spaced(tiles * panels.width), panel: 0, tile: panels.width, width: panels.width };
            // SAFETY: the scratch is this task's and large enough for `tiles`.
            unsafe { plan.transform(self.arch, reader, rows.clone(), band, (values.as_mut_ptr(), from)) };
            let target = |i: usize, row: usize| {
                if finish.is_in_place() {
                    map.at(plan.pixels(row).0 * plan.outputs)
                } else {
                    moved.as_ptr().cast_mut().wrapping_add(i * plan.m * out_row)
                }
            };
            for panel in 0..panels.count {
                for frequency in 0..frequencies {
                    let product = Gather {
                        a: values.as_ptr().wrapping_add(frequency * from.frequency),
                        offsets: &offsets[..tiles],
                        runs: &[0],
                        len: plan.inputs,
                        b: weights.at(panel * panel_values + frequency * plan.inputs * panels.width),
                        c: products.as_mut_ptr().wrapping_add(frequency * to.frequency),
                        targets: &targets[..tiles],
                        vectors: panels.vectors,
                        add: false,
                    };
                    // SAFETY: weights and values have these places, the products are this task's.
                    unsafe { product.run(self.arch) };
                }
                for (i, row) in rows.clone().enumerate() {
                    let out = target(i, row);
                    // SAFETY: a row of tiles is one task's; the map (or the scratch) has its pixels.
                    unsafe { self.output(plan, (panels, panel), (products, to), i, row, out) };
                }
            }
            let mut sums = part_sums(summed, self.arch, plan.outputs);
            for (i, row) in rows.enumerate() {
                let (first, there) = plan.pixels(row);
                // SAFETY: the pixels of this row of tiles are this task's.
                unsafe {
                    let values = std::slice::from_raw_parts_mut(target(i, row), there * out_row);
                    finish.apply(self.arch, first, plan.outputs, values, map, sums.as_mut());
                }
            }
            sums
        };
        (0..blocks).into_par_iter().map_init(take, block).collect()
    }

    /// For large weights: tiles of many images are transformed first; then each task takes one panel of outputs, whose
    /// weights are transformed a few inputs at a time and used for all tiles while they are in the cache.
    fn by_panels(
        &self,
        plan: &Plan,
        panels: Panels,
        reader: &impl MapReader,
        windows: &Windows<'_>,
        output: &mut Output<'_>,
        pool: &BufferPool,
    ) -> Vec<Option<PartSums>> {
        let (finish, summed) = (&output.finish, output.sums.is_some());
        let frequencies = plan.frequencies();
        let inputs = plan.inputs.next_multiple_of(vector_lanes(self.arch));
        let rows = plan.superblock(frequencies * inputs);
        let most = rows * plan.tile_columns;
        let mut values = Scratch::take(pool, frequencies * spaced(most * inputs));
        let mut moved = Scratch::take(pool, if finish.is_in_place() { 0 } else { output.map.len() });
        let (values, map) = (Shared::new(&mut values), Shared::new(output.map));
        let target = if finish.is_in_place() { map } else { Shared::new(&mut moved) };
        let offsets: Vec<usize> = (0..most).map(|tile| tile * inputs).collect();
        let targets: Vec<usize> = (0..most).map(|tile| tile * panels.width).collect();
        let mut parts = Vec::new();
        for first in (0..plan.all_rows).step_by(rows) {
            let rows = first..(first + rows).min(plan.all_rows);
            let tiles = rows.len() * plan.tile_columns;
            let from = Layout { frequency: spaced(tiles * inputs), panel: 0, tile: inputs, width: inputs };
            let to =
                Layout { frequency: spaced(tiles * panels.width), panel: 0, tile: panels.width, width: panels.width };
            rows.clone().into_par_iter().for_each_init(
                || Scratch::take(pool, plan.input_band().len()),
                |band, row| {
                    let out = values.at((row - first) * plan.tile_columns * inputs);
                    // SAFETY: every task has its own tiles.
                    unsafe { plan.transform(self.arch, reader, row..row + 1, band, (out, from)) };
                },
            );
            let take = || {
                [
                    Scratch::take(pool, WINDOWS * 9 * panels.width),
                    Scratch::take(pool, frequencies * INPUTS * panels.width),
                    Scratch::take(pool, frequencies * to.frequency),
                ]
            };
            (0..panels.count).into_par_iter().for_each_init(take, |[tmp, weights, products], panel| {
                for k in (0..plan.inputs).step_by(INPUTS) {
                    let ks = k..(k + INPUTS).min(plan.inputs);
                    let len = ks.len();
                    let frequency_values = INPUTS * panels.width;
                    // SAFETY: the weights are this task's and have room for so many inputs.
                    unsafe {
                        self.weights(windows, (panels, panel), ks, tmp, (weights.as_mut_ptr(), frequency_values));
                    }
                    for part in (0..tiles).step_by(TILES) {
                        let part = part..(part + TILES).min(tiles);
                        for frequency in 0..frequencies {
                            let product = Gather {
                                a: values.at(frequency * from.frequency + k),
                                offsets: &offsets[part.clone()],
                                runs: &[0],
                                len,
                                b: weights[frequency * frequency_values..].as_ptr(),
                                c: products.as_mut_ptr().wrapping_add(frequency * to.frequency),
                                targets: &targets[part.clone()],
                                vectors: panels.vectors,
                                add: k > 0,
                            };
                            // SAFETY: weights and values have these places, the products are this task's.
                            unsafe { product.run(self.arch) };
                        }
                    }
                }
                for row in rows.clone() {
                    let out = target.at(plan.pixels(row).0 * plan.outputs);
                    // SAFETY: every task has its own channels of the map.
                    unsafe { self.output(plan, (panels, panel), (products, to), row - first, row, out) };
                }
            });
            parts.par_extend(rows.into_par_iter().map(|row| {
                let (first, there) = plan.pixels(row);
                let mut sums = part_sums(summed, self.arch, plan.outputs);
                // SAFETY: every task has its own pixels.
                unsafe {
                    let values = target.slice(first * plan.outputs, there * plan.out_columns * plan.outputs);
                    finish.apply(self.arch, first, plan.outputs, values, map, sums.as_mut());
                }
                sums
            }));
        }
        parts
    }

    /// Transforms the products of the `i`th row of tiles back to pixels of one panel.
    ///
    /// # Safety
    /// `out` has the pixels of this row of tiles; no other task uses these channels of them meanwhile.
    unsafe fn output(
        &self,
        plan: &Plan,
        (panels, panel): (Panels, usize),
        (products, layout): (&[f32], Layout),
        i: usize,
        row: usize,
        out: *mut f32,
    ) {
        let back = OutputTiles {
            m: plan.m,
            products: products[i * plan.tile_columns * layout.tile..].as_ptr(),
            layout,
            tiles: plan.tile_columns,
            out: out.wrapping_add(panel * panels.width),
            stride: plan.outputs,
            channels: panels.width.min(plan.outputs - panel * panels.width),
            rows: plan.pixels(row).1,
            columns: plan.out_columns,
        };
        // SAFETY: the caller's.
        unsafe { back.run(self.arch) };
    }
}

impl Winograd {
    fn forward_to(&self, x: Source<'_>, weight: &[f32], output: Output<'_>, pool: &BufferPool) {
        let plan = Plan::new(&self.geometry, self.m);
        assert_eq!(output.map.len(), self.geometry.out_pixels() * plan.outputs, "output");
        let reader = Reader::with_arch(self.arch, x, plan.inputs);
        self.convolve(&plan, &reader, &Windows::forward(weight, &self.geometry.spec), output, pool);
    }
}

impl ConvKernel for Winograd {
    fn forward(&self, x: Source<'_>, weight: &[f32], y: &mut [f32], sums: Option<&mut ChannelSums>, pool: &BufferPool) {
        self.forward_to(x, weight, Output { finish: Finish::Raw, map: y, sums }, pool);
    }

    fn infer(&self, x: Source<'_>, weight: &[f32], epilogue: Epilogue<'_>, y: &mut [f32], pool: &BufferPool) {
        self.forward_to(x, weight, Output { finish: Finish::infer(epilogue), map: y, sums: None }, pool);
    }

    fn backward(
        &self,
        x: Source<'_>,
        weight: &[f32],
        dy: GradSource<'_>,
        dx: Option<GradSink<'_>>,
        dw: Option<&mut [f32]>,
        pool: &BufferPool,
    ) {
        let spec = &self.geometry.spec;
        let gradient = GradReader::with_arch(self.arch, dy, spec.outputs);
        if let Some(dw) = dw {
            assert_eq!(dw.len(), weight.len(), "weight gradient");
            self.weight_gradient(&Reader::with_arch(self.arch, x, spec.inputs), &gradient, dw, pool);
        }
        if let Some(sink) = dx {
            let plan = Plan::input_gradient(&self.geometry, self.m);
            let windows = Windows::input_gradient(weight, spec);
            assert_eq!(sink.values.len(), self.geometry.in_pixels() * spec.inputs, "input gradient");
            let output = Output::gradient(self.arch, sink, spec.inputs);
            self.convolve(&plan, &gradient, &windows, output, pool);
        }
    }
}
