//! Pointwise and depthwise convolutions against the definition in double precision.

use approx::assert_relative_eq;
use pulp::Arch;

use super::{
    super::{Activation, access::tests::reference, lanes::paths},
    *,
};

fn wave(len: usize, step: f32, size: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * step + 0.3).sin() * size).collect()
}

/// All that a convolution reads.
struct Case {
    geometry: Geometry,
    activation: Activation,
    normalised: bool,
    x: Vec<f32>,
    weight: Vec<f32>,
    norm: [Vec<f32>; 2],
    dz: Vec<f32>,
    y: Vec<f32>,
    factors: [Vec<f32>; 3],
    before: Vec<f32>,
}

impl Case {
    fn new(geometry: Geometry, activation: Activation, normalised: bool) -> Self {
        let spec = geometry.spec;
        let (inputs, outputs) = (geometry.in_pixels() * spec.inputs, geometry.out_pixels() * spec.outputs);
        let taps = spec.kernel * spec.kernel;
        Self {
            geometry,
            activation,
            normalised,
            x: wave(inputs, 0.37, 3.0),
            weight: wave(spec.outputs * spec.inputs / spec.groups * taps, 0.71, 0.4),
            norm: [wave(spec.inputs, 0.9, 1.2), wave(spec.inputs, 0.4, 0.7)],
            dz: wave(outputs, 0.13, 1.0),
            y: wave(outputs, 0.29, 1.0),
            factors: [wave(spec.outputs, 0.8, 1.0), wave(spec.outputs, 0.5, 0.1), wave(spec.outputs, 0.3, 0.1)],
            before: wave(inputs, 0.17, 1.0),
        }
    }

