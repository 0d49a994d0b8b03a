use std::collections::{BTreeMap, HashMap};

use approx::assert_relative_eq;
use candle_core::Device;
use serde::Deserialize;

use super::*;

fn parameters() -> Vec<Parameter> {
    let var = |values: &[f32]| Var::from_tensor(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap();
    vec![Parameter::new("weight", var(&[1.0, -2.0, 3.0]), true), Parameter::new("bias", var(&[0.5]), false)]
}

fn values(parameter: &Parameter) -> Vec<f32> {
    parameter.var.as_tensor().to_vec1().unwrap()
}

/// The problem of fixtures/make_fixtures.py; `step` from 1.
fn advance(optimizer: &mut Optimizer, parameters: &[Parameter], step: u32) {
    let slopes = Tensor::new(&[0.3f32, 0.1, -0.2], &Device::Cpu).unwrap();
    let waves = ((parameters[0].var.as_tensor() * slopes).unwrap().sin().unwrap().sum_all().unwrap() * f64::from(step))
        .unwrap();
    let bowl = parameters[1].var.as_tensor().sqr().unwrap().sum_all().unwrap();
    let gradients = Gradients::of(parameters, &(waves + bowl).unwrap().backward().unwrap());
    optimizer.step(&gradients, 0.1).unwrap();
}

/// A step put together from candle's operations, on the processor.
fn composite(config: &OptimizerConfig, parameters: Vec<Parameter>) -> Optimizer {
    Optimizer::with(config, parameters, |_| false).unwrap()
}

fn config(name: OptimizerName, momentum: f64, nesterov: bool) -> OptimizerConfig {
    OptimizerConfig { name, momentum, nesterov, weight_decay: 0.1, ..OptimizerConfig::default() }
}

fn all() -> [(&'static str, OptimizerConfig); 5] {
    [
        ("sgd", config(OptimizerName::Sgd, 0.0, false)),
        ("momentum", config(OptimizerName::Sgd, 0.9, false)),
        ("nesterov", config(OptimizerName::Sgd, 0.9, true)),
        ("adam", config(OptimizerName::Adam, 0.0, false)),
        ("adamw", config(OptimizerName::AdamW, 0.0, false)),
    ]
}

#[derive(Deserialize)]
struct Fixture {
    cases: BTreeMap<String, BTreeMap<String, Vec<f32>>>,
}

#[test]
fn five_steps_agree_with_pytorch() {
    let fixture: Fixture = serde_json::from_str(include_str!("../../tests/fixtures/optimizers.json")).unwrap();
    for (name, config) in all() {
        let parameters = parameters();
        let mut optimizer = Optimizer::new(&config, parameters.clone()).unwrap();
        (1..=5).for_each(|step| advance(&mut optimizer, &parameters, step));
        for parameter in &parameters {
            for (a, b) in values(parameter).iter().zip(&fixture.cases[name][&parameter.name]) {
                assert_relative_eq!(*a, *b, epsilon = 2e-6);
            }
        }
    }
}

#[derive(Deserialize)]
struct Objective {
    optimizers: BTreeMap<String, BTreeMap<String, Vec<f32>>>,
}

#[test]
fn twenty_steps_with_groups_and_clipping_agree_with_pytorch_on_both_paths() {
    let fixture: Objective = serde_json::from_str(include_str!("../../tests/fixtures/objective.json")).unwrap();
    for (name, config) in all() {
        for (suffix, clip_norm) in [("", 0.0), ("-clipped", 0.5)] {
            let config = OptimizerConfig { clip_norm, ..config.clone() };
            for fused in [true, false] {
                let mut parameters = parameters();
                parameters[1].rate = 0.3;
                let mut optimizer = if fused {
                    Optimizer::new(&config, parameters.clone()).unwrap()
                } else {
                    composite(&config, parameters.clone())
                };
                (1..=20).for_each(|step| advance(&mut optimizer, &parameters, step));
                for parameter in &parameters {
                    let expected = &fixture.optimizers[&format!("{name}{suffix}")][&parameter.name];
                    for (a, b) in values(parameter).iter().zip(expected) {
                        assert_relative_eq!(*a, *b, epsilon = 1e-5, max_relative = 1e-5);
                    }
                }
            }
        }
    }
}

/// A parameter of several parts whose last one is not full.
fn large(name: &str, rate: f64) -> Parameter {
    let values: Vec<f32> = (0..77_777).map(|i| (i as f32 * 0.37).sin()).collect();
    let var = Var::from_tensor(&Tensor::from_vec(values, (7, 11_111), &Device::Cpu).unwrap()).unwrap();
    Parameter::pretrained(name, var, true, rate)
}

#[test]
fn the_pass_over_parts_agrees_with_candles_operations_also_with_an_anchor() {
    for (_, config) in all() {
        let config = OptimizerConfig { anchor: 0.3, clip_norm: 2.0, ..config };
        let run = |fused: bool| {
            let parameters = vec![large("a", 1.0), Parameter { anchored: false, ..large("b", 0.5) }];
            let mut optimizer = if fused {
                Optimizer::new(&config, parameters.clone()).unwrap()
            } else {
                composite(&config, parameters.clone())
            };
            for step in 1..=4 {
                let gradient = |p: &Parameter| Some((p.var.as_tensor().cos().unwrap() * f64::from(step)).unwrap());
                optimizer.step(&Gradients::new(parameters.iter().map(gradient).collect()), 0.05).unwrap();
            }
            let flat = |p: &Parameter| p.var.as_tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            parameters.iter().flat_map(flat).collect::<Vec<_>>()
        };
        let (fused, composite) = (run(true), run(false));
        assert_eq!(fused, run(true), "a second run differs");
        for (a, b) in fused.iter().zip(&composite) {
            assert_relative_eq!(*a, *b, epsilon = 1e-4);
        }
    }
}

#[test]
fn an_anchor_draws_to_the_first_value_and_plain_decay_to_zero() {
    let config = OptimizerConfig { anchor: 0.5, weight_decay: 0.5, ..config(OptimizerName::Sgd, 0.0, false) };
    let start = large("a", 1.0);
    let parameters = vec![start.clone(), Parameter { anchored: false, ..large("b", 1.0) }];
    let mut optimizer = Optimizer::new(&config, parameters.clone()).unwrap();
    let moved = (start.var.as_tensor().detach() + 1.0).unwrap();
    parameters.iter().for_each(|p| p.var.set(&moved).unwrap());
    let nothing = || Some(moved.zeros_like().unwrap());
    for _ in 0..200 {
        optimizer.step(&Gradients::new(vec![nothing(), nothing()]), 0.5).unwrap();
    }
    let first = |p: &Parameter| p.var.as_tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap()[5];
    assert_relative_eq!(first(&parameters[0]), (5.0f32 * 0.37).sin(), epsilon = 1e-5);
    assert_relative_eq!(first(&parameters[1]), 0.0, epsilon = 1e-5);
}

#[test]
fn gradients_add_up_to_their_mean_and_leave_the_batches_as_they_were() {
    let one = Tensor::new(&[3f32, 0.0], &Device::Cpu).unwrap();
    let two = Tensor::new(&[1f32, 8.0], &Device::Cpu).unwrap();
    let mut sum = Gradients::default();
    sum.add(&Gradients::new(vec![Some(one.clone()), None])).unwrap();
    sum.add(&Gradients::new(vec![Some(two), None])).unwrap();
    sum.add(&Gradients::new(vec![None, None])).unwrap();
    assert_eq!(sum.get(0).unwrap().to_vec1::<f32>().unwrap(), [4.0, 8.0]);
    assert_eq!((sum.batches(), one.to_vec1::<f32>().unwrap()), (3, vec![3.0, 0.0]));
    assert_relative_eq!(sum.norm().unwrap(), 80f64.sqrt() / 3.0, epsilon = 1e-9);
    let var = Var::from_tensor(&one.zeros_like().unwrap()).unwrap();
    let parameters = vec![Parameter::new("a", var.clone(), false), Parameter::new("b", var.clone(), false)];
    let sgd = OptimizerConfig { clip_norm: 1.0, ..config(OptimizerName::Sgd, 0.0, false) };
    let norm = Optimizer::new(&sgd, parameters).unwrap().step(&sum, 1.0).unwrap();
    assert_relative_eq!(norm.unwrap(), 80f64.sqrt() / 3.0, epsilon = 1e-9);
    let moved = var.as_tensor().to_vec1::<f32>().unwrap();
    assert_relative_eq!(moved[0].hypot(moved[1]), 1.0, epsilon = 1e-5);
    assert_relative_eq!(moved[0] * 2.0, moved[1], epsilon = 1e-6);
}

#[test]
fn rates_fall_from_the_last_stage_to_the_first() {
    let config = OptimizerConfig { trunk_lr: 0.2, layer_decay: 0.5, ..OptimizerConfig::default() };
    assert_relative_eq!(trunk_rate(&config, 0), 0.2);
    assert_relative_eq!(trunk_rate(&config, 3), 0.025);
}

#[test]
fn a_restored_optimizer_goes_on_bit_for_bit() {
    for (_, config) in all() {
        let straight = parameters();
        let mut optimizer = Optimizer::new(&config, straight.clone()).unwrap();
        (1..=2).for_each(|step| advance(&mut optimizer, &straight, step));
        let copy = |(name, tensor): (String, Tensor)| (name, tensor.copy().unwrap());
        let state: HashMap<_, _> = optimizer.state().unwrap().into_iter().map(copy).collect();
        let (steps, resumed) = (optimizer.steps(), parameters());
        (3..=5).for_each(|step| advance(&mut optimizer, &straight, step));

        let mut again = Optimizer::new(&config, resumed.clone()).unwrap();
        again.restore(steps, |name| Ok(state[name].clone())).unwrap();
        (3..=5).for_each(|step| advance(&mut again, &resumed, step));
        assert_eq!(straight.iter().map(values).collect::<Vec<_>>(), resumed.iter().map(values).collect::<Vec<_>>());
    }
}

#[test]
fn a_parameter_without_a_gradient_stays() {
    let parameters = parameters();
    let mut optimizer = Optimizer::new(&config(OptimizerName::Sgd, 0.9, false), parameters.clone()).unwrap();
    let loss = parameters[1].var.as_tensor().sqr().unwrap().sum_all().unwrap();
    let gradients = Gradients::of(&parameters, &loss.backward().unwrap());
    optimizer.step(&gradients, 0.1).unwrap();
    assert_eq!(values(&parameters[0]), [1.0, -2.0, 3.0]);
    assert_relative_eq!(values(&parameters[1])[0], 0.4);
}
