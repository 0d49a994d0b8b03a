//! Times the convolutions of ResNet-34, ResNet-50 and ResNeXt-50, layer by layer.
//!
//! `cargo run --release -p kenami-trainer --example bench_conv [FILTER] [BATCH] [cpu]`: milliseconds, the fastest of
//! several (with `cpu`, processor time per thread), and GFLOP/s as a direct convolution would count them. First as in
//! training: the forward pass reads through batch-norm and ReLU and sums its output; the gradients go through both. Then the
//! convolutions alone, which is what `scripts/bench_conv.py` prints for PyTorch.

use std::time::Instant;

use kenami_trainer::{
    graph::{ConvSpec, Pad},
    ops::{
        Activation, BufferPool, ChannelSums, GradSink, GradSource, PoolGeometry, Source,
        conv::{ConvKernel, Dense, Geometry, Grouped, Winograd},
        max_pool, max_pool_gradient,
    },
};

/// Name, channels in and out, kernel, stride, groups, side of the input.
const LAYERS: [(&str, usize, usize, usize, usize, usize, usize); 18] = [
    ("resnet 56", 64, 64, 3, 1, 1, 56),
    ("resnet 28", 128, 128, 3, 1, 1, 28),
    ("resnet 14", 256, 256, 3, 1, 1, 14),
    ("resnet 7", 512, 512, 3, 1, 1, 7),
    ("stem 224", 3, 64, 7, 2, 1, 224),
    ("stride 56", 64, 128, 3, 2, 1, 56),
    ("stride 28", 128, 256, 3, 2, 1, 28),
    ("stride 14", 256, 512, 3, 2, 1, 14),
    ("wide stride 56", 128, 128, 3, 2, 1, 56),
    ("next 56", 128, 128, 3, 1, 32, 56),
    ("next stride 56", 256, 256, 3, 2, 32, 56),
    ("next 28", 256, 256, 3, 1, 32, 28),
    ("next stride 28", 512, 512, 3, 2, 32, 28),
    ("next 14", 512, 512, 3, 1, 32, 14),
    ("next stride 14", 1024, 1024, 3, 2, 32, 14),
    ("next 7", 1024, 1024, 3, 1, 32, 7),
    ("convnext stem", 3, 96, 4, 4, 1, 224),
    ("convnext down", 96, 192, 2, 2, 1, 56),
];

fn kernel(geometry: Geometry) -> Box<dyn ConvKernel> {
    if Winograd::supports(&geometry) {
        Box::new(Winograd::new(geometry))
    } else if Dense::supports(&geometry) {
        Box::new(Dense::new(geometry))
    } else {
        Box::new(Grouped::new(geometry))
    }
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 1021) as f32 / 1021.0 - 0.5).collect()
}

/// Milliseconds that the process's threads have been on a processor, by Linux's account.
fn busy() -> Option<f64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let times = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    Some(times.sum::<f64>() * 1e-6)
}

/// Milliseconds, the fastest of several: of the clock, or of processor time per thread on a machine that is busy.
fn time(by_clock: bool, mut work: impl FnMut()) -> f64 {
    work();
    let runs = (0..9).map(|_| {
        let (start, before) = (Instant::now(), busy());
        work();
        let clock = start.elapsed().as_secs_f64() * 1e3;
        match (busy(), before) {
            (Some(after), Some(before)) if !by_clock => (after - before) / rayon::current_num_threads() as f64,
            _ => clock,
        }
    });
    runs.fold(f64::INFINITY, f64::min)
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let filter = arguments.next().unwrap_or_default();
    let batch = arguments.next().and_then(|batch| batch.parse().ok()).unwrap_or(16);
    let by_clock = arguments.next().is_none_or(|kind| kind != "cpu");
    println!("{:14}{:>45}{:>45}", "", "as in training", "convolution alone");
    let head = format!("{:>8}{:>7}", "ms", "GF/s");
    println!("{:14}{:>15}{:>15}{:>15}{:>15}{:>15}{:>15}", "layer", "forward", "dx", "dw", "forward", "dx", "dw");
    println!("{:14}{}", "", head.repeat(6));
    for (name, inputs, outputs, side, stride, groups, size) in LAYERS {
        if !name.contains(&filter) {
            continue;
        }
        let pad = Pad::Sides(if side % 2 == 0 { 0 } else { side / 2 });
        let spec = ConvSpec { inputs, outputs, kernel: side, stride, pad, groups };
        let geometry = Geometry::new(spec, batch, size, size);
        let flops = 2e-6 * (geometry.out_pixels() * outputs * inputs / groups * side * side) as f64;
        let kernel = kernel(geometry);
        let pool = BufferPool::default();
        let x = values(geometry.in_pixels() * inputs);
        let dz = values(geometry.out_pixels() * outputs);
        let weight = values(outputs * inputs / groups * side * side);
        let (scale, shift) = (vec![1.5; inputs], vec![0.1; inputs]);
        let factors = vec![0.5; outputs];
        let (mut y, mut dx, mut dw) = (vec![0.0; dz.len()], vec![0.0; x.len()], vec![0.0; weight.len()]);
        print!("{name:14}");
        for fused in [true, false] {
            let source = if fused {
                Source { values: &x, norm: Some((&scale, &shift)), activation: Activation::Relu }
            } else {
                Source::plain(&x)
            };
            let forward = time(by_clock, || {
                let mut sums = ChannelSums::default();
                kernel.forward(source, &weight, &mut y, fused.then_some(&mut sums), &pool);
            });
            let norm = fused.then_some((&y[..], [&factors[..]; 3]));
            let gradient = GradSource { values: &dz, norm };
            let input = time(by_clock, || {
                let mut sums = ChannelSums::default();
                let sums = fused.then_some(&mut sums);
                let sink = GradSink { values: &mut dx, accumulate: false, input: source, sums };
                kernel.backward(source, &weight, gradient, Some(sink), None, &pool);
            });
            let weights = time(by_clock, || kernel.backward(source, &weight, gradient, None, Some(&mut dw), &pool));
            for milliseconds in [forward, input, weights] {
                print!("{milliseconds:8.2}{:7.0}", flops / milliseconds);
            }
        }
        println!();
    }
    if "max-pool 112".contains(&filter) {
        max_pools(batch, by_clock);
    }
}

/// ResNet's max-pool, as in training and alone.
fn max_pools(batch: usize, by_clock: bool) {
    let geometry = PoolGeometry::new([batch, 112, 112, 64], 3, 2, 1);
    let pool = BufferPool::default();
    let (x, dy) = (values(batch * 112 * 112 * 64), values(geometry.out_values()));
    let (scale, shift) = (vec![1.5; 64], vec![0.1; 64]);
    let (mut y, mut argmax, mut dx) = (vec![0.0; dy.len()], vec![0; dy.len()], vec![0.0; x.len()]);
    print!("{:14}", "max-pool 112");
    for fused in [true, false] {
        let norm = fused.then_some((&scale[..], &shift[..]));
        let activation = if fused { Activation::Relu } else { Activation::Identity };
        let source = Source { values: &x, norm, activation };
        let forward = time(by_clock, || max_pool(&geometry, source, &mut y, Some(&mut argmax), &pool));
        let backward = time(by_clock, || {
            let mut sums = ChannelSums::default();
            let sums = fused.then_some(&mut sums);
            let sink = GradSink { values: &mut dx, accumulate: false, input: source, sums };
            max_pool_gradient(&geometry, GradSource::plain(&dy), &argmax, sink, &pool);
        });
        print!("{forward:8.2}{:7}{backward:8.2}{:22}", "", "");
    }
    println!();
}
