//! 3 x 3 convolutions of stride 1 by Winograd's minimal filtering, forwards and for both gradients.
//!
//! Rows of tiles are transformed to frequencies, where the convolution is one matrix product per frequency, and back. A
//! block of tiles with all its frequencies stays in the second-level cache. `F(4, 3)` needs a quarter of the products of a
//! direct convolution, `F(2, 3)` 4/9.

use rayon::prelude::*;

use pulp::Arch;

use super::{
    super::{
        BufferPool, ChannelSums, GradSink, GradSource, Source,
        access::{GradReader, PartSums, Reader, Writer},
    },
    ConvKernel, Epilogue, Geometry,
    ends::{Band, Finish, MapReader, part_sums},
    panel::{Gather, Outer, Panels, vector_lanes},
    scratch::{Scratch, Shared},
    weights::{Strides, Windows, scatter},
    winograd_tiles::{ForwardTiles, Into, Layout, OutputTiles, WeightGradientTiles, WeightTiles},
};

/// Values of a block of tiles with its frequencies: they stay in the second-level cache.
const BLOCK: usize = 160 << 10;
/// Fewest tiles of a block: fewer would read the weights too often.
const FEWEST: usize = 16;
/// Values of the tiles that are in the third-level cache at a time.
const SUPERBLOCK: usize = 2 << 20;
/// Windows that are transformed at a time.
const WINDOWS: usize = 8;

/// The kernel for 3 x 3, stride 1, one group.
#[derive(Debug, Clone)]
pub struct Winograd {
    geometry: Geometry,
    m: usize,
    arch: Arch,
}

/// A convolution in one direction.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Outputs of a tile a side.
    m: usize,
    rows: usize,
    columns: usize,
    inputs: usize,
    out_rows: usize,
    out_columns: usize,
    outputs: usize,
    pad_top: usize,
    pad_left: usize,
    /// Tiles above each other.
    tile_rows: usize,
    /// Tiles beside each other.
    tile_columns: usize,
    /// Rows of tiles in the batch.
    all_rows: usize,
}

impl Plan {
    fn new(geometry: &Geometry, m: usize) -> Self {
        let (tile_rows, tile_columns) = (geometry.out_rows.div_ceil(m), geometry.out_columns.div_ceil(m));
        Self {
            m,
            rows: geometry.rows,
            columns: geometry.columns,
            inputs: geometry.spec.inputs,
            out_rows: geometry.out_rows,
            out_columns: geometry.out_columns,
            outputs: geometry.spec.outputs,
            pad_top: geometry.pad_top,
            pad_left: geometry.pad_left,
            tile_rows,
            tile_columns,
            all_rows: geometry.images * tile_rows,
        }
    }

    /// The convolution that gives the input's gradient.
    fn input_gradient(geometry: &Geometry, m: usize) -> Self {
        let mut turned = *geometry;
        (turned.rows, turned.out_rows) = (geometry.out_rows, geometry.rows);
        (turned.columns, turned.out_columns) = (geometry.out_columns, geometry.columns);
        (turned.spec.inputs, turned.spec.outputs) = (geometry.spec.outputs, geometry.spec.inputs);
        (turned.pad_top, turned.pad_left) = (2 - geometry.pad_top, 2 - geometry.pad_left);
        Self::new(&turned, m)
    }

    fn frequencies(&self) -> usize {
        (self.m + 2) * (self.m + 2)
    }

    /// The band of the input under a row of tiles.
    fn input_band(&self) -> Band {
        Band {
            rows: self.rows,
            columns: self.columns,
            channels: self.inputs,
            band_rows: self.m + 2,
            band_columns: self.tile_columns * self.m + 2,
            left: self.pad_left,
        }
    }

    /// The band of the output under a row of tiles.
    fn output_band(&self) -> Band {
        Band {
            rows: self.out_rows,
            columns: self.out_columns,
            channels: self.outputs,
            band_rows: self.m,
            band_columns: self.tile_columns * self.m,
            left: 0,
        }
    }

    /// Image and first output row of a row of tiles.
    fn place(&self, tile_row: usize) -> (usize, usize) {
        (tile_row / self.tile_rows, tile_row % self.tile_rows * self.m)
    }

    /// First output pixel of a row of tiles, and its rows that exist.
    fn pixels(&self, tile_row: usize) -> (usize, usize) {
        let (image, row) = self.place(tile_row);
        ((image * self.out_rows + row) * self.out_columns, (self.out_rows - row).min(self.m))
    }

