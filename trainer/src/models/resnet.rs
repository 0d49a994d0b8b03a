//! ResNet and its wide and grouped variants.
//!
//! K. He, X. Zhang, S. Ren, J. Sun, Deep Residual Learning for Image Recognition, CVPR 2016; S. Zagoruyko and N. Komodakis,
//! Wide Residual Networks, BMVC 2016; S. Xie et al., Aggregated Residual Transformations, CVPR 2017. Names and geometry are
//! torchvision's (timm's are the same): the stride of a bottleneck is at its 3x3 convolution ("v1.5").

use kenami_domain::run_config::ModelName;

use crate::{
    graph::{ConvSpec, Graph, NodeId, Op, Pad},
    ops::Activation,
};

/// Added to the variance in batch normalisation.
const EPSILON: f64 = 1e-5;
/// Share of a batch's statistics in the running ones.
const MOMENTUM: f64 = 0.1;
/// Channels of the stem.
const STEM: usize = 64;

/// What tells one ResNet from another.
#[derive(Debug, Clone, Copy)]
struct Variant {
    /// Blocks of each stage.
    blocks: [usize; 4],
    /// Three convolutions a block instead of two.
    bottleneck: bool,
    /// Groups of a bottleneck's 3x3 convolution.
    groups: usize,
    /// Channels of one group in the first stage.
    width: usize,
}

impl Variant {
    /// `None` for another family's model.
    fn of(name: ModelName) -> Option<Self> {
        let basic = |blocks| Self { blocks, bottleneck: false, groups: 1, width: 64 };
        let deep = |blocks| Self { bottleneck: true, ..basic(blocks) };
        Some(match name {
            ModelName::Resnet18 => basic([2, 2, 2, 2]),
            ModelName::Resnet34 => basic([3, 4, 6, 3]),
            ModelName::Resnet50 => deep([3, 4, 6, 3]),
            ModelName::Resnet101 => deep([3, 4, 23, 3]),
            ModelName::Resnet152 => deep([3, 8, 36, 3]),
            ModelName::WideResnet50 => Self { width: 128, ..deep([3, 4, 6, 3]) },
            ModelName::Resnext50 => Self { groups: 32, width: 4, ..deep([3, 4, 6, 3]) },
            _ => return None,
        })
    }
}

/// The graph of a model of this family; `None` for another's. Stages end after the stem's max-pool and after `layer1` to
/// `layer4`.
pub(super) fn graph(name: ModelName) -> Option<Graph> {
    let variant = Variant::of(name)?;
    let mut graph = Graph::default();
    let input = graph.input();
    let spec = ConvSpec { inputs: 3, outputs: STEM, kernel: 7, stride: 2, pad: Pad::Sides(3), groups: 1 };
    let node = conv_norm(&mut graph, ("conv1", "bn1"), input, spec, Activation::Relu);
    let mut node = graph.push(Op::MaxPool { kernel: 3, stride: 2, pad: 1 }, &[node], STEM);
    graph.end_stage(node);
    for (stage, blocks) in variant.blocks.into_iter().enumerate() {
        for number in 0..blocks {
            let stride = if number == 0 && stage > 0 { 2 } else { 1 };
            node = block(&mut graph, &format!("layer{}.{number}", stage + 1), node, &variant, STEM << stage, stride);
        }
        graph.end_stage(node);
    }
    Some(graph)
}

/// A residual block of `planes` channels (four times as many come out of a bottleneck).
fn block(graph: &mut Graph, name: &str, input: NodeId, variant: &Variant, planes: usize, stride: usize) -> NodeId {
    let inputs = graph.nodes[input].channels;
    let window =
        |inputs, outputs, stride, groups| ConvSpec { inputs, outputs, kernel: 3, stride, pad: Pad::Sides(1), groups };
    let layer = |n: usize| (format!("{name}.conv{n}"), format!("{name}.bn{n}"));
    let mut step = |n: usize, input, spec, activation| {
        let (conv, norm) = layer(n);
        conv_norm(graph, (&conv, &norm), input, spec, activation)
    };
    let (outputs, main) = if variant.bottleneck {
        let (width, outputs) = (planes * variant.width / 64 * variant.groups, planes * 4);
        let narrow = step(1, input, pointwise(inputs, width, 1), Activation::Relu);
        let spatial = step(2, narrow, window(width, width, stride, variant.groups), Activation::Relu);
        (outputs, step(3, spatial, pointwise(width, outputs, 1), Activation::Identity))
    } else {
        let first = step(1, input, window(inputs, planes, stride, 1), Activation::Relu);
        (planes, step(2, first, window(planes, planes, 1, 1), Activation::Identity))
    };
    let shortcut = if stride == 1 && inputs == outputs {
        input
    } else {
        let (conv, norm) = (format!("{name}.downsample.0"), format!("{name}.downsample.1"));
        conv_norm(graph, (&conv, &norm), input, pointwise(inputs, outputs, stride), Activation::Identity)
    };
    let sum = graph.add(main, shortcut);
    graph.activation(sum, Activation::Relu)
}

fn pointwise(inputs: usize, outputs: usize, stride: usize) -> ConvSpec {
    ConvSpec { inputs, outputs, kernel: 1, stride, pad: Pad::Sides(0), groups: 1 }
}

fn conv_norm(
    graph: &mut Graph,
    (conv, norm): (&str, &str),
    input: NodeId,
    spec: ConvSpec,
    activation: Activation,
) -> NodeId {
    let node = graph.conv(conv, input, spec, false);
    let node = graph.batch_norm(norm, node, EPSILON, MOMENTUM);
    if activation == Activation::Identity { node } else { graph.activation(node, activation) }
}
