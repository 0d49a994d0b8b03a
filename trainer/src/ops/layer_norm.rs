//! Normalisation of each pixel over its channels (J. L. Ba, J. R. Kiros, G. E. Hinton, 2016).

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{
    ChannelSums, GradSink, Source,
    access::{PartSums, Reader},
    parts::{part_pixels, split},
};

/// `out = weight (x - mean) / sqrt(variance + epsilon) + bias`, mean and (biased) variance being each pixel's.
///
/// # Panics
/// Where the lengths disagree.
pub fn forward(x: Source<'_>, channels: usize, weight: &[f32], bias: &[f32], epsilon: f64, out: &mut [f32]) {
    assert!(x.values.len() == out.len() && weight.len() == channels && bias.len() == channels);
    let (reader, part) = (Reader::new(x, channels), part_pixels(channels));
    out.par_chunks_mut(part * channels).enumerate().for_each(|(i, out)| {
        let first = i * part;
        reader.read(first..first + out.len() / channels, out);
        Arch::new().dispatch(Forward { values: out, weight, bias, epsilon: epsilon as f32 });
    });
}

/// In place.
struct Forward<'a> {
    values: &'a mut [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    epsilon: f32,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for pixel in self.values.chunks_exact_mut(self.weight.len()) {
            let (mean, inverse) = moments(simd, pixel, self.epsilon);
            let (means, inverses) = (simd.splat_f32s(mean), simd.splat_f32s(inverse));
            let (x, x_tail) = S::as_mut_simd_f32s(pixel);
            let (weight, weight_tail) = S::as_simd_f32s(self.weight);
            let (bias, bias_tail) = S::as_simd_f32s(self.bias);
            for ((x, weight), bias) in x.iter_mut().zip(weight).zip(bias) {
                let normal = simd.mul_f32s(simd.sub_f32s(*x, means), inverses);
                *x = simd.mul_add_e_f32s(normal, *weight, *bias);
            }
            for ((x, weight), bias) in x_tail.iter_mut().zip(weight_tail).zip(bias_tail) {
                *x = (*x - mean) * inverse * weight + bias;
            }
        }
    }
}

