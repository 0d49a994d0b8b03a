//! ConvNeXt-Tiny.
//!
//! Z. Liu et al., A ConvNet for the 2020s, CVPR 2022. Names are timm's `convnext_tiny`; its linear maps are 1x1 convolutions
//! here (`[outputs, inputs, 1, 1]`). Its last norm works on pooled features and stands in [`Graph::pooled_norm`].

use kenami_domain::run_config::ModelName;

use crate::{
    graph::{ConvSpec, Graph, NodeId, Op, Pad, ParameterKind, PooledNorm},
    ops::Activation,
};

/// Added to the variance in layer normalisation.
const EPSILON: f64 = 1e-6;
/// Blocks and channels of each stage.
const STAGES: [(usize, usize); 4] = [(3, 96), (3, 192), (9, 384), (3, 768)];
/// Factor of the channels inside a block.
const EXPAND: usize = 4;

/// The graph; `None` for another family's model. Stages end after the stem and after `stages.0` to `stages.3`, each of which
/// begins with its halving of the map.
pub(super) fn graph(name: ModelName) -> Option<Graph> {
    if name != ModelName::ConvnextTiny {
        return None;
    }
    let mut graph = Graph::default();
    let input = graph.input();
    let node = graph.conv("stem.0", input, patches(3, STAGES[0].1, 4), true);
    let mut node = graph.layer_norm("stem.1", node, EPSILON);
    graph.end_stage(node);
    for (stage, (blocks, channels)) in STAGES.into_iter().enumerate() {
        if stage > 0 {
            let name = |part: usize| format!("stages.{stage}.downsample.{part}");
            let inputs = graph.nodes[node].channels;
            node = graph.layer_norm(&name(0), node, EPSILON);
            node = graph.conv(&name(1), node, patches(inputs, channels, 2), true);
        }
        for number in 0..blocks {
            node = block(&mut graph, &format!("stages.{stage}.blocks.{number}"), node);
        }
        graph.end_stage(node);
    }
    let features = graph.features();
    let weight = graph.parameter("head.norm.weight", &[features], ParameterKind::NormScale);
    let bias = graph.parameter("head.norm.bias", &[features], ParameterKind::NormShift);
    graph.pooled_norm = Some(PooledNorm { weight, bias, epsilon: EPSILON });
    Some(graph)
}

/// A convolution whose windows lie side by side.
fn patches(inputs: usize, outputs: usize, kernel: usize) -> ConvSpec {
    ConvSpec { inputs, outputs, kernel, stride: kernel, pad: Pad::Sides(0), groups: 1 }
}

fn block(graph: &mut Graph, name: &str, input: NodeId) -> NodeId {
    let channels = graph.nodes[input].channels;
    let layer = |part: &str| format!("{name}.{part}");
    let depthwise =
        ConvSpec { inputs: channels, outputs: channels, kernel: 7, stride: 1, pad: Pad::Sides(3), groups: channels };
    let linear = |inputs, outputs| patches(inputs, outputs, 1);
    let node = graph.conv(&layer("conv_dw"), input, depthwise, true);
    let node = graph.layer_norm(&layer("norm"), node, EPSILON);
    let node = graph.conv(&layer("mlp.fc1"), node, linear(channels, EXPAND * channels), true);
    let node = graph.activation(node, Activation::Gelu);
    let node = graph.conv(&layer("mlp.fc2"), node, linear(EXPAND * channels, channels), true);
    let weight = graph.parameter(layer("gamma"), &[channels], ParameterKind::LayerScale);
    let node = graph.push(Op::ChannelScale { weight }, &[node], channels);
    graph.add(node, input)
}