    /// Reads and transforms rows of tiles.
    ///
    /// # Safety
    /// `out` has the layout's places for these tiles, which no other task uses meanwhile.
    unsafe fn transform(
        &self,
        arch: Arch,
        reader: &impl MapReader,
        rows: std::ops::Range<usize>,
        band: &mut [f32],
        (out, layout): (*mut f32, Layout),
    ) {
        let shape = self.input_band();
        for (i, tile_row) in rows.enumerate() {
            let (image, row) = self.place(tile_row);
            shape.read(reader, image, row as isize - self.pad_top as isize, band);
            let tiles = ForwardTiles {
                transform: Into::Input,
                m: self.m,
                band: band.as_ptr(),
                columns: shape.band_columns,
                channels: self.inputs,
                tiles: self.tile_columns,
                out: out.wrapping_add(i * self.tile_columns * layout.tile),
                layout,
            };
            // SAFETY: the band has this shape and slack for a vector; the rest is the caller's.
            unsafe { tiles.run(arch) };
        }
    }
}

/// A frequency's values with a gap that keeps frequencies out of each other's cache sets.
fn spaced(values: usize) -> usize {
    (values.div_ceil(16) | 1) * 16
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

    /// Transforms a panel's windows `ks` to `out[frequency][k]`.
    ///
    /// # Safety
    /// `out` has these places, which no other task uses meanwhile.
    unsafe fn weights(
        &self,
        windows: &Windows<'_>,
        (panels, panel): (Panels, usize),
        ks: std::ops::Range<usize>,
        tmp: &mut [f32],
        out: *mut f32,
    ) {
        for from in ks.clone().step_by(WINDOWS) {
            let part = from..(from + WINDOWS).min(ks.end);
            windows.copy((panels, panel), part.clone(), tmp, Strides::by_window(9, panels.width));
            let tiles = WeightTiles {
                m: self.m,
                windows: tmp.as_ptr(),
                count: part.len(),
                width: panels.width,
                out: out.wrapping_add(from * panels.width),
                frequency: windows.k * panels.width,
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
        finish: &Finish<'_>,
        map: &mut [f32],
        sums: Option<&mut ChannelSums>,
        pool: &BufferPool,
    ) {
        let panels = Panels::new(self.arch, plan.outputs);
        let parts = self.by_blocks(plan, panels, reader, windows, finish, map, sums.is_some(), pool);
        if let Some(sums) = sums {
            *sums = ChannelSums::reduce(plan.outputs, parts.into_iter().flatten());
        }
    }

    /// All weights are transformed; then each task takes blocks of tiles all the way.
    #[expect(clippy::too_many_arguments, reason = "one call, of one place")]
    fn by_blocks(
        &self,
        plan: &Plan,
        panels: Panels,
        reader: &impl MapReader,
        windows: &Windows<'_>,
        finish: &Finish<'_>,
        map: &mut [f32],
        summed: bool,
        pool: &BufferPool,
    ) -> Vec<Option<PartSums>> {
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
            // SAFETY: every task has its own panel or ks.
            unsafe { self.weights(windows, (panels, panel), ks, &mut tmp, weights.at(panel * panel_values)) };
        });

        let inputs = plan.inputs.next_multiple_of(vector_lanes(self.arch));
        let per_tile = frequencies * (inputs + panels.width);
        let rows = (BLOCK / per_tile).max(FEWEST).div_ceil(plan.tile_columns).max(1);
        let blocks = plan.all_rows.div_ceil(rows);
        let tiles = rows * plan.tile_columns;
        let out_row = plan.out_columns * plan.outputs;
        let map = Shared::new(map);
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
                        c_stride: panels.width,
                        vectors: panels.vectors,
                        add: false,
                    };
                    // SAFETY: weights and values have these places, the products are this task's.
                    unsafe { product.run(self.arch) };
                }
                for (i, row) in rows.clone().enumerate() {
                    let back = OutputTiles {
                        m: plan.m,
                        products: products.as_ptr().wrapping_add(i * plan.tile_columns * to.tile),
                        layout: to,
                        tiles: plan.tile_columns,
                        out: target(i, row).wrapping_add(panel * panels.width),
                        stride: plan.outputs,
                        channels: panels.width.min(plan.outputs - panel * panels.width),
                        rows: plan.pixels(row).1,
                        columns: plan.out_columns,
                    };
                    // SAFETY: a row of tiles is one task's; the map (or the scratch) has its pixels.
                    unsafe { back.run(self.arch) };
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

    fn weight_gradient(&self, x: &Reader<'_>, dy: &GradReader<'_>, dw: &mut [f32], pool: &BufferPool) {
        let plan = Plan::new(&self.geometry, self.m);
        let (left, right) = (Panels::new(self.arch, plan.inputs), Panels::new(self.arch, plan.outputs));
        let frequencies = plan.frequencies();
        let rows = (SUPERBLOCK / (frequencies * (left.padded() + right.padded()))).div_ceil(plan.tile_columns).max(1);
        let rows = rows.min(plan.all_rows);
        let tiles = rows * plan.tile_columns;
        let mut values = Scratch::take(pool, frequencies * spaced(tiles * left.padded()));
        let mut gradients = Scratch::take(pool, frequencies * spaced(tiles * right.padded()));
        let pairs = left.count * right.count;
        let pair_values = frequencies * left.width * right.width;
        let mut sums = Scratch::take(pool, pairs * pair_values);
        let (values, gradients, sums) = (Shared::new(&mut values), Shared::new(&mut gradients), Shared::new(&mut sums));
        // Frequencies that one task takes.
        let group = (frequencies * pairs / 12).clamp(1, frequencies);
        let groups = frequencies.div_ceil(group);
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
            (0..pairs * groups).into_par_iter().for_each(|task| {
                let (pair, part) = (task / groups, task % groups * group);
                for frequency in part..(part + group).min(frequencies) {
                    let product = Outer {
                        a: values.at(frequency * from.frequency + pair / right.count * from.panel),
                        a_row: 0,
                        a_step: from.tile,
                        b: gradients.at(frequency * with.frequency + pair % right.count * with.panel),
                        rows: 1,
                        count: tiles,
                        values: left.width.min(plan.inputs - pair / right.count * left.width),
                        c: sums.at(pair * pair_values + frequency * left.width * right.width),
                        vectors: right.vectors,
                        add: block > 0,
                    };
                    // SAFETY: every task has its own pair or frequencies.
                    unsafe { product.run(self.arch) };
                }
            });
        }
        let dw = Shared::new(dw);
        let chunks = left.width.div_ceil(WINDOWS);
        (0..pairs * chunks).into_par_iter().for_each(|task| {
            let (pair, from) = (task / chunks, task % chunks * WINDOWS);
            let first = pair / right.count * left.width;
            let ks = (first + from).min(plan.inputs)..(first + from + WINDOWS).min(plan.inputs).min(first + left.width);
            let mut windows = Scratch::take(pool, WINDOWS * 9 * right.width);
            let back = WeightGradientTiles {
                m: plan.m,
                gradients: sums.at(pair * pair_values + from * right.width),
                frequency: left.width * right.width,
                count: ks.len(),
                width: right.width,
                windows: windows.as_mut_ptr(),
            };
            // SAFETY: every task has its own windows.
            unsafe {
                back.run(self.arch);
                scatter(
                    &windows,
                    Strides::by_window(9, right.width),
                    (right, pair % right.count),
                    ks,
                    &self.geometry.spec,
                    dw,
                );
            }
        });
    }
}

