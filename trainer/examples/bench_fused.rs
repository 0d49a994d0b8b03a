//! Times the fused convolutions of training, layer by layer, for EfficientNet-Lite0 and ResNet-50 at 224 px:
//! `cargo run --release -p kenami-trainer --example bench_fused -- [IMAGES] [THREADS] [FILTER]` (16 and 2; all layers).
//!
//! Each layer reads its input through batch-norm and ReLU6, writes the sums of its output, and backwards puts its output
//! gradient together, computes both gradients, masks and sums. Bytes count every map once: forwards x and y; backwards dz,
//! y and x (read) and dx (written).

use std::time::Instant;

use kenami_trainer::{
    graph::{ConvSpec, Pad},
    ops::{
        Activation, BufferPool, ChannelSums, GradSink, GradSource, Source,
        conv::{ConvKernel, Depthwise, Geometry, Pointwise},
    },
};

/// Inputs, outputs (0: depthwise), window, stride, side of the input, times in the network.
type Layer = (usize, usize, usize, usize, usize, usize);

const LITE0: [Layer; 37] = [
    (32, 0, 3, 1, 112, 1),
    (32, 16, 1, 1, 112, 1),
    (16, 96, 1, 1, 112, 1),
    (96, 0, 3, 2, 112, 1),
    (96, 24, 1, 1, 56, 1),
    (24, 144, 1, 1, 56, 2),
    (144, 0, 3, 1, 56, 1),
    (144, 24, 1, 1, 56, 1),
    (144, 0, 5, 2, 56, 1),
    (144, 40, 1, 1, 28, 1),
    (40, 240, 1, 1, 28, 2),
    (240, 0, 5, 1, 28, 1),
    (240, 40, 1, 1, 28, 1),
    (240, 0, 3, 2, 28, 1),
    (240, 80, 1, 1, 14, 1),
    (80, 480, 1, 1, 14, 3),
    (480, 0, 3, 1, 14, 2),
    (480, 80, 1, 1, 14, 2),
    (480, 0, 5, 1, 14, 1),
    (480, 112, 1, 1, 14, 1),
    (112, 672, 1, 1, 14, 3),
    (672, 0, 5, 1, 14, 2),
    (672, 112, 1, 1, 14, 2),
    (672, 0, 5, 2, 14, 1),
    (672, 192, 1, 1, 7, 1),
    (192, 1152, 1, 1, 7, 4),
    (1152, 0, 5, 1, 7, 3),
    (1152, 192, 1, 1, 7, 3),
    (1152, 0, 3, 1, 7, 1),
    (1152, 320, 1, 1, 7, 1),
    (320, 1280, 1, 1, 7, 1),
    // Not of Lite0, and not in its total: EfficientNet-B0's gates and ConvNeXt's windows.
    (96, 0, 7, 1, 56, 0),
    (192, 0, 7, 1, 28, 0),
    (384, 0, 7, 1, 14, 0),
    (768, 0, 7, 1, 7, 0),
    (96, 384, 1, 1, 56, 0),
    (384, 96, 1, 1, 56, 0),
];

const RESNET50: [Layer; 13] = [
    (64, 64, 1, 1, 56, 1),
    (64, 256, 1, 1, 56, 4),
    (256, 64, 1, 1, 56, 2),
    (256, 128, 1, 1, 56, 1),
    (256, 512, 1, 2, 56, 1),
    (128, 512, 1, 1, 28, 4),
    (512, 128, 1, 1, 28, 3),
    (512, 256, 1, 1, 28, 1),
    (512, 1024, 1, 2, 28, 1),
    (256, 1024, 1, 1, 14, 6),
    (1024, 256, 1, 1, 14, 5),
    (512, 2048, 1, 1, 7, 3),
    (2048, 512, 1, 1, 7, 2),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().and_then(|a| a.parse().ok()).unwrap_or(default);
    let (images, threads) = (number(16), number(2));
    let filter = arguments.next().unwrap_or_default();
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().expect("the first thread pool");
    for (name, layers) in [("EfficientNet-Lite0", &LITE0[..]), ("ResNet-50, 1x1", &RESNET50[..])] {
        println!("{name}, {images} images, {threads} threads");
        println!(
            "{:30} {:>9} {:>8} {:>6} | {:>9} {:>8} {:>6}",
            "layer", "forward", "GFLOP/s", "GB/s", "backward", "GFLOP/s", "GB/s"
        );
        let mut total = [0.0, 0.0];
        for layer in layers {
            let label = label(layer);
            if !label.contains(&filter) {
                continue;
            }
            let bench = Bench::new(*layer, images);
            let [forward, backward] = bench.run();
            total[0] += forward * layer.5 as f64;
            total[1] += backward * layer.5 as f64;
            let flops = bench.flops();
            let ([x, y], rate) = (bench.bytes(), 1e-9);
            println!(
                "{label:30} {:>6.2} ms {:>8.1} {:>6.1} | {:>6.2} ms {:>8.1} {:>6.1}",
                forward * 1e3,
                flops / forward * rate,
                (x + y) / forward * rate,
                backward * 1e3,
                2.0 * flops / backward * rate,
                2.0 * (x + y) / backward * rate,
            );
        }
        println!(
            "all: forward {:.1} ms, backward {:.1} ms: {:.1} images/s forwards, {:.1} both ways\n",
            total[0] * 1e3,
            total[1] * 1e3,
            images as f64 / total[0],
            images as f64 / (total[0] + total[1]),
        );
    }
}

