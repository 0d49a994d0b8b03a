//! Gate, layer scale, pooling, layer-norm, sums and batch-norm against their definitions in double precision.

use approx::assert_relative_eq;

use super::{access::tests::reference, batch_norm::*, *};

fn wave(len: usize, step: f32, size: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * step + 0.3).sin() * size).collect()
}

/// (images, pixels of one, channels): no vector filled, one pixel, several parts.
const SIZES: [(usize, usize, usize); 5] = [(1, 1, 1), (3, 5, 7), (2, 49, 24), (1, 900, 96), (2, 3, 1100)];

fn close(found: &[f32], expected: impl IntoIterator<Item = f64>) {
    let expected: Vec<f64> = expected.into_iter().collect();
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert_relative_eq!(f64::from(*found), expected, epsilon = 1e-5 * size);
    }
}

/// A map that is read through batch-norm and an activation.
struct Read {
    x: Vec<f32>,
    norm: [Vec<f32>; 2],
    activation: Activation,
}

impl Read {
    fn new(len: usize, channels: usize, step: f32, activation: Activation) -> Self {
        Self { x: wave(len, step, 2.0), norm: [wave(channels, 0.6, 1.3), wave(channels, 0.2, 0.5)], activation }
    }

    fn source(&self) -> Source<'_> {
        Source { values: &self.x, norm: Some((&self.norm[0], &self.norm[1])), activation: self.activation }
    }

    /// Value and derivative.
    fn at(&self, i: usize) -> (f64, f64) {
        let c = i % self.norm[0].len();
        let pre = f64::from(self.x[i]) * f64::from(self.norm[0][c]) + f64::from(self.norm[1][c]);
        reference(self.activation, pre)
    }

    /// Lets an operation write the gradient of what was read, and compares it and its sums.
    fn check_gradient(&self, write: impl FnOnce(GradSink<'_>), expected: impl Fn(usize) -> f64) {
        let channels = self.norm[0].len();
        let (mut values, mut sums) = (wave(self.x.len(), 0.4, 1.0), ChannelSums::default());
        let before = values.clone();
        write(GradSink { values: &mut values, accumulate: true, input: self.source(), sums: Some(&mut sums) });
        close(&values, (0..values.len()).map(|i| expected(i) * self.at(i).1 + f64::from(before[i])));
        let again = product_sums(&values, &self.x, channels);
        for c in 0..channels {
            assert_relative_eq!(sums.sum[c], again.sum[c], epsilon = 1e-3);
            assert_relative_eq!(sums.product[c], again.product[c], epsilon = 1e-3);
            let product: f64 =
                (c..values.len()).step_by(channels).map(|i| f64::from(values[i]) * f64::from(self.x[i])).sum();
            assert_relative_eq!(again.product[c], product, epsilon = 1e-3);
        }
    }
}

#[test]
fn maps_are_read_and_added() {
    for (images, pixels, channels) in SIZES {
        let len = images * pixels * channels;
        let a = Read::new(len, channels, 0.31, Activation::Relu6);
        let b = Read::new(len, channels, 0.17, Activation::Gelu);
        let mut out = vec![f32::NAN; len];
        materialise(a.source(), channels, &mut out);
        close(&out, (0..len).map(|i| a.at(i).0));
        add(a.source(), b.source(), channels, &mut out);
        close(&out, (0..len).map(|i| a.at(i).0 + b.at(i).0));
        add(a.source(), Source::plain(&b.x), channels, &mut out);
        close(&out, (0..len).map(|i| a.at(i).0 + f64::from(b.x[i])));
        let g = wave(len, 0.77, 1.0);
        b.check_gradient(|sink| store_gradient(&g, channels, sink), |i| f64::from(g[i]));
    }
}

