//! EfficientNet-B0 to B4 and EfficientNet-Lite0 to Lite2.
//!
//! M. Tan and Q. V. Le, EfficientNet, ICML 2019. Tensor names are timm's. B0 to B4 are timm's `efficientnet_b*`
//! (torchvision's geometry, too): symmetric padding, epsilon 1e-5. The Lite variants are TensorFlow's, timm's
//! `tf_efficientnet_lite*`: no squeeze-and-excitation, ReLU6, stem and head of one size, "same" padding, epsilon 1e-3.

use kenami_domain::run_config::ModelName;

use crate::{
    graph::{ConvSpec, Graph, NodeId, Op, Pad},
    ops::Activation,
};

/// Share of a batch's statistics in the running ones.
const MOMENTUM: f64 = 0.1;

/// Blocks of one stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    pub repeats: usize,
    pub kernel: usize,
    pub stride: usize,
    /// Factor of the channels inside a block.
    pub expand: usize,
    pub inputs: usize,
    pub outputs: usize,
}

const fn stage(repeats: usize, kernel: usize, stride: usize, expand: usize, inputs: usize, outputs: usize) -> Stage {
    Stage { repeats, kernel, stride, expand, inputs, outputs }
}

/// The stages of B0, of which the others are multiples.
const BASE: [Stage; 7] = [
    stage(1, 3, 1, 1, 32, 16),
    stage(2, 3, 2, 6, 16, 24),
    stage(2, 5, 2, 6, 24, 40),
    stage(3, 3, 2, 6, 40, 80),
    stage(3, 5, 1, 6, 80, 112),
    stage(4, 5, 2, 6, 112, 192),
    stage(1, 3, 1, 6, 192, 320),
];
const STEM: usize = 32;
const HEAD: usize = 1280;
/// Stages of blocks (from 0) after which the map is halved, or ends: there our stages end.
const ENDS: [usize; 3] = [1, 2, 4];

/// One size of the family.
#[derive(Debug, Clone)]
pub(super) struct Size {
    /// Without squeeze-and-excitation, TensorFlow's padding.
    pub lite: bool,
    pub stem: usize,
    pub stages: Vec<Stage>,
    pub head: usize,
}

impl Size {
    /// `None` for another family's model.
    pub(super) fn of(name: ModelName) -> Option<Self> {
        Some(match name {
            ModelName::EfficientnetLite0 => Self::new(true, 1.0, 1.0),
            ModelName::EfficientnetLite1 => Self::new(true, 1.0, 1.1),
            ModelName::EfficientnetLite2 => Self::new(true, 1.1, 1.2),
            ModelName::EfficientnetB0 => Self::new(false, 1.0, 1.0),
            ModelName::EfficientnetB1 => Self::new(false, 1.0, 1.1),
            ModelName::EfficientnetB2 => Self::new(false, 1.1, 1.2),
            ModelName::EfficientnetB3 => Self::new(false, 1.2, 1.4),
            ModelName::EfficientnetB4 => Self::new(false, 1.4, 1.8),
            _ => return None,
        })
    }

    /// Channels times `width`, repeats times `depth`; Lite leaves stem, head and the repeats of first and last stage.
    fn new(lite: bool, width: f64, depth: f64) -> Self {
        let last = BASE.len() - 1;
        let scaled = |number: usize, stage: &Stage| Stage {
            repeats: match number {
                number if lite && (number == 0 || number == last) => stage.repeats,
                _ => (stage.repeats as f64 * depth).ceil() as usize,
            },
            inputs: if lite && number == 0 { stage.inputs } else { channels(stage.inputs, width) },
            outputs: channels(stage.outputs, width),
            ..*stage
        };
        let ends = if lite { 1.0 } else { width };
        Self {
            lite,
            stem: channels(STEM, ends),
            stages: BASE.iter().enumerate().map(|(number, stage)| scaled(number, stage)).collect(),
            head: channels(HEAD, ends),
        }
    }

    /// Every block: its stage, its number in the stage, and its geometry (with one repeat).
    pub(super) fn blocks(&self) -> impl Iterator<Item = (usize, usize, Stage)> + '_ {
        self.stages.iter().enumerate().flat_map(|(number, stage)| {
            (0..stage.repeats).map(move |repeat| {
                let (stride, inputs) = if repeat == 0 { (stage.stride, stage.inputs) } else { (1, stage.outputs) };
                (number, repeat, Stage { repeats: 1, stride, inputs, ..*stage })
            })
        })
    }
}

/// Channels times `width`, to the nearest multiple of 8 that loses less than a tenth.
fn channels(base: usize, width: f64) -> usize {
    let wanted = base as f64 * width;
    let rounded = ((wanted + 4.0) as usize / 8 * 8).max(8);
    if (rounded as f64) < 0.9 * wanted { rounded + 8 } else { rounded }
}

