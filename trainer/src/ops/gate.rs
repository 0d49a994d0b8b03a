//! Multiplication by a factor per channel: one for each image (the gate of squeeze and excitation) or one for all (layer
//! scale).

use std::ops::Range;

use pulp::{Arch, Simd};
use rayon::prelude::*;

use super::{
    ChannelSums, GradSink, Source,
    access::{PartSums, Reader},
    elementwise::{materialise, store_gradient, write_parts},
    lanes::{Body, expand, load, store, walk},
    parts::{blocks, part_pixels},
};

/// Factors by which the images of a map are multiplied.
struct Factors {
    /// Per image, in whole vectors.
    tables: Vec<Vec<f32>>,
    /// Pixels of an image.
    pixels: usize,
    channels: usize,
}

impl Factors {
    fn new(gate: Source<'_>, channels: usize, values: usize) -> Self {
        let mut factors = vec![0.0; gate.values.len()];
        materialise(gate, channels, &mut factors);
        let images = factors.len() / channels;
        assert!(images > 0 && values.is_multiple_of(factors.len()), "{images} gates of {channels} channels");
        let tables = factors.chunks_exact(channels).map(expand).collect();
        Self { tables, pixels: values / factors.len(), channels }
    }

    /// Stretches of pixels that lie within one image.
    fn within_images(&self, pixels: Range<usize>) -> impl Iterator<Item = (&[f32], Range<usize>)> {
        let first = pixels.start / self.pixels;
        self.tables.iter().enumerate().skip(first).map_while(move |(image, table)| {
            let from = pixels.start.max(image * self.pixels);
            let to = pixels.end.min((image + 1) * self.pixels);
            (from < to).then_some((&table[..], from..to))
        })
    }

    /// `out = x factor`; `out` holds the pixels, and `x` is what is there already.
    fn multiply(&self, pixels: Range<usize>, out: &mut [f32]) {
        let first = pixels.start;
        for (table, pixels) in self.within_images(pixels) {
            let out = &mut out[(pixels.start - first) * self.channels..(pixels.end - first) * self.channels];
            let body = MultiplyBody { table: table.as_ptr(), values: out.as_mut_ptr() };
            // SAFETY: `out` has this length, the table the period's.
            unsafe { walk(Arch::new(), out.len(), table.len(), body) };
        }
    }
}

struct MultiplyBody {
    table: *const f32,
    values: *mut f32,
}

impl Body for MultiplyBody {
    #[inline(always)]
    unsafe fn step<S: Simd, const G: usize>(&mut self, simd: S, table: usize, at: usize, stride: usize) {
        // SAFETY: the caller's.
        unsafe {
            let factor = load::<S>(self.table, table);
            for at in (0..G).map(|g| at + g * stride) {
                store::<S>(self.values, at, simd.mul_f32s(load::<S>(self.values, at), factor));
            }
        }
    }
}

/// `out = x gate`; the gate is `[images, 1, 1, channels]`.
///
/// # Panics
/// Where the lengths disagree.
pub fn forward(x: Source<'_>, gate: Source<'_>, images: usize, channels: usize, out: &mut [f32]) {
    assert!(x.values.len() == out.len() && gate.values.len() == images * channels);
    let factors = Factors::new(gate, channels, out.len());
    let (reader, part) = (Reader::new(x, channels), part_pixels(channels));
    // A few pixels at a time stay in the first-level cache.
    let step = (4096 / channels).max(1);
    out.par_chunks_mut(part * channels).enumerate().for_each(|(i, out)| {
        for (j, out) in out.chunks_mut(step * channels).enumerate() {
            let first = i * part + j * step;
            let pixels = first..first + out.len() / channels;
            reader.read(pixels.clone(), out);
            factors.multiply(pixels, out);
        }
    });
}

/// The gradients of the map, `dy gate`, and of the gate, `sum over rows and columns of dy x`.
///
/// # Panics
/// Where the lengths disagree.
pub fn backward(
    x: Source<'_>,
    gate: Source<'_>,
    gradient: &[f32],
    images: usize,
    channels: usize,
    [dx, dgate]: [Option<GradSink<'_>>; 2],
) {
    assert!(x.values.len() == gradient.len() && gate.values.len() == images * channels);
    if let Some(dx) = dx {
        let factors = Factors::new(gate, channels, gradient.len());
        write_parts(dx, channels, part_pixels(channels), |pixels, out| {
            out.copy_from_slice(&gradient[pixels.start * channels..pixels.end * channels]);
            factors.multiply(pixels, out);
        });
    }
    if let Some(dgate) = dgate {
        let sums = image_products(x, gradient, images, channels);
        let values: Vec<f32> = sums.iter().flat_map(|sums| sums.product.iter().map(|x| *x as f32)).collect();
        store_gradient(&values, channels, dgate);
    }
}

/// Per image and channel: the sums of the gradient, and of it times x as it is read.
fn image_products(x: Source<'_>, gradient: &[f32], images: usize, channels: usize) -> Vec<ChannelSums> {
    let (reader, part) = (Reader::new(x, channels), part_pixels(channels));
    let (pixels, step) = (gradient.len() / channels / images, (4096 / channels).max(1));
    let parts: Vec<(usize, Range<usize>)> = (0..images)
        .flat_map(|image| blocks(image * pixels..(image + 1) * pixels, part).map(move |range| (image, range)))
        .collect();
    let done: Vec<(usize, PartSums)> = parts
        .into_par_iter()
        .map(|(image, range)| {
            let mut sums = PartSums::new(channels);
            let mut scratch = vec![0.0; step * channels];
            for pixels in blocks(range, step) {
                let gradient = &gradient[pixels.start * channels..pixels.end * channels];
                sums.add_products(gradient, reader.view(pixels, &mut scratch));
            }
            (image, sums)
        })
        .collect();
    let mut done = done.into_iter().peekable();
    let of_image = |image| {
        let parts: Vec<_> = std::iter::from_fn(|| done.next_if(|(i, _)| *i == image)).map(|(_, sums)| sums).collect();
        ChannelSums::reduce(channels, parts)
    };
    (0..images).map(of_image).collect()
}

/// A factor per channel for all images.
pub mod channel_scale {
    use super::{GradSink, Source};

    /// `out = x weight`.
    ///
    /// # Panics
    /// Where the lengths disagree.
    pub fn forward(x: Source<'_>, weight: &[f32], out: &mut [f32]) {
        super::forward(x, Source::plain(weight), 1, weight.len(), out);
    }

    /// The gradients of the map, `dy weight`, and of the weight, `sum over pixels of dy x` (overwritten).
    ///
    /// # Panics
    /// Where the lengths disagree.
    pub fn backward(x: Source<'_>, weight: &[f32], gradient: &[f32], dx: Option<GradSink<'_>>, d_weight: &mut [f32]) {
        let input = Source::plain(weight);
        let sink = GradSink { values: d_weight, accumulate: false, input, sums: None };
        super::backward(x, input, gradient, 1, weight.len(), [dx, Some(sink)]);
    }
}
