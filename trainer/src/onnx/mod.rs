//! Export to ONNX: a network with its heads as one file that onnxruntime and others run.
//!
//! The model's input `images` is `[batch, 3, size, size]`, RGB from 0 to 1: normalisation is inside. Its outputs are
//! `logits_ATTRIBUTE`, `[batch, values]`, one a head. The batch may have any size; the photos' size is fixed, as TensorFlow's
//! "same" padding depends on it. Batch-norms are folded into their convolutions. Operators are those of opset 17. The
//! metadata say (as JSON, but for `image_size`) `labels`: values per head, in the logits' order; `losses`: the loss per head,
//! which says how logits become probabilities (softmax; sigmoids for `bce`); `temperatures`: what logits are divided by before
//! that, per head; `image_size`.

mod build;
pub(crate) mod proto;

use std::{collections::BTreeMap, path::Path};

use kenami_domain::run_config::LossName;
use prost::Message;

use crate::{
    error::{Error, Result},
    files::write_atomically,
    graph::Graph,
};

/// The model's input.
pub const INPUT: &str = "images";
/// Before an attribute's key in the name of its output.
pub const OUTPUT_PREFIX: &str = "logits_";
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// A network with its heads, ready to be written.
#[derive(Debug, Clone)]
pub struct Model<'a> {
    /// The network up to its last feature map.
    pub graph: &'a Graph,
    /// The graph's parameters, in its order.
    pub parameters: &'a [Vec<f32>],
    /// Side of the photos in pixels.
    pub size: usize,
    /// Per colour, of pixel values from 0 to 1: what is subtracted.
    pub mean: [f32; 3],
    /// Per colour, of pixel values from 0 to 1: what is then divided by.
    pub deviation: [f32; 3],
    /// Spatial attention, `[masks, channels]`: a softmax over positions per mask; absent for average pooling.
    pub attention: Option<&'a [f32]>,
    /// At least one.
    pub heads: Vec<Head<'a>>,
}

/// A linear head.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// The attribute's key.
    pub attribute: &'a str,
    /// Its values.
    pub labels: &'a [String],
    /// How logits become probabilities.
    pub loss: LossName,
    /// What logits are divided by before that; not done inside the model.
    pub temperature: f64,
    /// `[labels, masks * channels]`.
    pub weight: &'a [f32],
    /// `[labels]`.
    pub bias: &'a [f32],
}

/// Writes the model.
///
/// # Errors
/// A parameter's length is not what the graph says, photos are too small for the network, or the file cannot be written.
pub fn export(model: &Model<'_>, path: &Path) -> Result<()> {
    let bytes = encode(model)?;
    write_atomically(path, |file| file.write_all(&bytes))
}

/// The file's content.
///
/// # Errors
/// As [`export`].
pub fn encode(model: &Model<'_>) -> Result<Vec<u8>> {
    check(model)?;
    let labels: BTreeMap<_, _> = model.heads.iter().map(|head| (head.attribute, head.labels)).collect();
    let losses: BTreeMap<_, _> = model.heads.iter().map(|head| (head.attribute, head.loss)).collect();
    let temperatures: BTreeMap<_, _> = model.heads.iter().map(|head| (head.attribute, head.temperature)).collect();
    let json = |value: serde_json::Result<String>| value.expect("they are plain data");
    let metadata = [
        ("labels", json(serde_json::to_string(&labels))),
        ("losses", json(serde_json::to_string(&losses))),
        ("temperatures", json(serde_json::to_string(&temperatures))),
        ("image_size", model.size.to_string()),
    ];
    let message = proto::ModelProto {
        ir_version: IR_VERSION,
        producer_name: "kenami".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(build::graph(model)?),
        opset_import: vec![proto::OperatorSetIdProto { domain: Some(String::new()), version: OPSET }],
        metadata_props: metadata
            .into_iter()
            .map(|(key, value)| proto::StringStringEntryProto { key: key.to_owned(), value })
            .collect(),
    };
    Ok(message.encode_to_vec())
}

fn check(model: &Model<'_>) -> Result<()> {
    let fault = |what: String| Err(Error::Run(format!("the model cannot be exported: {what}")));
    let specs = &model.graph.parameters;
    if specs.len() != model.parameters.len() {
        return fault(format!("{} parameters for a network of {}", model.parameters.len(), specs.len()));
    }
    for (spec, values) in specs.iter().zip(model.parameters) {
        if values.len() != spec.shape.iter().product::<usize>() {
            return fault(format!("{} has {} values, not those of shape {:?}", spec.name, values.len(), spec.shape));
        }
    }
    let channels = model.graph.features();
    let masks = model.attention.map_or(channels, <[f32]>::len);
    if masks == 0 || !masks.is_multiple_of(channels) {
        return fault(format!("attention has {masks} weights for {channels} channels"));
    }
    if model.heads.is_empty() {
        return fault("it has no head".to_owned());
    }
    for head in &model.heads {
        let classes = head.labels.len();
        if head.bias.len() != classes || head.weight.len() != classes * masks {
            return fault(format!("head {} does not fit {classes} values and {masks} features", head.attribute));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod interpreter;
#[cfg(test)]
mod tests;