/// The graph of a model of this family; `None` for another's. Stages end where the map is about to be halved: after the
/// stem, after timm's `blocks.1`, `blocks.2`, `blocks.4`, and after the head's convolution.
pub(super) fn graph(name: ModelName) -> Option<Graph> {
    let size = Size::of(name)?;
    let mut builder = Builder::new(&size);
    let input = builder.graph.input();
    let mut node = builder.conv_norm(("conv_stem", "bn1"), input, size.stem, (3, 2), true);
    builder.graph.end_stage(node);
    for (stage, number, block) in size.blocks() {
        node = builder.block(&format!("blocks.{stage}.{number}"), node, &block);
        if ENDS.contains(&stage) && number + 1 == size.stages[stage].repeats {
            builder.graph.end_stage(node);
        }
    }
    let node = builder.conv_norm(("conv_head", "bn2"), node, size.head, (1, 1), true);
    builder.graph.end_stage(node);
    Some(builder.graph)
}

struct Builder {
    graph: Graph,
    lite: bool,
    activation: Activation,
    epsilon: f64,
}

impl Builder {
    fn new(size: &Size) -> Self {
        let (activation, epsilon) = if size.lite { (Activation::Relu6, 1e-3) } else { (Activation::Silu, 1e-5) };
        Self { graph: Graph::default(), lite: size.lite, activation, epsilon }
    }

    fn pad(&self, kernel: usize) -> Pad {
        if self.lite { Pad::Same } else { Pad::Sides((kernel - 1) / 2) }
    }

    /// Convolution and norm, activated or not.
    fn conv_norm(
        &mut self,
        names: (&str, &str),
        input: NodeId,
        outputs: usize,
        (kernel, stride): (usize, usize),
        activate: bool,
    ) -> NodeId {
        let inputs = self.graph.nodes[input].channels;
        let spec = ConvSpec { inputs, outputs, kernel, stride, pad: self.pad(kernel), groups: 1 };
        self.finish(names, input, spec, activate)
    }

    fn depthwise(&mut self, names: (&str, &str), input: NodeId, (kernel, stride): (usize, usize)) -> NodeId {
        let channels = self.graph.nodes[input].channels;
        let pad = self.pad(kernel);
        let spec = ConvSpec { inputs: channels, outputs: channels, kernel, stride, pad, groups: channels };
        self.finish(names, input, spec, true)
    }

    fn finish(&mut self, (conv, norm): (&str, &str), input: NodeId, spec: ConvSpec, activate: bool) -> NodeId {
        let node = self.graph.conv(conv, input, spec, false);
        let node = self.graph.batch_norm(norm, node, self.epsilon, MOMENTUM);
        if activate { self.graph.activation(node, self.activation) } else { node }
    }

    /// An inverted residual; without expansion where that would change nothing.
    fn block(&mut self, name: &str, input: NodeId, block: &Stage) -> NodeId {
        let layer = |part: &str| format!("{name}.{part}");
        let separable = block.expand == 1;
        // timm numbers the norms and names the pointwise convolutions in the order in which they come.
        let (first, second, last) =
            if separable { ("", "bn1", ("conv_pw", "bn2")) } else { ("bn1", "bn2", ("conv_pwl", "bn3")) };
        let mut node = input;
        if !separable {
            let wide = block.inputs * block.expand;
            node = self.conv_norm((&layer("conv_pw"), &layer(first)), node, wide, (1, 1), true);
        }
        node = self.depthwise((&layer("conv_dw"), &layer(second)), node, (block.kernel, block.stride));
        if !self.lite {
            node = self.squeeze(&layer("se"), node, block.inputs / 4);
        }
        node = self.conv_norm((&layer(last.0), &layer(last.1)), node, block.outputs, (1, 1), false);
        if block.stride == 1 && block.inputs == block.outputs { self.graph.add(node, input) } else { node }
    }

    /// Squeeze-and-excitation (J. Hu, L. Shen, G. Sun, CVPR 2018) through `reduced` channels.
    fn squeeze(&mut self, name: &str, input: NodeId, reduced: usize) -> NodeId {
        let channels = self.graph.nodes[input].channels;
        let spec = |inputs, outputs| ConvSpec { inputs, outputs, kernel: 1, stride: 1, pad: Pad::Sides(0), groups: 1 };
        let node = self.graph.push(Op::GlobalPool, &[input], channels);
        let node = self.graph.conv(&format!("{name}.conv_reduce"), node, spec(channels, reduced), true);
        let node = self.graph.activation(node, self.activation);
        let node = self.graph.conv(&format!("{name}.conv_expand"), node, spec(reduced, channels), true);
        let gate = self.graph.activation(node, Activation::Sigmoid);
        self.graph.push(Op::Gate, &[input, gate], channels)
    }
}
