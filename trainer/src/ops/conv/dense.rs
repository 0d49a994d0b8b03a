//! Convolutions of any window and stride without groups, directly.
//!
//! Near the processor's peak, so its time is that of `2 * outputs * inputs * kernel^2` operations per output pixel; where
//! [`super::Winograd`] applies it needs a quarter of them.

use pulp::Arch;
use rayon::prelude::*;

use super::{
    super::{
        BufferPool, ChannelSums, GradSink, GradSource, Source,
        access::{GradReader, Reader},
    },
    ConvKernel, Epilogue, Geometry,
    batch::Images,
    dense_pass::{Pass, Phase},
    ends::{Finish, MapReader, Output},
    panel::{Gather, Outer, Panels},
    scratch::{Scratch, Shared},
    weights::{Strides, Windows, scatter},
};

/// Pixels that are summed over at a time: their panel stays in the first-level cache.
const SUMMED: usize = 96;

/// Values of weights up to which parts of the batch have sums of their own.
const FEW_WEIGHTS: usize = 1 << 15;
/// These parts.
const PARTS: usize = 16;

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
        output: Output<'_>,
        pool: &BufferPool,
    ) {
        let panels = Panels::new(self.arch, pass.outputs);
        let weights = self.weights(pass, panels, windows, pool);
        let most = pass.phases.iter().map(|phase| phase.targets.len()).max().unwrap_or(0);
        let each = weights.len() / panels.count;
        pass.run(self.arch, reader, output, pool, most * panels.width, |band, products, values| {
            for (panel, weights) in weights.chunks_exact(each).enumerate() {
                let mut weights = weights;
                for phase in &pass.phases {
                    let own;
                    (own, weights) = weights.split_at(phase.taps.len() * windows.k * panels.width);
                    self.multiply(phase, (panels, panel), band, own, products, values, pass.outputs);
                }
            }
        });
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
        let width = panels.width;
        phase.write((values, outputs, panel * width), (products, width), |there, c, targets| {
            let product = Gather {
                a: band.as_ptr(),
                offsets: &phase.offsets[..there],
                runs: &phase.runs,
                len: phase.len,
                b: weights.as_ptr(),
                c,
                targets,
                vectors: panels.vectors,
                add: false,
            };
            // SAFETY: the pass makes offsets and runs within its band, and the targets are within what they are in.
            unsafe { product.run(self.arch) };
        });
    }

    /// For few weights: each of a fixed number of parts of the batch is read once and has sums of its own.
    fn weight_gradient_by_parts(
        &self,
        x: &Reader<'_>,
        dy: &GradReader<'_>,
        panels: Panels,
        pool: &BufferPool,
    ) -> Scratch {
        let g = &self.geometry;
        let pass = Pass::forward(g);
        let (kernel, run) = (g.spec.kernel, g.spec.kernel * g.spec.inputs);
        let values = panels.count * kernel * run * panels.width;
        let blocks = g.images * pass.blocks();
        let parts = blocks.min(PARTS);
        let mut sums = Scratch::take(pool, parts * values);
        let row = pass.band.band_columns * pass.band.channels;
        sums.par_chunks_mut(values).enumerate().for_each(|(part, sums)| {
            sums.fill(0.0);
            let most = pass.block * g.out_columns;
            let lens = [pass.band.len(), most * g.spec.outputs, most * panels.width];
            let [mut band, mut gradients, mut packed] = lens.map(|len| Scratch::take(pool, len));
            for block in part * blocks / parts..(part + 1) * blocks / parts {
                let (image, first, rows) = pass.place(block);
                pass.band.read(x, image, pass.top(first), &mut band);
                let from = (image * g.out_rows + first) * g.out_columns;
                let pixels = rows * g.out_columns;
                let gradients = dy.view(from..from + pixels, &mut gradients);
                for panel in 0..panels.count {
                    let channels = panels.width.min(g.spec.outputs - panel * panels.width);
                    for (to, from) in packed.chunks_exact_mut(panels.width).zip(gradients.chunks_exact(g.spec.outputs))
                    {
                        to[..channels].copy_from_slice(&from[panel * panels.width..][..channels]);
                    }
                    for window_row in 0..kernel {
                        let product = Outer {
                            a: band[window_row * row..].as_ptr(),
                            a_row: g.spec.stride * row,
                            a_step: g.spec.stride * g.spec.inputs,
                            b: packed.as_ptr(),
                            rows,
                            count: g.out_columns,
                            values: run,
                            c: sums[(panel * kernel + window_row) * run * panels.width..].as_mut_ptr(),
                            vectors: panels.vectors,
                            add: true,
                        };
                        // SAFETY: the band holds all windows of the block; the sums are this part's.
                        unsafe { product.run(self.arch) };
                    }
                }
            }
        });
        let (total, rest) = sums.split_at_mut(values);
        for part in rest.chunks_exact(values) {
            total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
        }
        sums
    }

    fn weight_gradient(&self, x: &Reader<'_>, dy: &GradReader<'_>, dw: &mut [f32], pool: &BufferPool) {
        let g = &self.geometry;
        let panels = Panels::new(self.arch, g.spec.outputs);
        let values = g.spec.kernel * g.spec.kernel * g.spec.inputs * panels.width;
        let sums = if panels.count * values <= FEW_WEIGHTS {
            self.weight_gradient_by_parts(x, dy, panels, pool)
        } else {
            self.weight_gradient_by_tasks(x, dy, panels, pool)
        };
        let dw = Shared::new(dw);
        sums[..panels.count * values].par_chunks(values).enumerate().for_each(|(panel, sums)| {
            let at = Strides { k: panels.width, tap: g.spec.inputs * panels.width };
            // SAFETY: every panel has its own outputs.
            unsafe { scatter(sums, at, (panels, panel), 0..g.spec.inputs, &g.spec, dw) };
        });
    }

    /// For many weights: tasks share maps that stay in the third-level cache, and have weights of their own.
    fn weight_gradient_by_tasks(
        &self,
        x: &Reader<'_>,
        dy: &GradReader<'_>,
        panels: Panels,
        pool: &BufferPool,
    ) -> Scratch {
        let g = &self.geometry;
        let (kernel, stride) = (g.spec.kernel, g.spec.stride);
        let mut images = Images::new(g, panels, pool);
        let (band, out_pixels) = (images.band, g.out_rows * g.out_columns);
        // [panel][row of the window][column, channel][width]
        let run = kernel * g.spec.inputs;
        let panel_values = kernel * run * panels.width;
        let mut sums = Scratch::take(pool, panels.count * panel_values);
        let chunk = if run < 96 { 12 } else { 48 };
        let chunks = run.div_ceil(chunk);
        let rows = (SUMMED / g.out_columns).max(1);
        let shared = Shared::new(&mut sums);
        for block in images.blocks() {
            let there = block.len();
            images.read(x, dy, block.clone(), pool);
            let (inputs, gradients) = images.values();
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
                        add: block.start + image + first > 0,
                    };
                    // SAFETY: the band holds all windows; every task has its own sums.
                    unsafe { product.run(self.arch) };
                }
            });
        }
        sums
    }
}

impl Dense {
    fn forward_to(&self, x: Source<'_>, weight: &[f32], output: Output<'_>, pool: &BufferPool) {
        let g = &self.geometry;
        assert_eq!(output.map.len(), g.out_pixels() * g.spec.outputs, "output");
        let reader = Reader::with_arch(self.arch, x, g.spec.inputs);
        self.convolve(&Pass::forward(g), &reader, &Windows::forward(weight, &g.spec), output, pool);
    }
}

impl ConvKernel for Dense {
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
        let g = &self.geometry;
        let gradient = GradReader::with_arch(self.arch, dy, g.spec.outputs);
        if let Some(dw) = dw {
            assert_eq!(dw.len(), weight.len(), "weight gradient");
            self.weight_gradient(&Reader::with_arch(self.arch, x, g.spec.inputs), &gradient, dw, pool);
        }
        if let Some(sink) = dx {
            assert_eq!(sink.values.len(), g.in_pixels() * g.spec.inputs, "input gradient");
            let windows = Windows::input_gradient(weight, &g.spec);
            let output = Output::gradient(self.arch, sink, g.spec.inputs);
            self.convolve(&Pass::input_gradient(g), &gradient, &windows, output, pool);
        }
    }
}
