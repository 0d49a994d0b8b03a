use std::{collections::BTreeMap, fs, path::Path};

use kenami_domain::run_config::LossName;
use prost::Message;

use super::{
    Head, Model, encode, export,
    interpreter::{Array, run},
    proto::ModelProto,
};
use crate::{
    graph::{ConvSpec, Graph, NodeId, Op, Pad, ParameterKind, PooledNorm},
    ops::Activation,
};

/// Logits of the same network by PyTorch: tests/fixtures/onnx_logits.py, which also runs the models in onnxruntime.
const FIXTURE: &str = include_str!("../../tests/fixtures/onnx.json");
const SIZE: usize = 11;
const BATCH: usize = 2;

fn wave(name: &str, count: usize) -> Vec<f64> {
    let phase: u32 = name.bytes().map(u32::from).sum();
    (0..count).map(|i| (0.37 * i as f64 + f64::from(phase)).sin()).collect()
}

fn parameter(name: &str, shape: &[usize]) -> Vec<f32> {
    let scale = name.ends_with("running_var") || (shape.len() == 1 && name.ends_with(".weight"));
    let value = |x: f64| if scale { 1.0 + 0.4 * x } else { 0.5 * x };
    wave(name, shape.iter().product()).into_iter().map(|x| value(x) as f32).collect()
}

fn conv(
    graph: &mut Graph,
    name: &str,
    x: NodeId,
    outputs: usize,
    (kernel, stride): (usize, usize),
    rest: (Pad, usize, bool),
) -> NodeId {
    let (pad, groups, bias) = rest;
    let spec = ConvSpec { inputs: graph.nodes[x].channels, outputs, kernel, stride, pad, groups };
    graph.conv(name, x, spec, bias)
}

/// Every operation, and every reason not to fold a batch-norm.
fn every_operation() -> Graph {
    let graph = &mut Graph::default();
    let x = graph.input();
    let x = conv(graph, "stem", x, 6, (3, 2), (Pad::Same, 1, false));
    let x = graph.batch_norm("stem_norm", x, 1e-3, 0.1);
    let x = graph.activation(x, Activation::Relu6);
    let x = conv(graph, "depthwise", x, 6, (3, 1), (Pad::Sides(1), 6, true));
    let x = graph.activation(x, Activation::Silu);
    let x = graph.push(Op::MaxPool { kernel: 3, stride: 2, pad: 1 }, &[x], 6);
    let x = conv(graph, "point", x, 8, (1, 1), (Pad::Sides(0), 1, false));
    let x = graph.batch_norm("point_norm", x, 1e-3, 0.1);
    let x = graph.activation(x, Activation::Gelu);
    let x = graph.layer_norm("layer_norm", x, 1e-6);
    let pooled = graph.push(Op::GlobalPool, &[x], 8);
    let gate = conv(graph, "reduce", pooled, 4, (1, 1), (Pad::Sides(0), 1, true));
    let gate = graph.activation(gate, Activation::Relu);
    let gate = conv(graph, "expand", gate, 8, (1, 1), (Pad::Sides(0), 1, true));
    let gate = graph.activation(gate, Activation::Sigmoid);
    let x = graph.push(Op::Gate, &[x, gate], 8);
    let branch = conv(graph, "grouped", x, 8, (3, 1), (Pad::Same, 2, false));
    let branch = graph.batch_norm("grouped_norm", branch, 1e-3, 0.1);
    let weight = graph.parameter("scale", &[8], ParameterKind::LayerScale);
    let branch = graph.push(Op::ChannelScale { weight }, &[branch], 8);
    let x = graph.add(x, branch);
    let x = graph.batch_norm("after_add", x, 1e-3, 0.1);
    let x = graph.activation(x, Activation::Relu);
    let x = graph.activation(x, Activation::Identity);
    let raw = conv(graph, "shared", x, 8, (1, 1), (Pad::Sides(0), 1, false));
    let normal = graph.batch_norm("shared_norm", raw, 1e-3, 0.1);
    graph.add(raw, normal);
    std::mem::take(graph)
}

fn labels(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("value {i}")).collect()
}

