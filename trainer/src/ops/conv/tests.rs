//! Every kernel against sums in double precision, straight from the definitions.

use pulp::Arch;

use super::{
    super::{Activation, BufferPool, ChannelSums, GradSink, GradSource, Source, lanes::paths},
    ConvKernel, Dense, Epilogue, Geometry, Grouped, Winograd,
};
use crate::graph::{ConvSpec, Pad};

/// Values that look random, in -1..1.
fn values(len: usize, seed: usize) -> Vec<f32> {
    let hash = |i: usize| ((i as u64 + 1) * (2 * seed as u64 + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    (0..len).map(|i| hash(i) as f32 / (1 << 23) as f32 - 1.0).collect()
}

fn spec(inputs: usize, outputs: usize, kernel: usize, stride: usize, pad: usize, groups: usize) -> ConvSpec {
    ConvSpec { inputs, outputs, kernel, stride, pad: Pad::Sides(pad), groups }
}

/// Calls `f(output pixel, input pixel, tap)` for all that meet.
fn each_tap(g: &Geometry, mut f: impl FnMut(usize, usize, usize)) {
    let kernel = g.spec.kernel;
    for (image, row, column) in (0..g.out_pixels())
        .map(|p| (p / (g.out_rows * g.out_columns), p / g.out_columns % g.out_rows, p % g.out_columns))
    {
        for tap in 0..kernel * kernel {
            let y = (row * g.spec.stride + tap / kernel) as isize - g.pad_top as isize;
            let x = (column * g.spec.stride + tap % kernel) as isize - g.pad_left as isize;
            if (0..g.rows as isize).contains(&y) && (0..g.columns as isize).contains(&x) {
                let input = (image * g.rows + y as usize) * g.columns + x as usize;
                f((image * g.out_rows + row) * g.out_columns + column, input, tap);
            }
        }
    }
}

/// Calls `f(output place, input place, weight place)` for every product of the convolution.
fn each_product(g: &Geometry, mut f: impl FnMut(usize, usize, usize)) {
    let ConvSpec { inputs, outputs, kernel, groups, .. } = g.spec;
    let (ins, outs, taps) = (inputs / groups, outputs / groups, kernel * kernel);
    each_tap(g, |output, input, tap| {
        for o in 0..outputs {
            for i in 0..ins {
                f(output * outputs + o, input * inputs + o / outs * ins + i, (o * ins + i) * taps + tap);
            }
        }
    });
}

struct Reference {
    y: Vec<f64>,
    dx: Vec<f64>,
    dw: Vec<f64>,
}

fn reference(g: &Geometry, x: &[f64], w: &[f32], dy: &[f64]) -> Reference {
    let mut all = Reference { y: vec![0.0; dy.len()], dx: vec![0.0; x.len()], dw: vec![0.0; w.len()] };
    each_product(g, |o, i, tap| {
        all.y[o] += x[i] * f64::from(w[tap]);
        all.dx[i] += dy[o] * f64::from(w[tap]);
        all.dw[tap] += dy[o] * x[i];
    });
    all
}

/// Largest difference, relative to the largest value.
fn error(got: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let scale = expected.iter().fold(1e-9, |m: f64, e| m.max(e.abs()));
    got.iter().zip(expected).fold(0.0, |m: f64, (g, e)| {
        let difference = (f64::from(*g) - e).abs() / scale;
        assert!(difference.is_finite());
        m.max(difference)
    })
}

/// Everything a kernel writes, for one input.
#[derive(Debug, PartialEq)]
struct Results {
    y: Vec<f32>,
    sums: ChannelSums,
    dx: Vec<f32>,
    dx_sums: ChannelSums,
    dw: Vec<f32>,
    inferred: Vec<f32>,
}

/// Inputs of a test: a normalised, rectified input and a gradient under batch-norm.
struct Inputs {
    g: Geometry,
    x: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    w: Vec<f32>,
    dz: Vec<f32>,
    raw: Vec<f32>,
    factors: [Vec<f32>; 3],
    old: Vec<f32>,
    residual: Vec<f32>,
}

impl Inputs {
    fn new(g: Geometry) -> Self {
        let ConvSpec { inputs, outputs, kernel, groups, .. } = g.spec;
        let out = g.out_pixels() * outputs;
        Self {
            g,
            x: values(g.in_pixels() * inputs, 1),
            scale: values(inputs, 2),
            shift: values(inputs, 3),
            w: values(outputs * inputs / groups * kernel * kernel, 4),
            dz: values(out, 5),
            raw: values(out, 6),
            factors: [7, 8, 9].map(|seed| values(outputs, seed)),
            old: values(g.in_pixels() * inputs, 10),
            residual: values(out, 11),
        }
    }

    fn source(&self) -> Source<'_> {
        Source { values: &self.x, norm: Some((&self.scale, &self.shift)), activation: Activation::Relu }
    }

    fn gradient(&self) -> GradSource<'_> {
        let [a, b, c] = &self.factors;
        GradSource { values: &self.dz, norm: Some((&self.raw, [a, b, c])) }
    }

    fn run(&self, kernel: &dyn ConvKernel, accumulate: bool) -> Results {
        let pool = BufferPool::default();
        let nan = f32::NAN;
        let mut y = vec![nan; self.dz.len()];
        let mut inferred = y.clone();
        let (mut sums, mut dx_sums) = (ChannelSums::default(), ChannelSums::default());
        kernel.forward(self.source(), &self.w, &mut y, Some(&mut sums), &pool);
        let bias = &self.factors[0];
        let epilogue = Epilogue { bias, residual: Some(&self.residual), activation: Activation::Relu6 };
        kernel.infer(self.source(), &self.w, epilogue, &mut inferred, &pool);
        let mut dx = if accumulate { self.old.clone() } else { vec![nan; self.x.len()] };
        let mut dw = vec![nan; self.w.len()];
        let sink = GradSink { values: &mut dx, accumulate, input: self.source(), sums: Some(&mut dx_sums) };
        kernel.backward(self.source(), &self.w, self.gradient(), Some(sink), Some(&mut dw), &pool);
        Results { y, sums, dx, dx_sums, dw, inferred }
    }

    /// Errors of output, input gradient and weight gradient; all that follows from these is checked here.
    fn errors(&self, kernel: &dyn ConvKernel) -> [f64; 3] {
        let (inputs, outputs) = (self.g.spec.inputs, self.g.spec.outputs);
        let z = |i: usize| f64::from(self.x[i] * self.scale[i % inputs] + self.shift[i % inputs]);
        let x: Vec<f64> = (0..self.x.len()).map(|i| z(i).max(0.0)).collect();
        let factor = |f: usize, o: usize| f64::from(self.factors[f][o % outputs]);
        let dy: Vec<f64> = (0..self.dz.len())
            .map(|o| factor(0, o) * f64::from(self.dz[o]) + factor(1, o) * f64::from(self.raw[o]) + factor(2, o))
            .collect();
        let expected = reference(&self.g, &x, &self.w, &dy);
        let masked: Vec<f64> = (0..x.len()).map(|i| if z(i) > 0.0 { expected.dx[i] } else { 0.0 }).collect();
        let added: Vec<f64> = masked.iter().zip(&self.old).map(|(d, old)| d + f64::from(*old)).collect();
        let (written, accumulated) = (self.run(kernel, false), self.run(kernel, true));
        check_sums(&written.sums, &written.y, &written.y, outputs);
        check_sums(&written.dx_sums, &written.dx, &self.x, inputs);
        check_sums(&accumulated.dx_sums, &accumulated.dx, &self.x, inputs);
        assert_eq!((&written.y, &written.dw), (&accumulated.y, &accumulated.dw));
        for (o, inferred) in written.inferred.iter().enumerate() {
            let expected = (written.y[o] + self.factors[0][o % outputs] + self.residual[o]).clamp(0.0, 6.0);
            assert!((inferred - expected).abs() < 1e-5, "{inferred} {expected}");
        }
        let dx = error(&written.dx, &masked).max(error(&accumulated.dx, &added));
        [error(&written.y, &expected.y), dx, error(&written.dw, &expected.dw)]
    }
}

