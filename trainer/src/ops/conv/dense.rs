//! Convolutions of any window and stride without groups, directly.
//!
//! Near the processor's peak, so its time is that of `2 * outputs * inputs * kernel^2` operations per output pixel; where
//! [`super::Winograd`] applies it needs a quarter of them.

use pulp::Arch;
use rayon::prelude::*;

use super::{
    super::{
        BufferPool, ChannelSums, GradSink, GradSource, Source,
        access::{GradReader, PartSums, Reader, Writer},
    },
    ConvKernel, Epilogue, Geometry,
    dense_pass::{Pass, Phase},
    ends::{Finish, MapReader, part_sums},
    panel::{Gather, Outer, Panels},
    scratch::{Scratch, Shared},
    weights::{Strides, Windows, scatter},
};

/// Values of maps that are in the third-level cache at a time, for the gradient of the weights.
const SUPERBLOCK: usize = 2 << 20;
/// Pixels that are summed over at a time: their panel stays in the first-level cache.
const SUMMED: usize = 96;

/// The kernel for one group and any window.
#[derive(Debug, Clone)]
pub struct Dense {
    geometry: Geometry,
    arch: Arch,
}

impl Dense {
    /// Whether such a convolution can be done.
    pub fn supports(geometry: &Geometry) -> bool {
        geometry.spec.groups == 1
    }

    /// The kernel for one size of maps.
    ///
    /// # Panics
    /// Where [`Dense::supports`] says no.
    pub fn new(geometry: Geometry) -> Self {
        Self::with_arch(geometry, Arch::new())
    }

    /// With a chosen instruction set.
    pub fn with_arch(geometry: Geometry, arch: Arch) -> Self {
        assert!(Self::supports(&geometry), "{geometry:?}");
        Self { geometry, arch }
    }

    /// Weights `[panel][phase][tap][k][width]`.
    fn weights(&self, pass: &Pass, panels: Panels, windows: &Windows<'_>, pool: &BufferPool) -> Scratch {
        let taps = self.geometry.spec.kernel * self.geometry.spec.kernel;
        let values = taps * windows.k * panels.width;
        let mut all = Scratch::take(pool, panels.count * values);
        all.par_chunks_mut(values).enumerate().for_each(|(panel, all)| {
            // By tap; then every phase's taps are put in the order in which it reads them.
            let strides = Strides { k: panels.width, tap: windows.k * panels.width };
            if pass.phases.len() == 1 && pass.phases[0].taps.is_sorted() {
                return windows.copy((panels, panel), 0..windows.k, all, strides);
            }
            let mut by_tap = Scratch::take(pool, values);
            windows.copy((panels, panel), 0..windows.k, &mut by_tap, strides);
            let order = pass.phases.iter().flat_map(|phase| &phase.taps);
            for (tap, to) in order.zip(all.chunks_exact_mut(strides.tap)) {
                to.copy_from_slice(&by_tap[tap * strides.tap..][..strides.tap]);
            }
        });
        all
    }

    fn convolve(
        &self,
        pass: &Pass,
        reader: &impl MapReader,
        windows: &Windows<'_>,
        finish: &Finish<'_>,
        map: &mut [f32],
        sums: Option<&mut ChannelSums>,
        pool: &BufferPool,
    ) {
        let panels = Panels::new(self.arch, pass.outputs);
        let weights = self.weights(pass, panels, windows, pool);
        let row = pass.out_columns * pass.outputs;
        let most = pass.phases.iter().map(|phase| phase.places.len()).max().unwrap_or(0);
        let scratch = || {
            let moved = if finish.is_in_place() { 0 } else { pass.block * row };
            [pass.band.len(), most * panels.width, moved].map(|values| Scratch::take(pool, values))
        };
        let map = Shared::new(map);
        let block = |[band, products, moved]: &mut [Scratch; 3], task: usize| {
            let (image, first) = (task / pass.blocks(), task % pass.blocks() * pass.block);
            let rows = pass.block.min(pass.out_rows - first);
            pass.band.read(reader, image, pass.top(first), band);
            let pixel = (image * pass.out_rows + first) * pass.out_columns;
            let values = if finish.is_in_place() {
                // SAFETY: these rows are this task's.
                unsafe { map.slice(pixel * pass.outputs, rows * row) }
            } else {
                &mut moved[..rows * row]
            };
            for (panel, weights) in weights.chunks_exact(weights.len() / panels.count).enumerate() {
                let mut weights = weights;
                for phase in &pass.phases {
                    let own;
                    (own, weights) = weights.split_at(phase.taps.len() * windows.k * panels.width);
                    self.multiply(phase, (panels, panel), band, own, products, values, pass.outputs);
                }
            }
            let mut sums = part_sums(sums.is_some(), self.arch, pass.outputs);
            // SAFETY: these rows are this task's.
            unsafe { finish.apply(self.arch, pixel, pass.outputs, values, map, sums.as_mut()) };
            sums
        };
        let tasks = (0..pass.images * pass.blocks()).into_par_iter();
        let parts: Vec<Option<PartSums>> = tasks.map_init(scratch, block).collect();
        if let Some(sums) = sums {
            *sums = ChannelSums::reduce(pass.outputs, parts.into_iter().flatten());
        }
    }

