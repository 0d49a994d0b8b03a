//! The mean of an image over rows and columns.

use rayon::prelude::*;

use super::{
    ChannelSums, GradSink, Source,
    access::{PartSums, Reader},
    elementwise::write_parts,
    parts::{blocks, part_pixels},
};

/// `[images, 1, 1, channels]` from a map.
///
/// # Panics
/// Where the lengths disagree.
pub fn forward(x: Source<'_>, images: usize, channels: usize, out: &mut [f32]) {
    assert_eq!(out.len(), images * channels);
    let (pixels, step) = (x.values.len() / channels / images, (4096 / channels).max(1));
    let reader = Reader::new(x, channels);
    out.par_chunks_exact_mut(channels).enumerate().for_each(|(image, out)| {
        let mut sums = PartSums::new(channels);
        let mut scratch = vec![0.0; step * channels];
        for pixels in blocks(image * pixels..(image + 1) * pixels, step) {
            sums.add(reader.view(pixels, &mut scratch));
        }
        let sums = ChannelSums::reduce(channels, [sums]);
        out.iter_mut().zip(&sums.sum).for_each(|(out, sum)| *out = (sum / pixels as f64) as f32);
    });
}

/// Every pixel of an image gets its gradient's share.
///
/// # Panics
/// Where the lengths disagree.
pub fn backward(gradient: &[f32], images: usize, channels: usize, dx: GradSink<'_>) {
    assert_eq!(gradient.len(), images * channels);
    let pixels = dx.values.len() / channels / images;
    let share = 1.0 / pixels as f32;
    let values: Vec<f32> = gradient.iter().map(|g| g * share).collect();
    write_parts(dx, channels, part_pixels(channels), |range, out| {
        for (pixel, out) in range.zip(out.chunks_exact_mut(channels)) {
            let image = pixel / pixels;
            out.copy_from_slice(&values[image * channels..(image + 1) * channels]);
        }
    });
}