/// Mean and inverse deviation of a pixel.
#[inline(always)]
fn moments<S: Simd>(simd: S, pixel: &[f32], epsilon: f32) -> (f32, f32) {
    let count = pixel.len() as f32;
    let (vectors, tail) = S::as_simd_f32s(pixel);
    let mut sum = simd.splat_f32s(0.0);
    for x in vectors {
        sum = simd.add_f32s(sum, *x);
    }
    let mean = (simd.reduce_sum_f32s(sum) + tail.iter().sum::<f32>()) / count;
    let means = simd.splat_f32s(mean);
    let mut squares = simd.splat_f32s(0.0);
    for x in vectors {
        let centred = simd.sub_f32s(*x, means);
        squares = simd.mul_add_e_f32s(centred, centred, squares);
    }
    let tail: f32 = tail.iter().map(|x| (x - mean) * (x - mean)).sum();
    let variance = (simd.reduce_sum_f32s(squares) + tail) / count;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

/// The gradients of the map, where it is asked for, and of weight and bias (overwritten).
///
/// With n = (x - mean) / deviation and g = dy weight: `dx = (g - mean(g) - n mean(g n)) / deviation`,
/// `dweight = sum dy n`, `dbias = sum dy`.
///
/// # Panics
/// Where the lengths disagree.
pub fn backward(
    x: Source<'_>,
    channels: usize,
    weight: &[f32],
    epsilon: f64,
    gradient: &[f32],
    dx: Option<GradSink<'_>>,
    (d_weight, d_bias): (&mut [f32], &mut [f32]),
) {
    assert!(x.values.len() == gradient.len() && weight.len() == channels);
    let (reader, part) = (Reader::new(x, channels), part_pixels(channels));
    let (writer, values, sums) = match dx.map(|sink| sink.split(channels)) {
        Some((writer, values, sums)) => (Some(writer), values, sums),
        None => (None, &mut [][..], None),
    };
    let owned = if writer.is_some() { part * channels } else { 0 };
    let starts: Vec<usize> = (0..gradient.len() / channels).step_by(part).collect();
    let total = values.len();
    let pieces = split(values, starts.iter().enumerate().map(|(i, _)| owned.min(total.saturating_sub(i * owned))));
    let step = (4096 / channels).max(1);
    let done: Vec<(PartSums, Option<PartSums>)> = starts
        .into_par_iter()
        .zip(pieces)
        .map(|(start, mut into)| {
            let end = (start + part).min(gradient.len() / channels);
            // Sums of dy and of dy n.
            let mut own = PartSums::new(channels);
            let mut written = sums.is_some().then(|| PartSums::new(channels));
            let (mut normal, mut product) = (vec![0.0; step * channels], vec![0.0; step * channels]);
            for pixels in super::parts::blocks(start..end, step) {
                let (first, len) = (pixels.start, pixels.len() * channels);
                let gradient = &gradient[first * channels..first * channels + len];
                let (normal, product) = (&mut normal[..len], &mut product[..len]);
                reader.read(pixels, normal);
                Arch::new().dispatch(Backward { normal, product, gradient, weight, epsilon: epsilon as f32 });
                own.add_products(gradient, normal);
                if let Some(writer) = &writer {
                    let (values, rest) = into.split_at_mut(len);
                    into = rest;
                    writer.write(first, product, values, written.as_mut());
                }
            }
            (own, written)
        })
        .collect();
    let (own, written): (Vec<_>, Vec<_>) = done.into_iter().unzip();
    let own = ChannelSums::reduce(channels, own);
    d_weight.iter_mut().zip(&own.product).for_each(|(into, sum)| *into = *sum as f32);
    d_bias.iter_mut().zip(&own.sum).for_each(|(into, sum)| *into = *sum as f32);
    if let Some(sums) = sums {
        *sums = ChannelSums::reduce(channels, written.into_iter().flatten());
    }
}

/// Normalises x in place and computes its gradient.
struct Backward<'a> {
    normal: &'a mut [f32],
    product: &'a mut [f32],
    gradient: &'a [f32],
    weight: &'a [f32],
    epsilon: f32,
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.weight.len();
        let pixels = self.normal.chunks_exact_mut(channels).zip(self.product.chunks_exact_mut(channels));
        for ((normal, product), gradient) in pixels.zip(self.gradient.chunks_exact(channels)) {
            let (mean, inverse) = moments(simd, normal, self.epsilon);
            let sums = project(simd, normal, product, (gradient, self.weight), (mean, inverse));
            let (g_mean, gn_mean) = (sums.0 / channels as f32, sums.1 / channels as f32);
            let (g_means, gn_means) = (simd.splat_f32s(g_mean), simd.splat_f32s(gn_mean));
            let inverses = simd.splat_f32s(inverse);
            let (normal, normal_tail) = S::as_simd_f32s(normal);
            let (product, product_tail) = S::as_mut_simd_f32s(product);
            for (product, normal) in product.iter_mut().zip(normal) {
                let rest = simd.sub_f32s(simd.sub_f32s(*product, g_means), simd.mul_f32s(*normal, gn_means));
                *product = simd.mul_f32s(rest, inverses);
            }
            for (product, normal) in product_tail.iter_mut().zip(normal_tail) {
                *product = (*product - g_mean - normal * gn_mean) * inverse;
            }
        }
    }
}

/// `normal = (x - mean) inverse` in place, `product = gradient weight`; the sums of the product and of both.
#[inline(always)]
fn project<S: Simd>(
    simd: S,
    normal: &mut [f32],
    product: &mut [f32],
    (gradient, weight): (&[f32], &[f32]),
    (mean, inverse): (f32, f32),
) -> (f32, f32) {
    let (means, inverses) = (simd.splat_f32s(mean), simd.splat_f32s(inverse));
    let (mut sum, mut both) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
    let (normal, normal_tail) = S::as_mut_simd_f32s(normal);
    let (product, product_tail) = S::as_mut_simd_f32s(product);
    let (gradient, gradient_tail) = S::as_simd_f32s(gradient);
    let (weight, weight_tail) = S::as_simd_f32s(weight);
    for (((n, p), g), w) in normal.iter_mut().zip(product).zip(gradient).zip(weight) {
        *n = simd.mul_f32s(simd.sub_f32s(*n, means), inverses);
        *p = simd.mul_f32s(*g, *w);
        sum = simd.add_f32s(sum, *p);
        both = simd.mul_add_e_f32s(*p, *n, both);
    }
    let mut sums = (simd.reduce_sum_f32s(sum), simd.reduce_sum_f32s(both));
    for (((n, p), g), w) in normal_tail.iter_mut().zip(product_tail).zip(gradient_tail).zip(weight_tail) {
        *n = (*n - mean) * inverse;
        *p = g * w;
        sums.0 += *p;
        sums.1 += *p * *n;
    }
    sums
}