    /// One panel of the pixels of one phase.
    #[expect(clippy::too_many_arguments, reason = "one call, of one place")]
    fn multiply(
        &self,
        phase: &Phase,
        (panels, panel): (Panels, usize),
        band: &[f32],
        weights: &[f32],
        products: &mut [f32],
        values: &mut [f32],
        outputs: usize,
    ) {
        let there = phase.places.partition_point(|place| (place + 1) * outputs <= values.len());
        let product = Gather {
            a: band.as_ptr(),
            offsets: &phase.offsets[..there],
            runs: &phase.runs,
            len: phase.len,
            b: weights.as_ptr(),
            c: products.as_mut_ptr(),
            c_stride: panels.width,
            vectors: panels.vectors,
            add: false,
        };
        // SAFETY: the pass makes offsets and runs within its band; the products have room for all its places.
        unsafe { product.run(self.arch) };
        let first = panel * panels.width;
        let channels = panels.width.min(outputs - first);
        for (place, product) in phase.places[..there].iter().zip(products.chunks_exact(panels.width)) {
            values[place * outputs + first..][..channels].copy_from_slice(&product[..channels]);
        }
    }

    fn weight_gradient(&self, x: &Reader<'_>, dy: &GradReader<'_>, dw: &mut [f32], pool: &BufferPool) {
        let g = &self.geometry;
        let (kernel, stride, outputs) = (g.spec.kernel, g.spec.stride, g.spec.outputs);
        let panels = Panels::new(self.arch, outputs);
        // The whole image with its padding.
        let mut band = Pass::forward(g).band;
        band.band_rows = (g.out_rows - 1) * stride + kernel;
        let out_pixels = g.out_rows * g.out_columns;
        let per_image = band.len() + out_pixels * panels.padded();
        let images = (SUPERBLOCK / per_image).clamp(1, g.images);
        let mut inputs = Scratch::take(pool, images * band.len());
        let mut gradients = Scratch::take(pool, images * out_pixels * panels.padded());
        // [panel][row of the window][column, channel][width]
        let run = kernel * g.spec.inputs;
        let panel_values = kernel * run * panels.width;
        let mut sums = Scratch::take(pool, panels.count * panel_values);
        let chunk = if run < 96 { 12 } else { 48 };
        let chunks = run.div_ceil(chunk);
        let rows = (SUMMED / g.out_columns).max(1);
        let shared = Shared::new(&mut sums);
        for block in 0..g.images.div_ceil(images) {
            let there = images.min(g.images - block * images);
            self.read_images(
                (x, dy),
                (band, panels),
                block * images..block * images + there,
                (&mut inputs, &mut gradients),
                pool,
            );
            (0..panels.count * kernel * chunks).into_par_iter().for_each(|task| {
                let (panel, window_row, from) = (task / chunks / kernel, task / chunks % kernel, task % chunks * chunk);
                for part in (0..there * g.out_rows.div_ceil(rows))
                    .map(|part| (part / g.out_rows.div_ceil(rows), part % g.out_rows.div_ceil(rows) * rows))
                {
                    let (image, first) = part;
                    let a_row = stride * band.band_columns * band.channels;
                    let start =
                        image * band.len() + first * a_row + window_row * band.band_columns * band.channels + from;
                    let product = Outer {
                        a: inputs.as_ptr().wrapping_add(start),
                        a_row,
                        a_step: stride * band.channels,
                        b: gradients.as_ptr().wrapping_add(
                            ((image * panels.count + panel) * out_pixels + first * g.out_columns) * panels.width,
                        ),
                        rows: rows.min(g.out_rows - first),
                        count: g.out_columns,
                        values: chunk.min(run - from),
                        c: shared.at(panel * panel_values + (window_row * run + from) * panels.width),
                        vectors: panels.vectors,
                        add: block > 0 || image > 0 || first > 0,
                    };
                    // SAFETY: the band holds all windows; every task has its own sums.
                    unsafe { product.run(self.arch) };
                }
            });
        }
        let dw = Shared::new(dw);
        sums.par_chunks(panel_values).enumerate().for_each(|(panel, sums)| {
            let at = Strides { k: panels.width, tap: g.spec.inputs * panels.width };
            // SAFETY: every panel has its own outputs.
            unsafe { scatter(sums, at, (panels, panel), 0..g.spec.inputs, &g.spec, dw) };
        });
    }