fn check_sums(sums: &ChannelSums, values: &[f32], times: &[f32], channels: usize) {
    let mut expected = ChannelSums { sum: vec![0.0; channels], product: vec![0.0; channels] };
    let mut size = expected.clone();
    for (i, (value, times)) in values.iter().zip(times).enumerate() {
        expected.sum[i % channels] += f64::from(*value);
        expected.product[i % channels] += f64::from(*value) * f64::from(*times);
        size.sum[i % channels] += f64::from(value.abs());
        size.product[i % channels] += f64::from((value * times).abs());
    }
    for c in 0..channels {
        assert!((sums.sum[c] - expected.sum[c]).abs() <= 1e-5 * (size.sum[c] + 1e-3), "sum of channel {c}");
        assert!((sums.product[c] - expected.product[c]).abs() <= 1e-5 * (size.product[c] + 1e-3), "products of {c}");
    }
}

/// The same bits under pools of 1, 2 and 3 threads.
fn assert_deterministic(kernel: &dyn ConvKernel, g: Geometry) {
    let inputs = Inputs::new(g);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| inputs.run(kernel, true))
    };
    let one = run(1);
    assert!(one == run(2) && one == run(3));
}

/// Maps of all odd kinds, and channels that fill no vector.
const MAPS: [[usize; 5]; 9] = [
    // images, rows, columns, inputs, outputs
    [1, 1, 1, 3, 5],
    [2, 7, 7, 16, 24],
    [1, 14, 13, 37, 20],
    [2, 9, 5, 64, 64],
    [3, 12, 28, 8, 70],
    [1, 2, 30, 1, 1],
    [5, 7, 7, 48, 130],
    // Enough weights for several blocks and panels.
    [2, 6, 6, 150, 200],
    [1, 3, 3, 150, 200],
];

