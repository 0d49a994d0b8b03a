//! Convolutions in groups of channels (ResNeXt), directly.
//!
//! Groups that fill vectors are dense convolutions side by side, whose windows are read where they stand. Narrower groups
//! share vectors: see [`super::grouped_lanes`].

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
    grouped_lanes::{LaneGather, LaneOuter, Spread},
    panel::{Gather, Outer, Panels, vector_lanes},
    scratch::Scratch,
};

/// Pixels of the output that are summed over at a time: they stay in the first-level cache.
const SUMMED: usize = 112;

/// The kernel for any number of groups.
#[derive(Debug, Clone)]
pub struct Grouped {
    geometry: Geometry,
    arch: Arch,
}

/// A convolution in one direction.
struct Direction<'a> {
    pass: Pass,
    weight: &'a [f32],
    /// Inputs and outputs of a group, in this direction.
    ins: usize,
    outs: usize,
    taps: usize,
    /// Whether it gives the input's gradient.
    back: bool,
}

impl Direction<'_> {
    /// The weight from input c of its group to an output; 0 where there is no such output.
    #[inline(always)]
    fn weight(&self, output: usize, c: usize, tap: usize) -> f32 {
        if output >= self.pass.outputs {
            return 0.0;
        }
        let group = output / self.outs;
        if self.back {
            let window = (group * self.ins + c) * self.outs + output % self.outs;
            self.weight[window * self.taps + self.taps - 1 - tap]
        } else {
            self.weight[(output * self.ins + c) * self.taps + tap]
        }
    }

    /// Weights `[panel][phase][tap][input][width]` of panels of so many outputs.
    fn weights(&self, width: usize, pool: &BufferPool) -> Scratch {
        let panel_values = self.taps * self.ins * width;
        let panels = self.pass.outputs.div_ceil(width);
        let mut all = Scratch::take(pool, panels * panel_values);
        all.par_chunks_mut(panel_values).enumerate().for_each(|(panel, all)| {
            let order = self.pass.phases.iter().flat_map(|phase| &phase.taps);
            for (tap, all) in order.zip(all.chunks_exact_mut(self.ins * width)) {
                for (c, all) in all.chunks_exact_mut(width).enumerate() {
                    for (lane, value) in all.iter_mut().enumerate() {
                        *value = self.weight(panel * width + lane, c, *tap);
                    }
                }
            }
        });
        all
    }

    /// Where each tap of a phase is from the pixel's offset on, in pixels of the band.
    fn taps(&self, phase: &Phase) -> Vec<usize> {
        let channels = self.pass.band.channels;
        let runs = phase.runs.iter();
        runs.flat_map(|run| (0..phase.len / channels).map(move |column| run / channels + column)).collect()
    }

    /// Each phase's pixels and taps, in values from the first of a band whose pixels have so many.
    fn places(&self, pixel: usize) -> Vec<(&Phase, Vec<usize>, Vec<usize>)> {
        let channels = self.pass.band.channels;
        let phases = self.pass.phases.iter();
        let scaled = phases.map(|phase| {
            let offsets = phase.offsets.iter().map(|offset| offset / channels * pixel);
            (phase, offsets.collect(), self.taps(phase).into_iter().map(|tap| tap * pixel).collect())
        });
        scaled.collect()
    }

    fn most_pixels(&self) -> usize {
        self.pass.phases.iter().map(|phase| phase.targets.len()).max().unwrap_or(0)
    }
}

impl Grouped {
    /// Whether such a convolution can be done.
    pub fn supports(geometry: &Geometry) -> bool {
        let spec = &geometry.spec;
        spec.groups > 0 && spec.inputs.is_multiple_of(spec.groups) && spec.outputs.is_multiple_of(spec.groups)
    }

    /// The kernel for one size of maps.
    ///
    /// # Panics
    /// Where [`Grouped::supports`] says no.
    pub fn new(geometry: Geometry) -> Self {
        Self::with_arch(geometry, Arch::new())
    }

    /// With a chosen instruction set.
    pub fn with_arch(geometry: Geometry, arch: Arch) -> Self {
        assert!(Self::supports(&geometry), "{geometry:?}");
        Self { geometry, arch }
    }

    /// Inputs, outputs of a group, and taps.
    fn group(&self) -> (usize, usize, usize) {
        let spec = &self.geometry.spec;
        (spec.inputs / spec.groups, spec.outputs / spec.groups, spec.kernel * spec.kernel)
    }

    /// The panels of a group's outputs, where they fill vectors.
    fn panels(&self, outs: usize) -> Option<Panels> {
        let panels = Panels::new(self.arch, outs);
        (panels.padded() == outs).then_some(panels)
    }

