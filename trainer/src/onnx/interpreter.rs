//! A plain interpreter of the operators that [`super::build`] writes: what the tests compare the network with. Written from
//! the operators' definitions, with no thought of speed.

use std::collections::BTreeMap;

use super::proto::{AttributeProto, INT64, ModelProto, NodeProto, TensorProto};

/// Shape and values, the last axis fastest.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Array {
    fn of(shape: &[usize], value: impl Fn(&[usize]) -> f64) -> Self {
        let count = shape.iter().product();
        let mut index = vec![0; shape.len()];
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(value(&index));
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Self { shape: shape.to_vec(), values }
    }

    /// The value at an index; axes of length 1 and missing leading axes are stretched.
    fn at(&self, index: &[usize]) -> f64 {
        let own = &index[index.len() - self.shape.len()..];
        let place =
            self.shape.iter().zip(own).fold(0, |place, (size, i)| place * size + if *size == 1 { 0 } else { *i });
        self.values[place]
    }

    fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { shape: self.shape.clone(), values: self.values.iter().map(|x| f(*x)).collect() }
    }

    fn read(tensor: &TensorProto) -> Self {
        let shape = tensor.dims.iter().map(|size| *size as usize).collect();
        let values = if tensor.data_type == INT64 {
            tensor.raw_data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect()
        } else {
            tensor.raw_data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
        };
        Self { shape, values }
    }
}

fn broadcast(a: &Array, b: &Array, f: impl Fn(f64, f64) -> f64) -> Array {
    let rank = a.shape.len().max(b.shape.len());
    let size = |array: &Array, axis: usize| (axis + array.shape.len()).checked_sub(rank).map_or(1, |i| array.shape[i]);
    let shape: Vec<usize> = (0..rank).map(|axis| size(a, axis).max(size(b, axis))).collect();
    Array::of(&shape, |index| f(a.at(index), b.at(index)))
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute.iter().find(|attribute| attribute.name == name)
}

fn ints(node: &NodeProto, name: &str) -> Vec<usize> {
    attribute(node, name).unwrap().ints.iter().map(|value| usize::try_from(*value).unwrap()).collect()
}

/// Values of the window at an output's place, those in the padding left out: window row, window column, input row and column.
fn window(node: &NodeProto, x: &Array, row: usize, column: usize) -> Vec<[usize; 4]> {
    let (kernel, strides, pads) = (ints(node, "kernel_shape"), ints(node, "strides"), ints(node, "pads"));
    let mut places = Vec::new();
    for i in 0..kernel[0] {
        for j in 0..kernel[1] {
            let (y, z) = ((row * strides[0] + i).checked_sub(pads[0]), (column * strides[1] + j).checked_sub(pads[1]));
            if let (Some(y), Some(z)) = (y, z)
                && y < x.shape[2]
                && z < x.shape[3]
            {
                places.push([i, j, y, z]);
            }
        }
    }
    places
}

fn window_shape(node: &NodeProto, x: &Array) -> (usize, usize) {
    let (kernel, strides, pads) = (ints(node, "kernel_shape"), ints(node, "strides"), ints(node, "pads"));
    let side = |axis: usize| (x.shape[2 + axis] + pads[axis] + pads[axis + 2] - kernel[axis]) / strides[axis] + 1;
    (side(0), side(1))
}

fn convolution(node: &NodeProto, x: &Array, weight: &Array, bias: Option<&Array>) -> Array {
    let (rows, columns) = window_shape(node, x);
    let groups = attribute(node, "group").unwrap().i.unwrap() as usize;
    let (outputs, inputs) = (weight.shape[0], weight.shape[1]);
    let (image, kernel) = (x.shape[2] * x.shape[3], weight.shape[2] * weight.shape[3]);
    // Where each place's window lies in a channel of the map and of the kernel.
    let windows: Vec<Vec<(usize, usize)>> = (0..rows * columns)
        .map(|place| window(node, x, place / columns, place % columns))
        .map(|window| window.into_iter().map(|[i, j, y, z]| (y * x.shape[3] + z, i * weight.shape[3] + j)).collect())
        .collect();
    Array::of(&[x.shape[0], outputs, rows, columns], |index| {
        let &[n, c, row, column] = index else { unreachable!() };
        let first = n * x.shape[1] + c / (outputs / groups) * inputs;
        let mut sum = bias.map_or(0.0, |bias| bias.values[c]);
        for (pixel, place) in &windows[row * columns + column] {
            for k in 0..inputs {
                sum += x.values[(first + k) * image + pixel] * weight.values[(c * inputs + k) * kernel + place];
            }
        }
        sum
    })
}

fn matmul(a: &Array, b: &Array) -> Array {
    let (rows, inner, columns) = (a.shape[a.shape.len() - 2], a.shape[a.shape.len() - 1], b.shape[b.shape.len() - 1]);
    let batch = if a.shape.len() == 3 { a.shape[0] } else { b.shape[0] };
    Array::of(&[batch, rows, columns], |index| {
        (0..inner).map(|k| a.at(&[index[0], index[1], k]) * b.at(&[index[0], k, index[2]])).sum()
    })
}

