//! From the graph's operations to ONNX's.

use super::{
    INPUT, Model, OUTPUT_PREFIX,
    proto::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto},
};
use crate::{
    error::{Error, Result},
    graph::{ConvSpec, Node, NodeId, Op, Pad, ParameterId},
    ops::{Activation, same_padding},
};

/// The whole model as ONNX's graph.
pub(super) fn graph(model: &Model<'_>) -> Result<GraphProto> {
    let mut builder = Builder { model, proto: GraphProto::default(), values: Vec::new() };
    builder.proto.name = "kenami".to_owned();
    builder.proto.input.push(ValueInfoProto::batch_of(INPUT, &[3, model.size, model.size]));
    for id in 0..model.graph.nodes.len() {
        let value = builder.node(id)?;
        builder.values.push(value);
    }
    builder.heads();
    Ok(builder.proto)
}

/// A map in the making: its name and size.
#[derive(Debug, Clone)]
struct Value {
    name: String,
    rows: usize,
    columns: usize,
}

struct Builder<'a> {
    model: &'a Model<'a>,
    proto: GraphProto,
    /// Per node of the graph, its output.
    values: Vec<Value>,
}

impl Builder<'_> {
    /// Appends an operation; its output's name.
    fn push(&mut self, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let name = format!("/{}/{operator}", self.proto.node.len());
        self.push_as(&name, operator, inputs, attributes);
        name
    }

    fn push_as(&mut self, output: &str, operator: &str, inputs: &[&str], attributes: Vec<AttributeProto>) {
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: operator.to_owned(),
            attribute: attributes,
        });
    }

    /// A constant; its name.
    fn constant(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        if !self.proto.initializer.iter().any(|tensor| tensor.name == name) {
            self.proto.initializer.push(TensorProto::floats(name, shape, values));
        }
        name.to_owned()
    }

    fn integers(&mut self, name: &str, values: &[i64]) -> String {
        if !self.proto.initializer.iter().any(|tensor| tensor.name == name) {
            self.proto.initializer.push(TensorProto::integers(name, values));
        }
        name.to_owned()
    }

    fn values_of(&self, id: ParameterId) -> &[f32] {
        &self.model.parameters[id]
    }

    /// A parameter as a constant of this shape.
    fn parameter(&mut self, id: ParameterId, shape: &[usize]) -> String {
        let name = format!("trunk.{}", self.model.graph.parameters[id].name);
        let model = self.model;
        self.constant(&name, shape, &model.parameters[id])
    }

    fn node(&mut self, id: NodeId) -> Result<Value> {
        let model = self.model;
        let node = &model.graph.nodes[id];
        let input = |i: usize| self.values[node.inputs[i]].clone();
        let column = [1, node.channels, 1, 1];
        let (value, name) = match &node.op {
            Op::Input => return Ok(self.normalised()),
            // Its batch-norm folds it.
            Op::Conv { spec, .. } if self.folded_into(id).is_some() => {
                let (rows, columns) = self.output_size(spec, &input(0))?;
                return Ok(Value { rows, columns, ..input(0) });
            }
            Op::Conv { .. } => return self.convolution(node, None),
            Op::BatchNorm { .. } => {
                let below = &model.graph.nodes[node.inputs[0]];
                if self.folded_into(node.inputs[0]) == Some(id) {
                    return self.convolution(below, Some(&node.op));
                }
                let x = input(0);
                let name = self.batch_norm(&x.name, &node.op);
                (x, name)
            }
            Op::LayerNorm { weight, bias, epsilon } => {
                let x = input(0);
                let name = self.layer_norm(&x.name, (*weight, *bias), *epsilon, node.channels);
                (x, name)
            }
            Op::Activation(activation) => {
                let x = input(0);
                let name = self.activation(&x.name, *activation);
                (x, name)
            }
            Op::MaxPool { kernel, stride, pad } => {
                let x = input(0);
                let spec = ConvSpec {
                    inputs: 1,
                    outputs: 1,
                    kernel: *kernel,
                    stride: *stride,
                    pad: Pad::Sides(*pad),
                    groups: 1,
                };
                let (rows, columns) = self.output_size(&spec, &x)?;
                let attributes = window(&spec, &x);
                let name = self.push("MaxPool", &[&x.name], attributes);
                (Value { rows, columns, name: String::new() }, name)
            }
            Op::GlobalPool => {
                let name = self.push("GlobalAveragePool", &[&input(0).name], Vec::new());
                (Value { rows: 1, columns: 1, name: String::new() }, name)
            }
            Op::Add => {
                let (a, b) = (input(0), input(1));
                let name = self.push("Add", &[&a.name, &b.name], Vec::new());
                (a, name)
            }
            Op::Gate => {
                let (x, gate) = (input(0), input(1));
                let name = self.push("Mul", &[&x.name, &gate.name], Vec::new());
                (x, name)
            }
            Op::ChannelScale { weight } => {
                let x = input(0);
                let scale = self.parameter(*weight, &column);
                let name = self.push("Mul", &[&x.name, &scale], Vec::new());
                (x, name)
            }
        };
        Ok(Value { name, ..value })
    }

    /// `(x - mean) / deviation` per colour.
    fn normalised(&mut self) -> Value {
        let Model { mean, deviation, size, .. } = *self.model;
        let mean = self.constant("normalisation.mean", &[1, 3, 1, 1], &mean);
        let deviation = self.constant("normalisation.deviation", &[1, 3, 1, 1], &deviation);
        let centred = self.push("Sub", &[INPUT, &mean], Vec::new());
        let name = self.push("Div", &[&centred, &deviation], Vec::new());
        Value { name, rows: size, columns: size }
    }

    /// The batch-norm that a convolution can be folded with: its only reader.
    fn folded_into(&self, conv: NodeId) -> Option<NodeId> {
        let graph = self.model.graph;
        if !matches!(graph.nodes[conv].op, Op::Conv { .. }) || conv == graph.output() {
            return None;
        }
        let mut readers = graph.nodes.iter().enumerate().filter(|(_, node)| node.inputs.contains(&conv));
        let (id, reader) = readers.next()?;
        (matches!(reader.op, Op::BatchNorm { .. }) && readers.next().is_none()).then_some(id)
    }

    fn output_size(&self, spec: &ConvSpec, x: &Value) -> Result<(usize, usize)> {
        let side = |size: usize| match spec.pad {
            Pad::Sides(pad) => Some((size + 2 * pad).checked_sub(spec.kernel)? / spec.stride + 1),
            Pad::Same => Some(same_padding(size, spec.kernel, spec.stride).output),
        };
        side(x.rows).zip(side(x.columns)).ok_or_else(|| {
            Error::Run(format!("the model cannot be exported: photos of {} pixels are too small", self.model.size))
        })
    }

    /// A convolution, with a batch-norm folded into it: `w' = s w`, `b' = s (b - mean) + shift`, `s = scale / sqrt(variance + e)`.
    fn convolution(&mut self, node: &Node, norm: Option<&Op>) -> Result<Value> {
        let Op::Conv { spec, weight, bias } = &node.op else { unreachable!("called for convolutions") };
        let x = self.values[node.inputs[0]].clone();
        let (rows, columns) = self.output_size(spec, &x)?;
        let mut inputs = vec![x.name.clone()];
        let shape = [spec.outputs, spec.inputs / spec.groups, spec.kernel, spec.kernel];
        let label = format!("trunk.{}", self.model.graph.parameters[*weight].name);
        if let Some(Op::BatchNorm { weight: scale, bias: shift, mean, variance, epsilon, .. }) = norm {
            let factor = |c: usize| {
                f64::from(self.values_of(*scale)[c]) / (f64::from(self.values_of(*variance)[c]) + epsilon).sqrt()
            };
            let per_output = shape[1..].iter().product::<usize>();
            let kernels = self.values_of(*weight).chunks_exact(per_output).enumerate();
            let weights: Vec<f32> = kernels
                .flat_map(|(c, kernel)| kernel.iter().map(move |w| (f64::from(*w) * factor(c)) as f32))
                .collect();
            let own = |c: usize| bias.map_or(0.0, |bias| f64::from(self.values_of(bias)[c]));
            let shifted = |c: usize| {
                (own(c) - f64::from(self.values_of(*mean)[c])) * factor(c) + f64::from(self.values_of(*shift)[c])
            };
            let biases: Vec<f32> = (0..spec.outputs).map(|c| shifted(c) as f32).collect();
            inputs.push(self.constant(&label, &shape, &weights));
            inputs.push(self.constant(&format!("{label}.folded_bias"), &[spec.outputs], &biases));
        } else {
            inputs.push(self.parameter(*weight, &shape));
            if let Some(bias) = bias {
                inputs.push(self.parameter(*bias, &[spec.outputs]));
            }
        }
        let mut attributes = window(spec, &x);
        attributes.push(AttributeProto::ints("dilations", &[1, 1]));
        attributes.push(AttributeProto::int("group", spec.groups as i64));
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let name = self.push("Conv", &inputs, attributes);
        Ok(Value { name, rows, columns })
    }

    fn batch_norm(&mut self, x: &str, op: &Op) -> String {
        let Op::BatchNorm { weight, bias, mean, variance, epsilon, .. } = op else {
            unreachable!("called for batch-norms")
        };
        let inputs = [*weight, *bias, *mean, *variance].map(|id| {
            let length = self.values_of(id).len();
            self.parameter(id, &[length])
        });
        let inputs: Vec<&str> = std::iter::once(x).chain(inputs.iter().map(String::as_str)).collect();
        self.push("BatchNormalization", &inputs, vec![AttributeProto::float("epsilon", *epsilon as f32)])
    }

    /// ONNX normalises over the last axes: channels go there and back.
    fn layer_norm(
        &mut self,
        x: &str,
        (weight, bias): (ParameterId, ParameterId),
        epsilon: f64,
        channels: usize,
    ) -> String {
        let inside = self.push("Transpose", &[x], vec![AttributeProto::ints("perm", &[0, 2, 3, 1])]);
        let normal = self.normal(&inside, (weight, bias), epsilon, channels);
        self.push("Transpose", &[&normal], vec![AttributeProto::ints("perm", &[0, 3, 1, 2])])
    }

    /// Layer normalisation over the last axis, the channels.
    fn normal(&mut self, x: &str, (weight, bias): (ParameterId, ParameterId), epsilon: f64, channels: usize) -> String {
        let (scale, shift) = (self.parameter(weight, &[channels]), self.parameter(bias, &[channels]));
        let attributes = vec![AttributeProto::int("axis", -1), AttributeProto::float("epsilon", epsilon as f32)];
        self.push("LayerNormalization", &[x, &scale, &shift], attributes)
    }

    fn activation(&mut self, x: &str, activation: Activation) -> String {
        match activation {
            Activation::Identity => x.to_owned(),
            Activation::Relu => self.push("Relu", &[x], Vec::new()),
            Activation::Relu6 => {
                let (zero, six) = (self.constant("zero", &[], &[0.0]), self.constant("six", &[], &[6.0]));
                self.push("Clip", &[x, &zero, &six], Vec::new())
            }
            Activation::Sigmoid => self.push("Sigmoid", &[x], Vec::new()),
            Activation::Silu => {
                let gate = self.push("Sigmoid", &[x], Vec::new());
                self.push("Mul", &[x, &gate], Vec::new())
            }
            // x / 2 (1 + erf(x / sqrt 2)); the operator Gelu is not in opset 17.
            Activation::Gelu => {
                let root = self.constant("sqrt_half", &[], &[std::f32::consts::FRAC_1_SQRT_2]);
                let (half, one) = (self.constant("half", &[], &[0.5]), self.constant("one", &[], &[1.0]));
                let scaled = self.push("Mul", &[x, &root], Vec::new());
                let erf = self.push("Erf", &[&scaled], Vec::new());
                let sum = self.push("Add", &[&erf, &one], Vec::new());
                let product = self.push("Mul", &[x, &sum], Vec::new());
                self.push("Mul", &[&product, &half], Vec::new())
            }
        }
    }

    /// Pooling and the heads behind the feature map.
    fn heads(&mut self) {
        let model = self.model;
        let features = self.pooled();
        let width = model.attention.map_or(model.graph.features(), <[f32]>::len);
        for head in &model.heads {
            let classes = head.labels.len();
            let weight = self.constant(&format!("heads.{}.weight", head.attribute), &[classes, width], head.weight);
            let bias = self.constant(&format!("heads.{}.bias", head.attribute), &[classes], head.bias);
            let output = format!("{OUTPUT_PREFIX}{}", head.attribute);
            self.push_as(&output, "Gemm", &[&features, &weight, &bias], vec![AttributeProto::int("transB", 1)]);
            self.proto.output.push(ValueInfoProto::batch_of(&output, &[classes]));
        }
    }

    /// `[batch, width]`: the map's mean, or its mean under each mask.
    fn pooled(&mut self) -> String {
        let model = self.model;
        let map = self.values[model.graph.output()].name.clone();
        let axis = |value| vec![AttributeProto::int("axis", value)];
        let Some(weight) = model.attention else {
            let mean = self.push("GlobalAveragePool", &[&map], Vec::new());
            let flat = self.push("Flatten", &[&mean], axis(1));
            return self.pooled_norm(flat);
        };
        let channels = model.graph.features();
        let weight = self.constant("attention.weight", &[weight.len() / channels, channels], weight);
        // 0: as it is; -1: what is left.
        let shape = self.integers("attention.shape", &[0, 0, -1]);
        let positions = self.push("Reshape", &[&map, &shape], Vec::new());
        let values = self.push("MatMul", &[&weight, &positions], Vec::new());
        let masks = self.push("Softmax", &[&values], axis(-1));
        let turned = self.push("Transpose", &[&positions], vec![AttributeProto::ints("perm", &[0, 2, 1])]);
        let means = self.push("MatMul", &[&masks, &turned], Vec::new());
        let means = self.pooled_norm(means);
        self.push("Flatten", &[&means], axis(1))
    }

    /// The network's normalisation of means, whose last axis is the channels.
    fn pooled_norm(&mut self, means: String) -> String {
        let graph = self.model.graph;
        let Some(norm) = &graph.pooled_norm else { return means };
        self.normal(&means, (norm.weight, norm.bias), norm.epsilon, graph.features())
    }
}

/// A window's size, steps and padding (above, left, below, right).
fn window(spec: &ConvSpec, x: &Value) -> Vec<AttributeProto> {
    let side = |size: usize| match spec.pad {
        Pad::Sides(pad) => (pad, pad),
        Pad::Same => {
            let padding = same_padding(size, spec.kernel, spec.stride);
            (padding.before, padding.after)
        }
    };
    let ((top, bottom), (left, right)) = (side(x.rows), side(x.columns));
    vec![
        AttributeProto::ints("kernel_shape", &[spec.kernel, spec.kernel]),
        AttributeProto::ints("strides", &[spec.stride, spec.stride]),
        AttributeProto::ints("pads", &[top, left, bottom, right]),
    ]
}