#[test]
fn gates_multiply_each_image_by_its_own() {
    for (images, pixels, channels) in SIZES {
        let len = images * pixels * channels;
        let x = Read::new(len, channels, 0.31, Activation::Silu);
        let gate = Read::new(images * channels, channels, 0.9, Activation::Sigmoid);
        let of = |i: usize| i / (pixels * channels) * channels + i % channels;
        let mut out = vec![f32::NAN; len];
        gate::forward(x.source(), gate.source(), images, channels, &mut out);
        close(&out, (0..len).map(|i| x.at(i).0 * gate.at(of(i)).0));
        let g = wave(len, 0.77, 1.0);
        let back =
            |sinks: [Option<GradSink<'_>>; 2]| gate::backward(x.source(), gate.source(), &g, images, channels, sinks);
        x.check_gradient(|sink| back([Some(sink), None]), |i| f64::from(g[i]) * gate.at(of(i)).0);
        gate.check_gradient(
            |sink| back([None, Some(sink)]),
            |j| (0..len).filter(|i| of(*i) == j).map(|i| f64::from(g[i]) * x.at(i).0).sum(),
        );
    }
}

#[test]
fn layer_scale_multiplies_by_channel() {
    for (images, pixels, channels) in SIZES {
        let len = images * pixels * channels;
        let x = Read::new(len, channels, 0.31, Activation::Gelu);
        let (weight, g) = (wave(channels, 0.5, 1.0), wave(len, 0.77, 1.0));
        let mut out = vec![f32::NAN; len];
        channel_scale::forward(x.source(), &weight, &mut out);
        close(&out, (0..len).map(|i| x.at(i).0 * f64::from(weight[i % channels])));
        let mut d_weight = vec![f32::NAN; channels];
        x.check_gradient(
            |sink| channel_scale::backward(x.source(), &weight, &g, Some(sink), &mut d_weight),
            |i| f64::from(g[i]) * f64::from(weight[i % channels]),
        );
        let sum = |c: usize| (c..len).step_by(channels).map(|i| f64::from(g[i]) * x.at(i).0).sum();
        close(&d_weight, (0..channels).map(sum));
    }
}

#[test]
fn the_pool_is_the_mean_of_each_image() {
    for (images, pixels, channels) in SIZES {
        let len = images * pixels * channels;
        let x = Read::new(len, channels, 0.31, Activation::Relu);
        let mut out = vec![f32::NAN; images * channels];
        global_pool::forward(x.source(), images, channels, &mut out);
        let mean = |j: usize| {
            let first = j / channels * pixels * channels + j % channels;
            (0..pixels).map(|p| x.at(first + p * channels).0).sum::<f64>() / pixels as f64
        };
        close(&out, (0..out.len()).map(mean));
        let g = wave(images * channels, 0.77, 1.0);
        x.check_gradient(
            |sink| global_pool::backward(&g, images, channels, sink),
            |i| f64::from(g[i / (pixels * channels) * channels + i % channels]) / pixels as f64,
        );
    }
}

/// Normalised values, without weight and bias, by the definition.
fn normalised(x: &[f64], channels: usize, epsilon: f64) -> Vec<f64> {
    let pixel = |pixel: &[f64]| {
        let mean = pixel.iter().sum::<f64>() / channels as f64;
        let variance = pixel.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / channels as f64;
        pixel.iter().map(|x| (x - mean) / (variance + epsilon).sqrt()).collect::<Vec<_>>()
    };
    x.chunks(channels).flat_map(pixel).collect()
}

#[test]
fn layer_norm_and_its_gradients_agree_with_finite_differences() {
    for (images, pixels, channels) in [(1, 3, 2), (3, 5, 7), (2, 49, 24), (1, 900, 32)] {
        let (len, epsilon) = (images * pixels * channels, 1e-3);
        let x = Read::new(len, channels, 0.31, Activation::Silu);
        let (weight, bias, g) = (wave(channels, 0.5, 1.0), wave(channels, 0.8, 1.0), wave(len, 0.77, 1.0));
        let values: Vec<f64> = (0..len).map(|i| x.at(i).0).collect();
        let n = normalised(&values, channels, epsilon);
        let mut out = vec![f32::NAN; len];
        layer_norm::forward(x.source(), channels, &weight, &bias, epsilon, &mut out);
        close(&out, (0..len).map(|i| n[i] * f64::from(weight[i % channels]) + f64::from(bias[i % channels])));
        let (mut d_weight, mut d_bias) = (vec![f32::NAN; channels], vec![f32::NAN; channels]);
        let loss = |pixel: &[f64], from: usize| -> f64 {
            let n = normalised(pixel, channels, epsilon);
            (0..channels).map(|c| n[c] * f64::from(weight[c]) * f64::from(g[from + c])).sum()
        };
        let slope = |i: usize| {
            let from = i / channels * channels;
            let mut pixel = values[from..from + channels].to_vec();
            pixel[i - from] += 1e-5;
            let above = loss(&pixel, from);
            pixel[i - from] -= 2e-5;
            (above - loss(&pixel, from)) / 2e-5
        };
        let into = (&mut d_weight[..], &mut d_bias[..]);
        x.check_gradient(
            |sink| layer_norm::backward(x.source(), channels, &weight, epsilon, &g, Some(sink), into),
            slope,
        );
        let sum = |c: usize, n: &dyn Fn(usize) -> f64| (c..len).step_by(channels).map(|i| f64::from(g[i]) * n(i)).sum();
        close(&d_weight, (0..channels).map(|c| sum(c, &|i| n[i])));
        close(&d_bias, (0..channels).map(|c| sum(c, &|_| 1.0)));
    }
}

#[test]
fn batch_norm_agrees_with_finite_differences() {
    let (pixels, channels, epsilon) = (11, 3, 1e-3);
    let y = wave(pixels * channels, 0.37, 2.0);
    let (weight, bias, g) = (wave(channels, 0.5, 1.0), wave(channels, 0.8, 1.0), wave(y.len(), 0.77, 1.0));
    let (mean, variance) = product_sums(&y, &y, channels).moments(pixels);
    let norm = Normalisation::new(&weight, &bias, mean.clone(), &variance, epsilon);
    let column = |y: &[f32], c: usize| -> Vec<f64> { y[c..].iter().step_by(channels).map(|x| f64::from(*x)).collect() };
    let sums = product_sums(&g, &y, channels);
    let (moving, frozen) = (norm.backward(&sums, Some(pixels)), norm.backward(&sums, None));
    for c in 0..channels {
        let (y, g) = (column(&y, c), column(&g, c));
        let n = normalised(&y, pixels, epsilon);
        for (y, n) in y.iter().zip(&n) {
            let z = y * f64::from(norm.scale[c]) + f64::from(norm.shift[c]);
            assert_relative_eq!(z, n * f64::from(weight[c]) + f64::from(bias[c]), epsilon = 1e-5);
        }
        let dot = |n: &[f64]| n.iter().zip(&g).map(|(n, g)| n * g).sum::<f64>();
        assert_relative_eq!(f64::from(moving.weight[c]), dot(&n), epsilon = 1e-5);
        assert_relative_eq!(f64::from(moving.bias[c]), g.iter().sum::<f64>(), epsilon = 1e-5);
        assert_eq!((&moving.weight, &moving.bias), (&frozen.weight, &frozen.bias));
        for i in 0..pixels {
            let mut moved = y.clone();
            moved[i] += 1e-5;
            let above = dot(&normalised(&moved, pixels, epsilon));
            moved[i] -= 2e-5;
            let slope = (above - dot(&normalised(&moved, pixels, epsilon))) / 2e-5 * f64::from(weight[c]);
            let [a, b, constant] = moving.factors.each_ref().map(|f| f64::from(f[c]));
            assert_relative_eq!(a * g[i] + b * y[i] + constant, slope, epsilon = 1e-5);
        }
        assert_eq!(frozen.factors.each_ref().map(|f| f[c]), [norm.scale[c], 0.0, 0.0]);
    }
    let (mut running_mean, mut running_variance) = (vec![1.0; channels], vec![2.0; channels]);
    update_running((&mut running_mean, &mut running_variance), (&mean, &variance), pixels, 0.1);
    for c in 0..channels {
        assert_relative_eq!(f64::from(running_mean[c]), 0.9 + 0.1 * mean[c], epsilon = 1e-6);
        assert_relative_eq!(f64::from(running_variance[c]), 1.8 + 0.1 * variance[c] * 1.1, epsilon = 1e-6);
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let (images, pixels, channels) = (3, 4000, 24);
    let len = images * pixels * channels;
    let x = Read::new(len, channels, 0.31, Activation::Silu);
    let (weight, g) = (wave(channels, 0.5, 1.0), wave(len, 0.77, 1.0));
    let run = |threads: usize| {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        threads.install(|| {
            let (mut dx, mut dw, mut db) = (vec![0.0; len], vec![0.0; channels], vec![0.0; channels]);
            let mut sums = ChannelSums::default();
            let sink = GradSink { values: &mut dx, accumulate: false, input: x.source(), sums: Some(&mut sums) };
            layer_norm::backward(x.source(), channels, &weight, 1e-5, &g, Some(sink), (&mut dw, &mut db));
            let mut pooled = vec![0.0; images * channels];
            global_pool::forward(x.source(), images, channels, &mut pooled);
            let mut scaled = vec![0.0; channels];
            channel_scale::backward(x.source(), &weight, &g, None, &mut scaled);
            ([dx, dw, db, pooled, scaled].concat().into_iter().map(f32::to_bits).collect::<Vec<_>>(), sums)
        })
    };
    let one = run(1);
    assert!((2..=3).all(|threads| run(threads) == one));
}