    fn source(&self) -> Source<'_> {
        let norm = self.normalised.then_some((&self.norm[0][..], &self.norm[1][..]));
        Source { values: &self.x, norm, activation: self.activation }
    }

    fn gradient(&self) -> GradSource<'_> {
        let [a, b, c] = &self.factors;
        GradSource { values: &self.dz, norm: self.normalised.then_some((&self.y, [a, b, c])) }
    }

    fn pre(&self, at: usize) -> f64 {
        let c = at % self.geometry.spec.inputs;
        let (scale, shift) = if self.normalised { (self.norm[0][c], self.norm[1][c]) } else { (1.0, 0.0) };
        f64::from(scale) * f64::from(self.x[at]) + f64::from(shift)
    }

    /// Each product of the convolution: places of input, weight and output.
    fn products(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let Geometry { spec, images, rows, columns, out_rows, out_columns, pad_top, pad_left } = self.geometry;
        let (group_in, group_out) = (spec.inputs / spec.groups, spec.outputs / spec.groups);
        for image in 0..images {
            for (r, c) in (0..out_rows).flat_map(|r| (0..out_columns).map(move |c| (r, c))) {
                for (ky, kx) in (0..spec.kernel).flat_map(|y| (0..spec.kernel).map(move |x| (y, x))) {
                    let (row, column) = (r * spec.stride + ky, c * spec.stride + kx);
                    if row < pad_top || column < pad_left || row - pad_top >= rows || column - pad_left >= columns {
                        continue;
                    }
                    let pixel = (image * rows + row - pad_top) * columns + column - pad_left;
                    let out = (image * out_rows + r) * out_columns + c;
                    for (o, i) in (0..spec.outputs).flat_map(|o| (0..group_in).map(move |i| (o, i))) {
                        let weight = ((o * group_in + i) * spec.kernel + ky) * spec.kernel + kx;
                        visit(pixel * spec.inputs + o / group_out * group_in + i, weight, out * spec.outputs + o);
                    }
                }
            }
        }
    }

    fn expected_forward(&self) -> Vec<f64> {
        let mut y = vec![0.0; self.y.len()];
        self.products(|x, w, o| y[o] += reference(self.activation, self.pre(x)).0 * f64::from(self.weight[w]));
        y
    }

    /// The gradients of the input before its activation, and of the weights.
    fn expected_backward(&self) -> (Vec<f64>, Vec<f64>) {
        let dy = |o: usize| {
            let c = o % self.geometry.spec.outputs;
            let [a, b, constant] = self.factors.each_ref().map(|f| f64::from(f[c]));
            let dz = f64::from(self.dz[o]);
            if self.normalised { a * dz + b * f64::from(self.y[o]) + constant } else { dz }
        };
        let (mut dx, mut dw) = (vec![0.0; self.x.len()], vec![0.0; self.weight.len()]);
        self.products(|x, w, o| {
            dx[x] += dy(o) * f64::from(self.weight[w]);
            dw[w] += dy(o) * reference(self.activation, self.pre(x)).0;
        });
        dx.iter_mut().enumerate().for_each(|(at, dx)| *dx *= reference(self.activation, self.pre(at)).1);
        (dx, dw)
    }

    fn check(&self, kernel: &dyn ConvKernel) {
        self.check_forward(kernel);
        self.check_backward(kernel);
    }

    fn check_forward(&self, kernel: &dyn ConvKernel) {
        let (pool, outputs) = (BufferPool::default(), self.geometry.spec.outputs);
        let expected = self.expected_forward();
        let (mut y, mut sums) = (vec![f32::NAN; expected.len()], ChannelSums::default());
        kernel.forward(self.source(), &self.weight, &mut y, Some(&mut sums), &pool);
        assert_close(&y, &expected);
        assert_sums(&sums, &expected, &expected);
        let bias = wave(outputs, 0.6, 0.5);
        for residual in [None, Some(&self.y[..])] {
            let epilogue = Epilogue { bias: &bias, residual, activation: self.activation };
            kernel.infer(self.source(), &self.weight, epilogue, &mut y, &pool);
            let finish = |(i, y): (usize, &f64)| {
                let added = residual.map_or(0.0, |map| f64::from(map[i]));
                reference(self.activation, y + f64::from(bias[i % outputs]) + added).0
            };
            assert_close(&y, &expected.iter().enumerate().map(finish).collect::<Vec<_>>());
        }
    }

    fn check_backward(&self, kernel: &dyn ConvKernel) {
        let pool = BufferPool::default();
        let (dx, dw) = self.expected_backward();
        let inputs: Vec<f64> = self.x.iter().map(|x| f64::from(*x)).collect();
        for accumulate in [false, true] {
            let (mut values, mut weights) = (self.before.clone(), vec![f32::NAN; dw.len()]);
            let mut sums = ChannelSums::zeros(1);
            let sink = GradSink { values: &mut values, accumulate, input: self.source(), sums: Some(&mut sums) };
            kernel.backward(self.source(), &self.weight, self.gradient(), Some(sink), Some(&mut weights), &pool);
            let before = |at: usize| if accumulate { f64::from(self.before[at]) } else { 0.0 };
            let total: Vec<f64> = dx.iter().enumerate().map(|(at, dx)| dx + before(at)).collect();
            assert_close(&values, &total);
            assert_close(&weights, &dw);
            assert_sums(&sums, &total, &inputs);
        }
        // One gradient alone is the same.
        let mut weights = vec![f32::NAN; dw.len()];
        kernel.backward(self.source(), &self.weight, self.gradient(), None, Some(&mut weights), &pool);
        assert_close(&weights, &dw);
        let mut values = vec![f32::NAN; dx.len()];
        let sink = GradSink { values: &mut values, accumulate: false, input: self.source(), sums: None };
        kernel.backward(self.source(), &self.weight, self.gradient(), Some(sink), None, &pool);
        assert_close(&values, &dx);
    }

    /// The bits of all results under a pool of so many threads.
    fn bits(&self, kernel: &dyn ConvKernel, threads: usize) -> Vec<u64> {
        let pool = BufferPool::default();
        let threads = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (mut y, mut dx, mut dw) = (self.y.clone(), self.before.clone(), self.weight.clone());
        let (mut sums, mut back) = (ChannelSums::default(), ChannelSums::default());
        threads.install(|| {
            kernel.forward(self.source(), &self.weight, &mut y, Some(&mut sums), &pool);
            let sink = GradSink { values: &mut dx, accumulate: false, input: self.source(), sums: Some(&mut back) };
            kernel.backward(self.source(), &self.weight, self.gradient(), Some(sink), Some(&mut dw), &pool);
        });
        let singles = [y, dx, dw].concat().into_iter().map(|x| u64::from(x.to_bits()));
        let doubles = [sums.sum, sums.product, back.sum, back.product].concat().into_iter().map(f64::to_bits);
        singles.chain(doubles).collect()
    }
}