    /// Reads images into bands, and the gradients of their outputs into panels.
    fn read_images(
        &self,
        (x, dy): (&Reader<'_>, &GradReader<'_>),
        (band, panels): (super::ends::Band, Panels),
        images: std::ops::Range<usize>,
        (inputs, gradients): (&mut [f32], &mut [f32]),
        pool: &BufferPool,
    ) {
        let g = &self.geometry;
        let (outputs, out_pixels) = (g.spec.outputs, g.out_rows * g.out_columns);
        let first = images.start;
        // A row of an image is one task.
        let width = band.band_columns * band.channels;
        inputs[..images.len() * band.len()].par_chunks_mut(width).enumerate().for_each(|(row, values)| {
            let one = super::ends::Band { band_rows: 1, ..band };
            let top = (row % band.band_rows) as isize - g.pad_top as isize;
            one.read(x, first + row / band.band_rows, top, values);
        });
        let gradients = Shared::new(gradients);
        (0..images.len() * g.out_rows).into_par_iter().for_each(|row| {
            let (image, pixel) = (row / g.out_rows, row % g.out_rows * g.out_columns);
            let mut values = Scratch::take(pool, g.out_columns * outputs);
            let from = (first + image) * out_pixels + pixel;
            dy.read(from..from + g.out_columns, &mut values);
            for panel in 0..panels.count {
                let channels = panels.width.min(outputs - panel * panels.width);
                let to = ((image * panels.count + panel) * out_pixels + pixel) * panels.width;
                // SAFETY: every task has its own pixels.
                let to = unsafe { gradients.slice(to, g.out_columns * panels.width) };
                for (to, from) in to.chunks_exact_mut(panels.width).zip(values.chunks_exact(outputs)) {
                    to[..channels].copy_from_slice(&from[panel * panels.width..][..channels]);
                }
            }
        });
    }
}

impl ConvKernel for Dense {
    fn forward(&self, x: Source<'_>, weight: &[f32], y: &mut [f32], sums: Option<&mut ChannelSums>, pool: &BufferPool) {
        let g = &self.geometry;
        assert_eq!(y.len(), g.out_pixels() * g.spec.outputs, "output");
        let reader = Reader::with_arch(self.arch, x, g.spec.inputs);
        let windows = Windows::forward(weight, &g.spec);
        self.convolve(&Pass::forward(g), &reader, &windows, &Finish::Raw, y, sums, pool);
    }

    fn infer(&self, x: Source<'_>, weight: &[f32], epilogue: Epilogue<'_>, y: &mut [f32], pool: &BufferPool) {
        let g = &self.geometry;
        assert_eq!(y.len(), g.out_pixels() * g.spec.outputs, "output");
        let reader = Reader::with_arch(self.arch, x, g.spec.inputs);
        let windows = Windows::forward(weight, &g.spec);
        self.convolve(&Pass::forward(g), &reader, &windows, &Finish::infer(epilogue), y, None, pool);
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
        let g = &self.geometry;
        let gradient = GradReader::with_arch(self.arch, dy, g.spec.outputs);
        if let Some(dw) = dw {
            assert_eq!(dw.len(), weight.len(), "weight gradient");
            self.weight_gradient(&Reader::with_arch(self.arch, x, g.spec.inputs), &gradient, dw, pool);
        }
        if let Some(sink) = dx {
            assert_eq!(sink.values.len(), g.in_pixels() * g.spec.inputs, "input gradient");
            let windows = Windows::input_gradient(weight, &g.spec);
            let finish = Finish::Gradient(Writer::with_arch(self.arch, sink.input, sink.accumulate, g.spec.inputs));
            self.convolve(&Pass::input_gradient(g), &gradient, &windows, &finish, sink.values, sink.sums, pool);
        }
    }
}
