//! Times the convolutions of ResNet-34, ResNet-50 and ResNeXt-50, layer by layer.
//!
//! `cargo run --release -p kenami-trainer --example bench_conv [FILTER] [BATCH] [cpu]`: milliseconds (the fastest of several; with `cpu` processor time per thread) of
//! the forward pass with sums, and of both gradients under batch-norm and ReLU; GFLOP/s as a direct convolution would
//! count them. `scripts/bench_conv.py` prints the same for PyTorch.

use std::time::Instant;

use kenami_trainer::{
    graph::{ConvSpec, Pad},
    ops::{
        Activation, BufferPool, ChannelSums, GradSink, GradSource, Source,
        conv::{ConvKernel, Geometry, Winograd},
    },
};

/// Name, channels in and out, kernel, stride, groups, side of the input, times in the network.
const LAYERS: [(&str, usize, usize, usize, usize, usize, usize, usize); 5] = [
    ("resnet 56", 64, 64, 3, 1, 1, 56, 6),
    ("resnet 28", 128, 128, 3, 1, 1, 28, 7),
    ("resnet 14", 256, 256, 3, 1, 1, 14, 11),
    ("resnet 7", 512, 512, 3, 1, 1, 7, 5),
    ("odd", 96, 80, 3, 1, 1, 30, 1),
];

fn kernel(geometry: Geometry) -> Box<dyn ConvKernel> {
    Box::new(Winograd::new(geometry))
}

fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 0.618_034).fract() - 0.5).collect()
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
    println!(
        "{:14} {:>8} {:>7} {:>8} {:>7} {:>8} {:>7} {:>8}",
        "layer", "fwd ms", "GF/s", "dx ms", "GF/s", "dw ms", "GF/s", "infer"
    );
    for (name, inputs, outputs, side, stride, groups, size, _) in LAYERS {
        if !name.contains(&filter) {
            continue;
        }
        let pad = Pad::Sides(side / 2);
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
        let source = Source { values: &x, norm: Some((&scale, &shift)), activation: Activation::Relu };
        let mut y = vec![0.0; dz.len()];
        let forward = time(by_clock, || {
            let mut sums = ChannelSums::default();
            kernel.forward(source, &weight, &mut y, Some(&mut sums), &pool);
        });
        let infer = time(by_clock, || kernel.forward(Source::plain(&x), &weight, &mut y, None, &pool));
        let gradient = GradSource { values: &dz, norm: Some((&y, [&factors, &factors, &factors])) };
        let mut dx = vec![0.0; x.len()];
        let input = time(by_clock, || {
            let mut sums = ChannelSums::default();
            let sink = GradSink { values: &mut dx, accumulate: false, input: source, sums: Some(&mut sums) };
            kernel.backward(source, &weight, gradient, Some(sink), None, &pool);
        });
        let mut dw = vec![0.0; weight.len()];
        let weights = time(by_clock, || kernel.backward(source, &weight, gradient, None, Some(&mut dw), &pool));
        println!(
            "{name:14} {forward:8.2} {:7.0} {input:8.2} {:7.0} {weights:8.2} {:7.0} {infer:8.2}",
            flops / forward,
            flops / input,
            flops / weights,
        );
    }
}