/// Encodes the network with these heads.
fn with_model<T>((attention, norm): (bool, bool), heads: &[(&str, usize)], f: impl FnOnce(&Model<'_>) -> T) -> T {
    let mut graph = every_operation();
    if norm {
        let weight = graph.parameter("head.norm.weight", &[8], ParameterKind::NormScale);
        let bias = graph.parameter("head.norm.bias", &[8], ParameterKind::NormShift);
        graph.pooled_norm = Some(PooledNorm { weight, bias, epsilon: 1e-6 });
    }
    let parameters: Vec<Vec<f32>> = graph.parameters.iter().map(|spec| parameter(&spec.name, &spec.shape)).collect();
    let masks = attention.then(|| parameter("attention.weight", &[2, 8]));
    let width = if attention { 16 } else { 8 };
    let values: Vec<_> = heads
        .iter()
        .map(|(name, classes)| {
            let weight = parameter(&format!("heads.{name}.weight"), &[*classes, width]);
            // One-dimensional as it is, a bias is named so.
            (labels(*classes), weight, parameter(&format!("heads.{name}.bias"), &[*classes]))
        })
        .collect();
    let heads = heads.iter().zip(&values).map(|((attribute, _), (labels, weight, bias))| Head {
        attribute,
        labels,
        loss: LossName::CrossEntropy,
        temperature: 1.25,
        weight,
        bias,
    });
    f(&Model {
        graph: &graph,
        parameters: &parameters,
        size: SIZE,
        mean: [0.5, 0.4, 0.3],
        deviation: [0.2, 0.25, 0.5],
        attention: masks.as_deref(),
        heads: heads.collect(),
    })
}

#[test]
fn every_operation_says_what_pytorch_says() {
    let fixture: BTreeMap<String, BTreeMap<String, Vec<Vec<f64>>>> = serde_json::from_str(FIXTURE).unwrap();
    let images = wave("images", BATCH * 3 * SIZE * SIZE).into_iter().map(|x| 0.5 + 0.5 * x).collect();
    let images = Array { shape: vec![BATCH, 3, SIZE, SIZE], values: images };
    let (two, one) = (&[("breed", 3), ("ear", 2)][..], &[("coat", 4)][..]);
    for (name, kind, heads) in [
        ("attention", (true, false), two),
        ("attention_norm", (true, true), two),
        ("plain", (false, false), one),
        ("plain_norm", (false, true), one),
    ] {
        let bytes = with_model(kind, heads, |model| {
            // tests/fixtures/onnx_logits.py DIR runs them in onnxruntime.
            if let Some(dir) = std::env::var_os("ONNX_OUT") {
                export(model, &Path::new(&dir).join(format!("{name}.onnx"))).unwrap();
            }
            encode(model).unwrap()
        });
        let decoded = ModelProto::decode(&bytes[..]).unwrap();
        let outputs = run(&decoded, ("images", images.clone()));
        assert_eq!(outputs.len(), heads.len());
        for (head, classes) in heads {
            let found = &outputs[&format!("logits_{head}")];
            assert_eq!(found.shape, [BATCH, *classes]);
            for (a, b) in found.values.iter().zip(fixture[name][*head].iter().flatten()) {
                assert!((a - b).abs() < 1e-5, "{name} {head}: {a} {b}");
            }
        }
        let graph = decoded.graph.unwrap();
        let count = |operator: &str| graph.node.iter().filter(|node| node.op_type == operator).count();
        // Three of five batch-norms are folded: one stands after a sum, one after a convolution that others read too.
        assert_eq!((count("BatchNormalization"), count("Conv")), (2, 7));
    }
}

#[test]
fn the_file_says_what_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.onnx");
    with_model((false, false), &[("coat", 4)], |model| export(model, &path)).unwrap();
    let model = ModelProto::decode(&fs::read(path).unwrap()[..]).unwrap();
    assert_eq!((model.ir_version, model.opset_import[0].version), (8, 17));
    let metadata: BTreeMap<_, _> =
        model.metadata_props.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
    assert_eq!(metadata["labels"], r#"{"coat":["value 0","value 1","value 2","value 3"]}"#);
    assert_eq!((metadata["losses"], metadata["image_size"]), (r#"{"coat":"cross-entropy"}"#, "11"));
    assert_eq!(metadata["temperatures"], r#"{"coat":1.25}"#);
    let input = &model.graph.unwrap().input[0];
    let shape = input.r#type.clone().unwrap().tensor_type.unwrap().shape.unwrap();
    assert_eq!(shape.dim[0].dim_param.as_deref(), Some("batch"));
    assert_eq!(shape.dim[1..].iter().map(|d| d.dim_value.unwrap()).collect::<Vec<_>>(), [3, 11, 11]);
}

#[test]
fn what_does_not_fit_is_said() {
    let error = |change: &dyn Fn(&mut Model<'_>)| {
        with_model((false, false), &[("coat", 4)], |model| {
            let mut model = model.clone();
            change(&mut model);
            encode(&model).unwrap_err().to_string()
        })
    };
    assert!(error(&|model| model.parameters = &model.parameters[1..]).contains("parameters"));
    assert!(error(&|model| model.heads[0].bias = &model.heads[0].bias[1..]).contains("head coat"));
    assert!(error(&|model| model.heads.clear()).contains("no head"));
    assert!(error(&|model| model.attention = Some(&[1.0; 9])).contains("attention"));
}