fn label(&(inputs, outputs, kernel, stride, side, times): &Layer) -> String {
    let what =
        if outputs == 0 { format!("depthwise {inputs} {kernel}x{kernel}") } else { format!("{inputs}->{outputs}") };
    format!("{what} /{stride} @{side} x{times}")
}

struct Bench {
    geometry: Geometry,
    kernel: Box<dyn ConvKernel>,
    x: Vec<f32>,
    y: Vec<f32>,
    weight: Vec<f32>,
    dz: Vec<f32>,
}

fn wave(len: usize, step: f32) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * step).sin()).collect()
}

impl Bench {
    fn new((inputs, outputs, kernel, stride, side, _): Layer, images: usize) -> Self {
        let depthwise = outputs == 0;
        let (outputs, groups) = if depthwise { (inputs, inputs) } else { (outputs, 1) };
        let spec = ConvSpec { inputs, outputs, kernel, stride, pad: Pad::Sides(kernel / 2), groups };
        let geometry = Geometry::new(spec, images, side, side);
        let kernel: Box<dyn ConvKernel> =
            if depthwise { Box::new(Depthwise::new(geometry)) } else { Box::new(Pointwise::new(geometry)) };
        let (x, y) = (geometry.in_pixels() * inputs, geometry.out_pixels() * outputs);
        let weights = outputs * inputs / groups * spec.kernel * spec.kernel;
        Self { geometry, kernel, x: wave(x, 0.37), y: wave(y, 0.2), weight: wave(weights, 0.7), dz: wave(y, 0.1) }
    }

    fn flops(&self) -> f64 {
        let spec = self.geometry.spec;
        let products = self.geometry.out_pixels() * spec.outputs * spec.inputs / spec.groups * spec.kernel.pow(2);
        2.0 * products as f64
    }

    fn bytes(&self) -> [f64; 2] {
        [self.x.len(), self.y.len()].map(|len| 4.0 * len as f64)
    }

    /// Best seconds of forwards and backwards.
    fn run(&self) -> [f64; 2] {
        let spec = self.geometry.spec;
        let pool = BufferPool::default();
        let (scale, shift) = (vec![1.5; spec.inputs], vec![0.5; spec.inputs]);
        let factors = [wave(spec.outputs, 0.8), wave(spec.outputs, 0.5), wave(spec.outputs, 0.3)];
        let [a, b, c] = &factors;
        let x = Source { values: &self.x, norm: Some((&scale, &shift)), activation: Activation::Relu6 };
        let dy = GradSource { values: &self.dz, norm: Some((&self.y, [a, b, c])) };
        let mut out = vec![0.0; self.y.len()];
        let (mut dx, mut dw) = (vec![0.0; self.x.len()], vec![0.0; self.weight.len()]);
        let mut best = [f64::INFINITY; 2];
        for _ in 0..7 {
            let mut sums = ChannelSums::default();
            let start = Instant::now();
            self.kernel.forward(x, &self.weight, &mut out, Some(&mut sums), &pool);
            best[0] = best[0].min(start.elapsed().as_secs_f64());
            let start = Instant::now();
            let sink = GradSink { values: &mut dx, accumulate: false, input: x, sums: Some(&mut sums) };
            self.kernel.backward(x, &self.weight, dy, Some(sink), Some(&mut dw), &pool);
            best[1] = best[1].min(start.elapsed().as_secs_f64());
        }
        best
    }
}