fn assert_close(found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
    for (found, expected) in found.iter().zip(expected) {
        assert_relative_eq!(f64::from(*found), *expected, epsilon = 1e-5 * size);
    }
}

fn assert_sums(sums: &ChannelSums, x: &[f64], y: &[f64]) {
    let channels = sums.sum.len();
    let scale = (x.len() / channels) as f64;
    for c in 0..channels {
        let of_channel = || x.iter().zip(y).skip(c).step_by(channels);
        assert_relative_eq!(sums.sum[c], of_channel().map(|(x, _)| x).sum::<f64>(), epsilon = 2e-5 * scale);
        let products = of_channel().map(|(x, y)| x * y);
        let size = products.clone().map(f64::abs).sum::<f64>();
        assert_relative_eq!(sums.product[c], products.sum::<f64>(), epsilon = 2e-5 * size.max(scale));
    }
}

fn depthwise(channels: usize, kernel: usize, stride: usize, pad: Pad) -> ConvSpec {
    ConvSpec { inputs: channels, outputs: channels, kernel, stride, pad, groups: channels }
}

fn pointwise(inputs: usize, outputs: usize, stride: usize) -> ConvSpec {
    ConvSpec { inputs, outputs, kernel: 1, stride, pad: Pad::Sides(0), groups: 1 }
}

#[test]
fn pointwise_convolutions_agree_with_the_definition() {
    let sizes = [(1, 3, 5, 1, 1), (3, 16, 24, 7, 5), (1, 37, 10, 9, 12), (2, 24, 96, 14, 14), (9, 8, 3, 20, 11)];
    for (i, (images, inputs, outputs, rows, columns)) in sizes.into_iter().enumerate() {
        for stride in [1, 2] {
            let geometry = Geometry::new(pointwise(inputs, outputs, stride), images, rows, columns);
            let activation = [Activation::Relu6, Activation::Silu, Activation::Identity][i % 3];
            Case::new(geometry, activation, true).check(&Pointwise::new(geometry));
            Case::new(geometry, Activation::Identity, false).check(&Pointwise::new(geometry));
        }
    }
}

#[test]
fn depthwise_convolutions_agree_with_the_definition_on_every_path() {
    for arch in paths() {
        for (kernel, stride) in [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1), (7, 2)] {
            let sizes = [(1, 1, 1, 1), (1, 5, 9, 13), (2, 16, 6, 7), (9, 24, 5, 4)];
            for (i, (images, channels, rows, columns)) in sizes.into_iter().enumerate() {
                for pad in [Pad::Same, Pad::Sides(kernel / 2), Pad::Sides(0)] {
                    if pad == Pad::Sides(0) && (rows < kernel || columns < kernel) {
                        continue;
                    }
                    let geometry = Geometry::new(depthwise(channels, kernel, stride, pad), images, rows, columns);
                    let activation = [Activation::Relu6, Activation::Identity, Activation::Relu][i % 3];
                    Case::new(geometry, activation, i > 0).check(&Depthwise::with_arch(arch, geometry));
                }
            }
        }
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    let geometry = Geometry::new(pointwise(20, 40, 1), 3, 21, 17);
    let case = Case::new(geometry, Activation::Relu6, true);
    let one = case.bits(&Pointwise::new(geometry), 1);
    assert!((2..=3).all(|threads| case.bits(&Pointwise::new(geometry), threads) == one));
    let geometry = Geometry::new(depthwise(24, 5, 2, Pad::Same), 3, 21, 17);
    let case = Case::new(geometry, Activation::Relu6, true);
    let one = case.bits(&Depthwise::with_arch(Arch::new(), geometry), 1);
    assert!((2..=3).all(|threads| case.bits(&Depthwise::new(geometry), threads) == one));
}
