use super::*;
use crate::ops::{Activation, lanes::paths};

/// Values with many ties.
fn values(len: usize, seed: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + seed * 31) % 23) as f32 - 11.0).collect()
}

struct Case {
    g: PoolGeometry,
    x: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
    dy: Vec<f32>,
    old: Vec<f32>,
}

type Results = (Vec<f32>, Vec<u8>, Vec<f32>, ChannelSums);

impl Case {
    fn new(shape: [usize; 4], kernel: usize, stride: usize, pad: usize) -> Self {
        let g = PoolGeometry::new(shape, kernel, stride, pad);
        let len = shape.iter().product();
        let scale = (0..g.channels).map(|c| if c % 3 == 0 { -0.5 } else { 0.25 }).collect();
        let shift = (0..g.channels).map(|c| c as f32 * 0.125 - 0.5).collect();
        Self { g, x: values(len, 1), scale, shift, dy: values(g.out_values(), 2), old: values(len, 3) }
    }

    fn source(&self) -> Source<'_> {
        Source { values: &self.x, norm: Some((&self.scale, &self.shift)), activation: Activation::Relu }
    }

    fn run(&self, arch: Arch, accumulate: bool) -> Results {
        let pool = BufferPool::default();
        let (mut y, mut argmax) = (vec![f32::NAN; self.dy.len()], vec![255; self.dy.len()]);
        max_pool_on(arch, &self.g, self.source(), &mut y, Some(&mut argmax), &pool);
        let mut dx = self.old.clone();
        let mut sums = ChannelSums::default();
        let sink = GradSink { values: &mut dx, accumulate, input: self.source(), sums: Some(&mut sums) };
        max_pool_gradient_on(arch, &self.g, GradSource::plain(&self.dy), &argmax, sink, &pool);
        (y, argmax, dx, sums)
    }

    /// Output and gradient from the definition.
    fn expected(&self, accumulate: bool) -> (Vec<f32>, Vec<f32>) {
        let g = &self.g;
        let z = |i: usize| self.x[i] * self.scale[i % g.channels] + self.shift[i % g.channels];
        let mut y = vec![f32::NEG_INFINITY; self.dy.len()];
        let mut gradient = vec![0.0; self.x.len()];
        for (o, y) in y.iter_mut().enumerate() {
            let (c, pixel) = (o % g.channels, o / g.channels);
            let (image, row, column) =
                (pixel / (g.out_rows * g.out_columns), pixel / g.out_columns % g.out_rows, pixel % g.out_columns);
            let mut winner = None;
            for tap in 0..g.kernel * g.kernel {
                let (r, q) = (row * g.stride + tap / g.kernel, column * g.stride + tap % g.kernel);
                if r < g.pad || q < g.pad || r - g.pad >= g.rows || q - g.pad >= g.columns {
                    continue;
                }
                let i = ((image * g.rows + r - g.pad) * g.columns + q - g.pad) * g.channels + c;
                if z(i).max(0.0) > *y {
                    *y = z(i).max(0.0);
                    winner = Some(i);
                }
            }
            gradient[winner.expect("a window has pixels")] += self.dy[o];
        }
        for (i, gradient) in gradient.iter_mut().enumerate() {
            let own = if z(i) > 0.0 { *gradient } else { 0.0 };
            *gradient = if accumulate { self.old[i] + own } else { own };
        }
        (y, gradient)
    }
}

#[test]
fn it_agrees_with_the_definition() {
    for (kernel, stride, pad) in [(3, 2, 1), (2, 2, 0), (3, 3, 0), (2, 3, 1), (5, 1, 2), (3, 1, 1)] {
        for shape in [[1, 1, 1, 5], [2, 7, 9, 19], [1, 12, 12, 64], [3, 20, 5, 16]] {
            if shape[1] + 2 * pad < kernel {
                continue;
            }
            let case = Case::new(shape, kernel, stride, pad);
            for arch in paths() {
                for accumulate in [false, true] {
                    let (y, _, dx, sums) = case.run(arch, accumulate);
                    assert_eq!((&y, &dx), (&case.expected(accumulate).0, &case.expected(accumulate).1), "{:?}", case.g);
                    for c in 0..case.g.channels {
                        let sum = dx.iter().skip(c).step_by(case.g.channels).map(|d| f64::from(*d)).sum::<f64>();
                        assert!((sums.sum[c] - sum).abs() < 1e-3);
                    }
                }
            }
        }
    }
}

#[test]
fn it_does_not_depend_on_threads() {
    let case = Case::new([3, 20, 11, 24], 3, 2, 1);
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| case.run(Arch::new(), true))
    };
    assert!(run(1) == run(2) && run(1) == run(3));
}

#[test]
fn what_is_no_number_wins_and_of_equals_the_first() {
    let g = PoolGeometry::new([1, 2, 2, 3], 2, 2, 0);
    let nan = f32::NAN;
    let low = f32::NEG_INFINITY;
    let x = [1.0, nan, low, 2.0, 5.0, low, 2.0, 6.0, low, 0.0, 7.0, low];
    let (mut y, mut argmax) = ([0.0; 3], [9; 3]);
    max_pool(&g, Source::plain(&x), &mut y, Some(&mut argmax), &BufferPool::default());
    assert!(y[0] == 2.0 && y[1].is_nan() && y[2] == low);
    assert_eq!(argmax, [1, 0, 0]);
}
