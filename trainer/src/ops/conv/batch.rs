//! Maps of some images side by side, as the gradient of the weights reads them again and again.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    super::{
        BufferPool,
        access::{GradReader, Reader},
    },
    Geometry,
    dense_pass::Pass,
    ends::Band,
    panel::Panels,
    scratch::{Scratch, Shared},
};

/// Values that are in the third-level cache at a time; tests have several such blocks of small maps.
const SUPERBLOCK: usize = if cfg!(test) { 1 << 15 } else { 2 << 20 };

/// Inputs with their padding, `[images, band rows, band columns, channels]`, and gradients of the outputs in panels,
/// `[images, panels, pixels, width]`.
pub(super) struct Images {
    geometry: Geometry,
    panels: Panels,
    /// One image of the input.
    pub(super) band: Band,
    images: usize,
    inputs: Scratch,
    gradients: Scratch,
}

impl Images {
    /// Room for as many images as the cache holds.
    pub(super) fn new(g: &Geometry, panels: Panels, pool: &BufferPool) -> Self {
        let mut band = Pass::forward(g).band;
        band.band_rows = (g.out_rows - 1) * g.spec.stride + g.spec.kernel;
        let gradient = g.out_rows * g.out_columns * panels.padded();
        let images = (SUPERBLOCK / (band.len() + gradient)).clamp(1, g.images);
        let inputs = Scratch::take(pool, images * band.len());
        Self { geometry: *g, panels, band, images, inputs, gradients: Scratch::take(pool, images * gradient) }
    }

    /// The images that are held at a time.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (all, step) = (self.geometry.images, self.images);
        (0..all).step_by(step).map(move |first| first..(first + step).min(all))
    }

    /// Inputs and gradients.
    pub(super) fn values(&self) -> (&[f32], &[f32]) {
        (&self.inputs, &self.gradients)
    }

    /// Reads images.
    pub(super) fn read(&mut self, x: &Reader<'_>, dy: &GradReader<'_>, images: Range<usize>, pool: &BufferPool) {
        let (g, band, panels) = (&self.geometry, self.band, self.panels);
        let (outputs, out_pixels) = (g.spec.outputs, g.out_rows * g.out_columns);
        let first = images.start;
        let width = band.band_columns * band.channels;
        let rows = self.inputs[..images.len() * band.len()].par_chunks_mut(width);
        rows.with_min_len(4).enumerate().for_each(|(row, values)| {
            let one = Band { band_rows: 1, ..band };
            let top = (row % band.band_rows) as isize - g.pad_top as isize;
            one.read(x, first + row / band.band_rows, top, values);
        });
        let gradients = Shared::new(&mut self.gradients);
        let read = |values: &mut Scratch, row: usize| {
            let (image, pixel) = (row / g.out_rows, row % g.out_rows * g.out_columns);
            let from = (first + image) * out_pixels + pixel;
            dy.read(from..from + g.out_columns, values);
            for panel in 0..panels.count {
                let channels = panels.width.min(outputs - panel * panels.width);
                let to = ((image * panels.count + panel) * out_pixels + pixel) * panels.width;
                // SAFETY: every task has its own pixels.
                let to = unsafe { gradients.slice(to, g.out_columns * panels.width) };
                for (to, from) in to.chunks_exact_mut(panels.width).zip(values.chunks_exact(outputs)) {
                    to[..channels].copy_from_slice(&from[panel * panels.width..][..channels]);
                }
            }
        };
        let scratch = || Scratch::take(pool, g.out_columns * outputs);
        (0..images.len() * g.out_rows).into_par_iter().for_each_init(scratch, read);
    }
}
