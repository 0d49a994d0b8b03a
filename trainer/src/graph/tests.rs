use std::collections::HashMap;

use candle_core::{Device, Tensor};

use super::*;

/// A value between -1 and 1 that depends on its place alone.
fn wave(seed: usize, i: usize) -> f32 {
    ((i * 7919 + seed * 104_729) as f32 * 0.37).sin()
}

fn values(seed: usize, shape: &[usize], scale: f32, offset: f32) -> Tensor {
    let values: Vec<f32> = (0..shape.iter().product()).map(|i| offset + scale * wave(seed, i)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

fn tensors(graph: &Graph) -> HashMap<String, Tensor> {
    let one = |(i, spec): (usize, &ParameterSpec)| {
        let fan: usize = spec.shape[1..].iter().product();
        let (scale, offset) = match spec.kind {
            ParameterKind::Weight => (1.5 / (fan as f32).sqrt(), 0.0),
            ParameterKind::Bias | ParameterKind::NormShift | ParameterKind::RunningMean => (0.3, 0.05),
            ParameterKind::NormScale | ParameterKind::RunningVariance => (0.3, 1.0),
            ParameterKind::LayerScale => (0.2, 0.5),
        };
        (spec.name.clone(), values(i + 1, &spec.shape, scale, offset))
    };
    graph.parameters.iter().enumerate().map(one).collect()
}

fn spec(inputs: usize, outputs: usize, kernel: usize, stride: usize, groups: usize) -> ConvSpec {
    ConvSpec { inputs, outputs, kernel, stride, pad: Pad::Sides(kernel / 2), groups }
}

/// Every operation once, in the ways in which networks use them.
fn everything() -> Graph {
    let mut graph = Graph::default();
    let input = graph.input();
    let x = graph.conv("stem", input, ConvSpec { pad: Pad::Same, ..spec(3, 16, 3, 2, 1) }, false);
    let x = graph.batch_norm("stem_norm", x, 1e-3, 0.1);
    let x = graph.activation(x, Activation::Relu);
    let x = graph.push(Op::MaxPool { kernel: 3, stride: 2, pad: 1 }, &[x], 16);
    graph.end_stage(x);
    // A basic block.
    let y = graph.conv("a1", x, spec(16, 16, 3, 1, 1), false);
    let y = graph.batch_norm("a1_norm", y, 1e-5, 0.1);
    let y = graph.activation(y, Activation::Relu);
    let y = graph.conv("a2", y, spec(16, 24, 3, 2, 1), false);
    let y = graph.batch_norm("a2_norm", y, 1e-5, 0.1);
    let side = graph.conv("side", x, spec(16, 24, 1, 2, 1), false);
    let side = graph.batch_norm("side_norm", side, 1e-5, 0.1);
    let x = graph.add(y, side);
    let x = graph.activation(x, Activation::Relu);
    // A grouped block on an activated shortcut.
    let y = graph.conv("g1", x, spec(24, 24, 3, 1, 3), false);
    let y = graph.batch_norm("g1_norm", y, 1e-5, 0.1);
    let x = graph.add(y, x);
    let x = graph.activation(x, Activation::Relu);
    graph.end_stage(x);
    // An inverted residual with a gate.
    let y = graph.conv("b1", x, spec(24, 40, 1, 1, 1), false);
    let y = graph.batch_norm("b1_norm", y, 1e-5, 0.1);
    let y = graph.activation(y, Activation::Silu);
    let y = graph.conv("b2", y, spec(40, 40, 5, 1, 40), false);
    let y = graph.batch_norm("b2_norm", y, 1e-5, 0.1);
    let y = graph.activation(y, Activation::Relu6);
    let gate = graph.push(Op::GlobalPool, &[y], 40);
    let gate = graph.conv("squeeze", gate, spec(40, 6, 1, 1, 1), true);
    let gate = graph.activation(gate, Activation::Silu);
    let gate = graph.conv("excite", gate, spec(6, 40, 1, 1, 1), true);
    let gate = graph.activation(gate, Activation::Sigmoid);
    let y = graph.push(Op::Gate, &[y, gate], 40);
    let y = graph.conv("b3", y, spec(40, 24, 1, 1, 1), false);
    let y = graph.batch_norm("b3_norm", y, 1e-5, 0.1);
    let x = graph.add(y, x);
    graph.end_stage(x);
    // ConvNeXt's.
    let y = graph.conv("c1", x, spec(24, 24, 7, 1, 24), true);
    let y = graph.layer_norm("c1_norm", y, 1e-6);
    let y = graph.conv("c2", y, spec(24, 48, 1, 1, 1), true);
    let y = graph.activation(y, Activation::Gelu);
    let y = graph.conv("c3", y, spec(48, 24, 1, 1, 1), true);
    let scale = graph.parameter("gamma", &[24], ParameterKind::LayerScale);
    let y = graph.push(Op::ChannelScale { weight: scale }, &[y], 24);
    let x = graph.add(x, y);
    let x = graph.conv("down", x, ConvSpec { pad: Pad::Sides(0), ..spec(24, 20, 2, 2, 1) }, true);
    graph.end_stage(x);
    graph
}

fn network(graph: &Graph) -> Network {
    Network::new(graph.clone(), tensors(graph), &Device::Cpu).unwrap()
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    let pair = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    pair(a).into_iter().zip(pair(b)).map(|(a, b)| f64::from(a) * f64::from(b)).sum()
}

fn norm(a: &Tensor) -> f64 {
    dot(a, a).sqrt()
}

/// `|a - b| / |b|`.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    norm(&(a - b).unwrap()) / norm(b).max(1e-12)
}

#[test]
fn a_tensor_that_is_missing_or_misshapen_is_named() {
    let graph = everything();
    let mut missing = tensors(&graph);
    missing.remove("b2.weight");
    let message = Network::new(graph.clone(), missing, &Device::Cpu).err().unwrap().to_string();
    assert!(message.contains("b2.weight"), "{message}");
    let mut wrong = tensors(&graph);
    wrong.insert("b2.weight".to_owned(), values(1, &[40, 5, 5], 1.0, 0.0));
    let message = Network::new(graph, wrong, &Device::Cpu).err().unwrap().to_string();
    assert!(message.contains("b2.weight") && message.contains("[40, 5, 5]"), "{message}");
}

/// The derivative along the gradient, by finite differences on candle's operations.
#[test]
fn candle_gradients_are_those_of_finite_differences() {
    let graph = everything();
    let network = network(&graph).with_candle();
    let images = values(99, &[2, 27, 27, 3], 1.0, 0.0);
    let pass = network.forward(&images).unwrap();
    let direction = values(7, pass.output.dims(), 1.0, 0.0);
    let gradients = network.backward(pass, &direction).unwrap();
    assert_eq!(gradients.len(), network.trained().len());
    // A step in which no ReLU changes sides is small against the gradient's own scale.
    let step = 1e-3 / gradients.iter().map(|(_, g)| dot(g, g)).sum::<f64>().sqrt();
    let moved = |sign: f64| {
        let mut moved = tensors(&graph);
        for (id, gradient) in &gradients {
            let name = &graph.parameters[*id].name;
            let value = (moved[name].clone() + (gradient * (sign * step)).unwrap()).unwrap();
            moved.insert(name.clone(), value);
        }
        let network = Network::new(graph.clone(), moved, &Device::Cpu).unwrap().with_candle();
        dot(&network.forward(&images).unwrap().output, &direction)
    };
    let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
    let expected: f64 = gradients.iter().map(|(_, g)| dot(g, g)).sum();
    assert!((slope / expected - 1.0).abs() < 0.05, "{slope} {expected}");
}

#[test]
fn running_statistics_follow_the_batches() {
    let graph = everything();
    let network = network(&graph);
    let images = values(99, &[2, 27, 27, 3], 1.0, 0.0);
    let stem = graph.parameters.iter().position(|spec| spec.name == "stem_norm.running_mean").unwrap();
    let before = network.parameters()[stem].as_tensor().copy().unwrap();
    let evaluated = network.infer(&images).unwrap();
    assert!(distance(&network.infer(&images).unwrap(), &evaluated) < 1e-12);
    network.forward(&images).unwrap();
    assert!(distance(network.parameters()[stem].as_tensor(), &before) > 1e-4);
    assert!(distance(&network.infer(&images).unwrap(), &evaluated) > 1e-6);
}

#[test]
fn what_is_frozen_has_no_gradient_and_its_output_can_be_cached() {
    let graph = everything();
    let mut network = network(&graph);
    network.train_after(graph.stages[1], Statistics::Running);
    let images = values(99, &[2, 27, 27, 3], 1.0, 0.0);
    let whole = network.forward(&images).unwrap();
    let cached = network.infer_between(&images, 0, graph.stages[1]).unwrap();
    let rest = network.forward_trained(&cached).unwrap();
    assert!(distance(&rest.output, &whole.output) < 1e-6);
    let gradients = network.backward(rest, &values(7, whole.output.dims(), 1.0, 0.0)).unwrap();
    let names: Vec<&str> = gradients.iter().map(|(id, _)| graph.parameters[*id].name.as_str()).collect();
    assert!(names.contains(&"b1.weight") && names.contains(&"gamma"));
    assert!(!names.iter().any(|name| name.starts_with("stem") || name.starts_with('a')), "{names:?}");
}