    fn convolve(&self, direction: &Direction<'_>, reader: &impl MapReader, output: Output<'_>, pool: &BufferPool) {
        let Direction { pass, ins, outs, taps, .. } = direction;
        let (ins, outs, outputs, channels) = (*ins, *outs, pass.outputs, pass.band.channels);
        let most = direction.most_pixels();
        if let Some(panels) = self.panels(outs) {
            let width = panels.width;
            let (weights, places) = (direction.weights(width, pool), direction.places(channels));
            pass.run(self.arch, reader, output, pool, most * width, |band, products, values| {
                for (panel, weights) in weights.chunks_exact(taps * ins * width).enumerate() {
                    let mut b = weights.as_ptr();
                    for (phase, offsets, taps) in &places {
                        let target = (&mut *values, outputs, panel * width);
                        phase.write(target, (&mut *products, width), |there, c, targets| {
                            let product = Gather {
                                a: band[panel * width / outs * ins..].as_ptr(),
                                offsets: &offsets[..there],
                                runs: taps,
                                len: ins,
                                b,
                                c,
                                targets,
                                vectors: panels.vectors,
                                add: false,
                            };
                            // SAFETY: the pass makes all places within its band; `write` gives room for a phase.
                            unsafe { product.run(self.arch) };
                        });
                        b = b.wrapping_add(taps.len() * ins * width);
                    }
                }
            });
            return;
        }
        let width = vector_lanes(self.arch);
        let (weights, places) = (direction.weights(width, pool), direction.places(ins * width));
        let spreads: Vec<Spread> =
            (0..outputs).step_by(width).map(|from| Spread::new(width, from, outputs, ins, outs)).collect();
        let spread_values = (pass.band.len() / channels * ins * width).next_multiple_of(16);
        let scratch = spread_values + most * width;
        pass.run(self.arch, reader, output, pool, scratch, |band, scratch, values| {
            let (inputs, products) = scratch.split_at_mut(spread_values);
            for (panel, weights) in weights.chunks_exact(taps * ins * width).enumerate() {
                spreads[panel].apply(self.arch, band, channels, inputs);
                let mut b = weights.as_ptr();
                for (phase, offsets, taps) in &places {
                    let target = (&mut *values, outputs, panel * width);
                    phase.write(target, (&mut *products, width), |there, c, targets| {
                        let product = LaneGather {
                            a: inputs.as_ptr(),
                            offsets: &offsets[..there],
                            runs: taps,
                            len: ins,
                            b,
                            c,
                            targets,
                        };
                        // SAFETY: the pass makes all places within its band, which is spread whole.
                        unsafe { product.run(self.arch) };
                    });
                    b = b.wrapping_add(taps.len() * ins * width);
                }
            }
        });
    }

    fn weight_gradient(&self, x: &Reader<'_>, dy: &GradReader<'_>, dw: &mut [f32], pool: &BufferPool) {
        let g = &self.geometry;
        let (ins, outs, taps) = self.group();
        let lanes = vector_lanes(self.arch);
        let wide = self.panels(outs).map(|panels| Panels { count: g.spec.outputs / panels.width, ..panels });
        let panels = wide.unwrap_or(Panels { vectors: 1, width: lanes, count: g.spec.outputs.div_ceil(lanes) });
        let mut images = Images::new(g, panels, pool);
        // [panel][tap][input][width]
        let panel_values = taps * ins * panels.width;
        let mut sums = Scratch::take(pool, panels.count * panel_values);
        sums.fill(0.0);
        for block in images.blocks() {
            images.read(x, dy, block.clone(), pool);
            let sum = |(panel, sums): (usize, &mut [f32])| {
                if wide.is_some() {
                    self.sum_wide(&images, block.len(), panels, panel, sums);
                } else {
                    self.sum_lanes(&images, block.len(), panels, panel, sums, pool);
                }
            };
            sums.par_chunks_mut(panel_values).enumerate().for_each(sum);
        }
        for (output, dw) in dw.chunks_exact_mut(ins * taps).enumerate() {
            let sums = &sums[output / panels.width * panel_values + output % panels.width..];
            for (i, dw) in dw.iter_mut().enumerate() {
                *dw = sums[(i % taps * ins + i / taps) * panels.width];
            }
        }
    }

