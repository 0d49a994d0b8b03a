use approx::assert_relative_eq;

use super::{super::lanes::paths, *};

const ALL: [Activation; 6] = [
    Activation::Identity,
    Activation::Relu,
    Activation::Relu6,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::Gelu,
];

fn wave(len: usize, step: f32, size: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * step + 0.3).sin() * size).collect()
}

/// erfc by its continued fraction or series, in double precision.
fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    if x > 2.5 {
        let tail = (1..200).rev().fold(x, |tail, k| x + f64::from(k) / 2.0 / tail);
        return (-x * x).exp() / (tail * std::f64::consts::PI.sqrt());
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    1.0 - sum * std::f64::consts::FRAC_2_SQRT_PI
}

/// The activation and its derivative by their definitions.
pub(crate) fn reference(activation: Activation, x: f64) -> (f64, f64) {
    let sigmoid = 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::Identity => (x, 1.0),
        Activation::Relu => (x.max(0.0), f64::from(u8::from(x > 0.0))),
        Activation::Relu6 => (x.clamp(0.0, 6.0), f64::from(u8::from(x > 0.0 && x < 6.0))),
        Activation::Silu => (x * sigmoid, sigmoid * (1.0 + x * (1.0 - sigmoid))),
        Activation::Sigmoid => (sigmoid, sigmoid * (1.0 - sigmoid)),
        Activation::Gelu => {
            let below = 0.5 * erfc(-x / 2f64.sqrt());
            let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            (x * below, below + x * density)
        }
    }
}

#[test]
fn activations_are_accurate_over_their_whole_range() {
    // 0 and 6, where ReLU and ReLU6 bend, are among them.
    let x: Vec<f32> = (-1600..=1600).map(|i| i as f32 / 160.0).chain([-80.0, -30.0, 30.0, 80.0]).collect();
    let ones = vec![1.0; x.len()];
    for arch in paths() {
        for activation in ALL {
            let source = Source { activation, ..Source::plain(&x) };
            let (mut value, mut gradient) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
            Reader::with_arch(arch, source, 1).read(0..x.len(), &mut value);
            Writer::with_arch(arch, source, false, 1).write(0, &ones, &mut gradient, None);
            for ((x, value), gradient) in x.iter().zip(value).zip(gradient) {
                let (v, g) = reference(activation, f64::from(*x));
                // Far below 0 the results are of no weight; single precision cannot hold some of them.
                assert_relative_eq!(f64::from(value), v, max_relative = 2e-6, epsilon = 1e-10);
                assert_relative_eq!(f64::from(gradient), g, max_relative = 5e-6, epsilon = 2e-7);
            }
        }
    }
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    let x = [f32::NAN; 17];
    for activation in ALL {
        {
            let mut out = [0.0; 17];
            Reader::with_arch(Arch::new(), Source { activation, ..Source::plain(&x) }, 1).read(0..16, &mut out[..16]);
            assert!(out[..16].iter().all(|v| v.is_nan()), "{activation:?} {out:?}");
        }
    }
}

#[test]
fn reading_and_writing_agree_with_the_definition() {
    for arch in paths() {
        for (channels, pixels) in [(1, 1), (3, 50), (16, 9), (24, 7), (37, 21), (40, 5), (96, 11), (1280, 3)] {
            let len = channels * pixels;
            let (x, dz, before) = (wave(len, 0.37, 4.0), wave(len, 0.11, 1.0), wave(len, 0.05, 0.5));
            let (scale, shift) = (wave(channels, 0.7, 1.5), wave(channels, 0.2, 1.0));
            let third = wave(channels, 1.3, 0.2);
            // Not from the first pixel on, so that a reader's tables must begin at the stretch.
            let first = pixels / 3;
            let read = first * channels..len;
            for activation in ALL {
                let source = Source { values: &x, norm: Some((&scale, &shift)), activation };
                let reader = Reader::with_arch(arch, source, channels);
                let mut out = vec![f32::NAN; read.len()];
                reader.read(first..pixels, &mut out);
                let pre = |i: usize| f64::from(x[i]) * f64::from(scale[i % channels]) + f64::from(shift[i % channels]);
                for (i, value) in read.clone().zip(&out) {
                    assert_relative_eq!(
                        f64::from(*value),
                        reference(activation, pre(i)).0,
                        max_relative = 1e-5,
                        epsilon = 1e-5
                    );
                }
                for accumulate in [false, true] {
                    let mut into = before[read.clone()].to_vec();
                    let mut sums = PartSums::with_arch(arch, channels);
                    let writer = Writer::with_arch(arch, source, accumulate, channels);
                    writer.write(first, &dz[read.clone()], &mut into, Some(&mut sums));
                    let sums = ChannelSums::reduce(channels, [sums]);
                    let mut expected = ChannelSums::zeros(channels);
                    for (i, value) in read.clone().zip(&into) {
                        let old = if accumulate { f64::from(before[i]) } else { 0.0 };
                        let g = f64::from(dz[i]) * reference(activation, pre(i)).1 + old;
                        assert_relative_eq!(f64::from(*value), g, max_relative = 1e-5, epsilon = 1e-5);
                        expected.sum[i % channels] += g;
                        expected.product[i % channels] += g * f64::from(x[i]);
                    }
                    for channel in 0..channels {
                        assert_relative_eq!(sums.sum[channel], expected.sum[channel], epsilon = 1e-4);
                        assert_relative_eq!(sums.product[channel], expected.product[channel], epsilon = 1e-4);
                    }
                    if !accumulate {
                        let mut in_place = dz[read.clone()].to_vec();
                        writer.finish(first, &mut in_place, None);
                        assert_eq!(in_place, into);
                    }
                }
            }
            let source = GradSource { values: &dz, norm: Some((&x, [&scale, &shift, &third])) };
            let mut out = vec![f32::NAN; read.len()];
            GradReader::with_arch(arch, source, channels).read(first..pixels, &mut out);
            for (i, value) in read.clone().zip(&out) {
                let c = i % channels;
                assert_relative_eq!(*value, scale[c] * dz[i] + shift[c] * x[i] + third[c], epsilon = 1e-5);
            }
        }
    }
}

#[test]
fn plain_maps_are_not_copied() {
    let x = wave(12, 1.0, 1.0);
    let reader = Reader::new(Source::plain(&x), 3);
    assert_eq!(reader.view(1..3, &mut []).as_ptr(), x[3..].as_ptr());
    assert_eq!(GradReader::new(GradSource::plain(&x), 3).view(2..4, &mut []), &x[6..]);
    let relu = Reader::new(Source { activation: Activation::Relu, ..Source::plain(&x) }, 3);
    assert!(relu.as_plain(0..1).is_none());
}

/// Sums in single precision alone would be off by 1e-4 here.
#[test]
fn sums_of_many_pixels_keep_their_precision() {
    let pixels = 200_000;
    let x: Vec<f32> = (0..pixels).map(|i| 3.0 + (i % 7) as f32 * 0.001).collect();
    let (sum, product) = x.iter().fold((0.0, 0.0), |(s, p), x| (s + f64::from(*x), p + f64::from(*x).powi(2)));
    let mut parts = PartSums::new(1);
    parts.add(&x);
    let sums = ChannelSums::reduce(1, [parts]);
    assert_relative_eq!(sums.sum[0], sum, max_relative = 1e-6);
    assert_relative_eq!(sums.product[0], product, max_relative = 1e-6);
}