#[test]
fn winograd_agrees_with_the_definition() {
    for [images, rows, columns, inputs, outputs] in MAPS {
        for arch in paths() {
            for (tile, bound) in [(2, 2e-6), (4, 8e-6)] {
                let g = Geometry::new(spec(inputs, outputs, 3, 1, 1, 1), images, rows, columns);
                let errors = Inputs::new(g).errors(&Winograd::with(g, tile, arch));
                assert!(errors.iter().all(|e| *e < bound), "{g:?} {tile} {arch:?}: {errors:?}");
            }
        }
    }
}

/// What the documentation of [`Winograd`] states.
#[test]
fn winograd_loses_few_bits() {
    let g = Geometry::new(spec(256, 32, 3, 1, 1, 1), 1, 14, 14);
    let inputs = Inputs::new(g);
    let direct = inputs.errors(&Dense::new(g));
    let [two, four] = [2, 4].map(|tile| inputs.errors(&Winograd::with(g, tile, Arch::new())));
    assert!(direct.iter().all(|e| *e < 2e-6) && two.iter().all(|e| *e < 2e-6) && four.iter().all(|e| *e < 4e-6));
}

#[test]
fn winograd_without_padding() {
    let g = Geometry::new(spec(5, 7, 3, 1, 0, 1), 2, 11, 8);
    let errors = Inputs::new(g).errors(&Winograd::with(g, 4, Arch::new()));
    assert!(errors.iter().all(|e| *e < 8e-6), "{errors:?}");
}

#[test]
fn winograd_does_not_depend_on_threads() {
    for [images, rows, columns, inputs, outputs] in [MAPS[4], MAPS[6], MAPS[7], MAPS[8]] {
        let g = Geometry::new(spec(inputs, outputs, 3, 1, 1, 1), images, rows, columns);
        assert_deterministic(&Winograd::new(g), g);
    }
}

/// Kernel, stride and padding of direct convolutions; no padding value stands for "same".
const WINDOWS: [(usize, usize, Option<usize>); 10] = [
    (3, 2, Some(1)),
    (7, 2, Some(3)),
    (2, 2, Some(0)),
    (4, 4, Some(0)),
    (3, 1, Some(1)),
    (3, 2, None),
    (5, 3, None),
    (1, 2, Some(0)),
    (3, 2, Some(0)),
    (1, 1, Some(0)),
];

#[test]
fn dense_agrees_with_the_definition() {
    for (kernel, stride, pad) in WINDOWS {
        for [images, rows, columns, inputs, outputs] in MAPS {
            if rows.min(columns) + 2 * pad.unwrap_or(kernel) < kernel {
                continue;
            }
            let pad = pad.map_or(Pad::Same, Pad::Sides);
            let g =
                Geometry::new(ConvSpec { pad, ..spec(inputs, outputs, kernel, stride, 0, 1) }, images, rows, columns);
            for arch in paths() {
                let errors = Inputs::new(g).errors(&Dense::with_arch(g, arch));
                assert!(errors.iter().all(|e| *e < 3e-6), "{g:?} {arch:?}: {errors:?}");
            }
        }
    }
}

#[test]
fn dense_does_not_depend_on_threads() {
    for (kernel, stride) in [(3, 2), (7, 2)] {
        let g = Geometry::new(spec(5, 70, kernel, stride, kernel / 2, 1), 3, 17, 22);
        assert_deterministic(&Dense::new(g), g);
    }
}

#[test]
fn grouped_agrees_with_the_definition() {
    // Groups, inputs and outputs of a group.
    let groups =
        [(32, 4, 4), (5, 8, 8), (3, 16, 16), (2, 32, 32), (7, 1, 1), (3, 2, 5), (4, 16, 4), (2, 3, 64), (1, 6, 9)];
    for (groups, ins, outs) in groups {
        for (kernel, stride, pad) in [(3, 1, 1), (3, 2, 1), (2, 2, 0), (5, 3, 2)] {
            for [images, rows, columns] in [[2, 7, 9], [1, 2, 14], [1, 13, 12]] {
                let g = Geometry::new(
                    spec(groups * ins, groups * outs, kernel, stride, pad, groups),
                    images,
                    rows,
                    columns,
                );
                for arch in paths() {
                    let errors = Inputs::new(g).errors(&Grouped::with_arch(g, arch));
                    assert!(errors.iter().all(|e| *e < 3e-6), "{g:?} {arch:?}: {errors:?}");
                }
            }
        }
    }
}

#[test]
fn grouped_does_not_depend_on_threads() {
    for width in [4, 16] {
        let g = Geometry::new(spec(8 * width, 8 * width, 3, 1, 1, 8), 3, 17, 22);
        assert_deterministic(&Grouped::new(g), g);
    }
}