    /// Output rows that are summed over at a time: image and first row of each part, and rows.
    fn parts(&self, images: usize) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (all, rows) = (self.geometry.out_rows, (SUMMED / self.geometry.out_columns).max(1));
        (0..images).flat_map(move |image| (0..all).step_by(rows).map(move |row| (image, row, rows.min(all - row))))
    }

    /// One panel of groups that fill vectors.
    fn sum_wide(&self, images: &Images, count: usize, panels: Panels, panel: usize, sums: &mut [f32]) {
        let g = &self.geometry;
        let (ins, outs, _) = self.group();
        let (band, (inputs, gradients)) = (images.band, images.values());
        let pixel = |row: usize, column: usize| (row * band.band_columns + column) * band.channels;
        for (image, first, rows) in self.parts(count) {
            for (tap, sums) in sums.chunks_exact_mut(ins * panels.width).enumerate() {
                let (i, j) = (tap / g.spec.kernel, tap % g.spec.kernel);
                let from = image * band.len() + pixel(first * g.spec.stride + i, j) + panel * panels.width / outs * ins;
                let at = (image * panels.count + panel) * g.out_rows + first;
                let product = Outer {
                    a: inputs[from..].as_ptr(),
                    a_row: pixel(g.spec.stride, 0),
                    a_step: g.spec.stride * band.channels,
                    b: gradients[at * g.out_columns * panels.width..].as_ptr(),
                    rows,
                    count: g.out_columns,
                    values: ins,
                    c: sums.as_mut_ptr(),
                    vectors: panels.vectors,
                    add: true,
                };
                // SAFETY: the band holds all windows; the sums are of this tap.
                unsafe { product.run(self.arch) };
            }
        }
    }

    /// One vector of narrow groups.
    fn sum_lanes(
        &self,
        images: &Images,
        count: usize,
        panels: Panels,
        panel: usize,
        sums: &mut [f32],
        pool: &BufferPool,
    ) {
        let g = &self.geometry;
        let (ins, outs, _) = self.group();
        let (kernel, stride, width) = (g.spec.kernel, g.spec.stride, panels.width);
        let (band, (inputs, gradients)) = (images.band, images.values());
        let spread = Spread::new(width, panel * width, g.spec.outputs, ins, outs);
        let row = band.band_columns * band.channels;
        let spread_row = band.band_columns * ins * width;
        let most = (SUMMED / g.out_columns).max(1).min(g.out_rows);
        let mut spread_inputs = Scratch::take(pool, ((most - 1) * stride + kernel) * spread_row);
        for (image, first, rows) in self.parts(count) {
            let from = image * band.len() + first * stride * row;
            let there = &inputs[from..][..((rows - 1) * stride + kernel) * row];
            spread.apply(self.arch, there, band.channels, &mut spread_inputs);
            let at = (image * panels.count + panel) * g.out_rows + first;
            for (i, sums) in sums.chunks_exact_mut(kernel * ins * width).enumerate() {
                let product = LaneOuter {
                    a: spread_inputs[i * spread_row..].as_ptr(),
                    a_row: stride * spread_row,
                    a_step: stride * ins * width,
                    b: gradients[at * g.out_columns * width..].as_ptr(),
                    rows,
                    count: g.out_columns,
                    vectors: kernel * ins,
                    c: sums.as_mut_ptr(),
                };
                // SAFETY: the band holds all windows; the sums are of this row of the window.
                unsafe { product.run(self.arch) };
            }
        }
    }
}

impl Grouped {
    fn forward_to(&self, x: Source<'_>, weight: &[f32], output: Output<'_>, pool: &BufferPool) {
        let g = &self.geometry;
        let (ins, outs, taps) = self.group();
        let sizes = (output.map.len(), weight.len());
        assert_eq!(sizes, (g.out_pixels() * g.spec.outputs, g.spec.outputs * ins * taps), "output and weights");
        let direction = Direction { pass: Pass::forward(g), weight, ins, outs, taps, back: false };
        let reader = Reader::with_arch(self.arch, x, g.spec.inputs);
        self.convolve(&direction, &reader, output, pool);
    }
}

impl ConvKernel for Grouped {
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
        let (ins, outs, taps) = self.group();
        assert_eq!(weight.len(), g.spec.outputs * ins * taps, "weights");
        let gradient = GradReader::with_arch(self.arch, dy, g.spec.outputs);
        if let Some(dw) = dw {
            assert_eq!(dw.len(), weight.len(), "weight gradient");
            self.weight_gradient(&Reader::with_arch(self.arch, x, g.spec.inputs), &gradient, dw, pool);
        }
        if let Some(sink) = dx {
            assert_eq!(sink.values.len(), g.in_pixels() * g.spec.inputs, "input gradient");
            // In this direction, a group's outputs come in and its inputs go out.
            let (ins, outs) = (outs, ins);
            let direction = Direction { pass: Pass::input_gradient(g), weight, ins, outs, taps, back: true };
            let output = Output::gradient(self.arch, sink, g.spec.inputs);
            self.convolve(&direction, &gradient, output, pool);
        }
    }
}
