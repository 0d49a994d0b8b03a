use std::collections::{BTreeMap, HashMap};

use approx::assert_relative_eq;
use candle_core::Device;
use serde::Deserialize;

use super::*;

fn parameters() -> Vec<Parameter> {
    let var = |values: &[f32]| Var::from_tensor(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap();
    vec![
        Parameter { name: "weight".into(), var: var(&[1.0, -2.0, 3.0]), decays: true },
        Parameter { name: "bias".into(), var: var(&[0.5]), decays: false },
    ]
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
    optimizer.step(&(waves + bowl).unwrap().backward().unwrap(), 0.1).unwrap();
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

#[test]
fn a_restored_optimizer_goes_on_bit_for_bit() {
    for (_, config) in all() {
        let straight = parameters();
        let mut optimizer = Optimizer::new(&config, straight.clone()).unwrap();
        (1..=2).for_each(|step| advance(&mut optimizer, &straight, step));
        let copy = |(name, tensor): (String, Tensor)| (name, tensor.copy().unwrap());
        let state: HashMap<_, _> = optimizer.state().into_iter().map(copy).collect();
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
    optimizer.step(&loss.backward().unwrap(), 0.1).unwrap();
    assert_eq!(values(&parameters[0]), [1.0, -2.0, 3.0]);
    assert_relative_eq!(values(&parameters[1])[0], 0.4);
}