/// Abramowitz and Stegun's series 7.1.6, to the end of double precision.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-18 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

fn apply(node: &NodeProto, inputs: &[&Array]) -> Array {
    let x = inputs[0];
    match node.op_type.as_str() {
        "Conv" => convolution(node, x, inputs[1], inputs.get(2).copied()),
        "MaxPool" => {
            let (rows, columns) = window_shape(node, x);
            Array::of(&[x.shape[0], x.shape[1], rows, columns], |index| {
                let places = window(node, x, index[2], index[3]).into_iter();
                places.map(|[_, _, y, z]| x.at(&[index[0], index[1], y, z])).fold(f64::NEG_INFINITY, f64::max)
            })
        }
        "BatchNormalization" => {
            let epsilon = f64::from(attribute(node, "epsilon").unwrap().f.unwrap());
            Array::of(&x.shape, |index| {
                let [scale, shift, mean, variance] = [1, 2, 3, 4].map(|i| inputs[i].values[index[1]]);
                (x.at(index) - mean) / (variance + epsilon).sqrt() * scale + shift
            })
        }
        "LayerNormalization" => {
            assert_eq!(attribute(node, "axis").unwrap().i, Some(-1));
            let epsilon = f64::from(attribute(node, "epsilon").unwrap().f.unwrap());
            let size = *x.shape.last().unwrap();
            let rows = x.values.chunks_exact(size).flat_map(|row| {
                let mean = row.iter().sum::<f64>() / size as f64;
                let variance = row.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / size as f64;
                let deviation = (variance + epsilon).sqrt();
                (0..size).map(move |c| (row[c] - mean) / deviation * inputs[1].values[c] + inputs[2].values[c])
            });
            Array { shape: x.shape.clone(), values: rows.collect() }
        }
        "Relu" => x.map(|x| x.max(0.0)),
        "Clip" => x.map(|x| x.clamp(inputs[1].values[0], inputs[2].values[0])),
        "Sigmoid" => x.map(|x| 1.0 / (1.0 + (-x).exp())),
        "Erf" => x.map(erf),
        "Add" => broadcast(x, inputs[1], |a, b| a + b),
        "Sub" => broadcast(x, inputs[1], |a, b| a - b),
        "Mul" => broadcast(x, inputs[1], |a, b| a * b),
        "Div" => broadcast(x, inputs[1], |a, b| a / b),
        "GlobalAveragePool" => {
            let pixels = x.shape[2] * x.shape[3];
            let means = x.values.chunks_exact(pixels).map(|map| map.iter().sum::<f64>() / pixels as f64);
            Array { shape: vec![x.shape[0], x.shape[1], 1, 1], values: means.collect() }
        }
        "Flatten" => Array { shape: vec![x.shape[0], x.shape[1..].iter().product()], values: x.values.clone() },
        "Reshape" => {
            assert_eq!(inputs[1].values, [0.0, 0.0, -1.0]);
            Array { shape: vec![x.shape[0], x.shape[1], x.shape[2] * x.shape[3]], values: x.values.clone() }
        }
        "Transpose" => {
            let order = ints(node, "perm");
            let shape: Vec<usize> = order.iter().map(|axis| x.shape[*axis]).collect();
            Array::of(&shape, |index| {
                let mut source = vec![0; index.len()];
                order.iter().zip(index).for_each(|(axis, i)| source[*axis] = *i);
                x.at(&source)
            })
        }
        "MatMul" => matmul(x, inputs[1]),
        "Softmax" => {
            let size = *x.shape.last().unwrap();
            let rows = x.values.chunks_exact(size).flat_map(|row| {
                let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = row.iter().map(|value| (value - highest).exp()).sum();
                row.iter().map(move |value| (value - highest).exp() / total)
            });
            Array { shape: x.shape.clone(), values: rows.collect() }
        }
        "Gemm" => {
            assert_eq!(attribute(node, "transB").unwrap().i, Some(1));
            let (weight, bias) = (inputs[1], inputs[2]);
            Array::of(&[x.shape[0], weight.shape[0]], |index| {
                let products = (0..x.shape[1]).map(|k| x.at(&[index[0], k]) * weight.at(&[index[1], k]));
                products.sum::<f64>() + bias.values[index[1]]
            })
        }
        other => panic!("the operator {other} is not known"),
    }
}

/// Runs a model; its outputs by name.
pub(crate) fn run(model: &ModelProto, input: (&str, Array)) -> BTreeMap<String, Array> {
    let graph = model.graph.as_ref().unwrap();
    let mut values: BTreeMap<String, Array> =
        graph.initializer.iter().map(|tensor| (tensor.name.clone(), Array::read(tensor))).collect();
    values.insert(input.0.to_owned(), input.1);
    for node in &graph.node {
        let inputs: Vec<&Array> = node.input.iter().map(|name| &values[name]).collect();
        let output = apply(node, &inputs);
        assert!(values.insert(node.output[0].clone(), output).is_none(), "{} is made twice", node.output[0]);
    }
    graph.output.iter().map(|output| (output.name.clone(), values[&output.name].clone())).collect()
}
