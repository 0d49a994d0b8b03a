//! How long a step of each optimiser takes on as many parameters as a ResNet-50 has: `cargo run --release --example
//! optimizer_steps`. The median of 15 steps, and the memory traffic that it makes.

use std::time::Instant;

use candle_core::{Device, Tensor, Var};
use kenami_domain::run_config::{OptimizerConfig, OptimizerName};
use kenami_trainer::{
    ema::Ema,
    optim::{Gradients, Optimizer, Parameter},
};

/// Tensors of a million values.
const TENSORS: usize = 25;
const VALUES: usize = 1 << 20;

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tensor = |i: usize| {
        let values: Vec<f32> = (0..VALUES).map(|k| ((i * VALUES + k) as f32 * 0.37).sin()).collect();
        Tensor::from_vec(values, (1024, VALUES / 1024), &Device::Cpu)
    };
    let report = |name: &str, words: usize, times: Vec<f64>| {
        let seconds = median(times);
        let gigabytes = (words * 4 * TENSORS * VALUES) as f64 / 1e9;
        println!("{name:20} {:6.1} ms {:6.1} GB/s", seconds * 1e3, gigabytes / seconds);
    };
    let gradients: Vec<_> = (0..TENSORS).map(|i| tensor(i + TENSORS).map(Some)).collect::<Result<_, _>>()?;
    let gradients = Gradients::new(gradients);
    for (name, rule, clip_norm, words) in [
        ("sgd", OptimizerName::Sgd, 0.0, 5),
        ("sgd, clipped", OptimizerName::Sgd, 1.0, 6),
        ("adamw", OptimizerName::AdamW, 0.0, 7),
    ] {
        let config = OptimizerConfig { name: rule, clip_norm, ..OptimizerConfig::default() };
        let parameter = |i| Ok(Parameter::new(format!("{i}"), Var::from_tensor(&tensor(i)?)?, true));
        let parameters = (0..TENSORS).map(parameter).collect::<candle_core::Result<Vec<_>>>()?;
        let mut optimizer = Optimizer::new(&config, parameters.clone())?;
        let mut times = Vec::new();
        for _ in 0..15 {
            let start = Instant::now();
            optimizer.step(&gradients, 1e-3)?;
            times.push(start.elapsed().as_secs_f64());
        }
        report(name, words, times);
        if rule == OptimizerName::AdamW {
            let mut ema = Ema::new(0.999, parameters.into_iter().map(|p| (p.name, p.var)))?;
            let mut times = Vec::new();
            for _ in 0..15 {
                let start = Instant::now();
                ema.update()?;
                times.push(start.elapsed().as_secs_f64());
            }
            report("moving average", 3, times);
        }
    }
    Ok(())
}