impl ConvKernel for Winograd {
    fn forward(&self, x: Source<'_>, weight: &[f32], y: &mut [f32], sums: Option<&mut ChannelSums>, pool: &BufferPool) {
        let plan = Plan::new(&self.geometry, self.m);
        let windows = Windows::forward(weight, &self.geometry.spec);
        assert_eq!(y.len(), self.geometry.out_pixels() * plan.outputs, "output");
        let reader = Reader::with_arch(self.arch, x, plan.inputs);
        self.convolve(&plan, &reader, &windows, &Finish::Raw, y, sums, pool);
    }

    fn infer(&self, x: Source<'_>, weight: &[f32], epilogue: Epilogue<'_>, y: &mut [f32], pool: &BufferPool) {
        let plan = Plan::new(&self.geometry, self.m);
        let windows = Windows::forward(weight, &self.geometry.spec);
        assert_eq!(y.len(), self.geometry.out_pixels() * plan.outputs, "output");
        let reader = Reader::with_arch(self.arch, x, plan.inputs);
        self.convolve(&plan, &reader, &windows, &Finish::infer(epilogue), y, None, pool);
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
            let finish = Finish::Gradient(Writer::with_arch(self.arch, sink.input, sink.accumulate, spec.inputs));
            self.convolve(&plan, &gradient, &windows, &finish, sink.values, sink.sums, pool);
        }
    }
}
