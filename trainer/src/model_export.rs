//! A run's model for use elsewhere: ONNX, or safetensors with its configuration.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use kenami_domain::run_config::{Attention, LossName, RunConfig};
use safetensors::SafeTensors;
use serde::Serialize;

use crate::{
    attention,
    error::{Error, Result},
    files::write_atomically,
    models::{self, Weights},
    onnx,
    run::{MODEL, SavedModel},
};

/// The description beside exported safetensors.
const CONFIG: &str = "config.json";

/// What a model is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelFormat {
    /// One file for onnxruntime and others: [`onnx`].
    Onnx,
    /// A folder with `model.safetensors` and `config.json`.
    Safetensors,
}

impl fmt::Display for ModelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Onnx => "onnx",
            Self::Safetensors => "safetensors",
        })
    }
}

/// Writes the model of a run's folder: to the file `out` as ONNX, to the folder `out` as safetensors.
///
/// # Errors
/// The folder has no whole model, its network cannot be written in this format, or the output cannot be written.
pub fn export_model(run_dir: &Path, format: ModelFormat, out: &Path) -> Result<()> {
    let path = run_dir.join(MODEL);
    let bytes = fs::read(&path).map_err(Error::io(&path))?;
    match format {
        ModelFormat::Onnx => {
            let model = to_onnx(&bytes)?;
            write_atomically(out, |file| file.write_all(&model))
        }
        ModelFormat::Safetensors => {
            let config = description(&bytes)?;
            fs::create_dir_all(out).map_err(Error::io(out))?;
            write_atomically(&out.join(MODEL), |file| file.write_all(&bytes))?;
            write_atomically(&out.join(CONFIG), |file| {
                serde_json::to_writer_pretty(&mut *file, &config)?;
                file.write_all(b"\n")
            })
        }
    }
}

/// `config.json`: what one needs besides tensors. The tensors are the network's own under `trunk.`, in PyTorch's shapes,
/// `heads.ATTRIBUTE.weight` and `.bias`, and `attention.weight`, `[masks, channels]`, where there is attention.
#[derive(Debug, Serialize)]
struct Description {
    /// The network, by torchvision's or timm's name.
    architecture: String,
    /// Side of the square that it sees, cut from the centre of the photo resized to `image_size * 256 / 224`.
    image_size: u32,
    /// Per colour, of values from 0 to 1.
    mean: [f32; 3],
    /// Per colour, of values from 0 to 1.
    std: [f32; 3],
    attention: Attention,
    heads: BTreeMap<String, HeadDescription>,
    /// The run's configuration, as TOML.
    run: String,
}

#[derive(Debug, Serialize)]
struct HeadDescription {
    labels: Vec<String>,
    /// Softmax makes probabilities of logits; for `bce`, sigmoids brought to sum 1.
    loss: LossName,
    /// What logits are divided by before that.
    temperature: f64,
}

fn read(bytes: &[u8]) -> Result<(SavedModel, RunConfig)> {
    let wrong = || Error::Run(format!("this is not a run's {MODEL}: it does not describe its heads"));
    let saved = SavedModel::read(bytes).ok_or_else(wrong)?;
    let config = RunConfig::from_toml(&saved.config)?;
    Ok((saved, config))
}

fn description(bytes: &[u8]) -> Result<Description> {
    let (saved, config) = read(bytes)?;
    let heads = saved.heads.into_iter().map(|head| {
        let described = HeadDescription { labels: head.labels, loss: head.loss, temperature: head.temperature };
        (head.attribute, described)
    });
    Ok(Description {
        architecture: config.model.name.to_string(),
        image_size: config.evaluation_size(),
        mean: saved.normalisation.mean.map(share),
        std: saved.normalisation.deviation.map(share),
        attention: config.model.attention,
        heads: heads.collect(),
        run: saved.config,
    })
}

/// Of a pixel's range.
fn share(value: f32) -> f32 {
    value / 255.0
}

/// The content of a run's `model.safetensors` as an ONNX model.
fn to_onnx(bytes: &[u8]) -> Result<Vec<u8>> {
    let (saved, config) = read(bytes)?;
    let name = config.model.name;
    let graph = models::graph(name).map_err(|_| Error::Unavailable {
        what: format!("{name} as onnx"),
        available: "safetensors; onnx for all other networks".to_owned(),
    })?;
    let weights = Weights::from_bytes(name, bytes)?;
    let parameters = graph.parameters.iter().map(|spec| weights.values(&spec.name)).collect::<Result<Vec<_>>>()?;
    let file =
        SafeTensors::deserialize(bytes).map_err(|error| Error::Run(format!("{MODEL} cannot be read: {error}")))?;
    let tensor = |name: &str| -> Result<Vec<f32>> {
        let view = file.tensor(name).map_err(|_| Error::Run(format!("{MODEL} has no tensor {name}")))?;
        Ok(view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    };
    let attention = match config.model.attention {
        Attention::None => None,
        Attention::Single | Attention::Multi => Some(tensor(attention::WEIGHT)?),
    };
    let values = saved.heads.iter().map(|head| {
        let part = |part: &str| tensor(&format!("heads.{}.{part}", head.attribute));
        Ok((part("weight")?, part("bias")?))
    });
    let values = values.collect::<Result<Vec<_>>>()?;
    let heads = saved.heads.iter().zip(&values).map(|(head, (weight, bias))| onnx::Head {
        attribute: &head.attribute,
        labels: &head.labels,
        loss: head.loss,
        temperature: head.temperature,
        weight,
        bias,
    });
    onnx::encode(&onnx::Model {
        graph: &graph,
        parameters: &parameters,
        size: config.evaluation_size() as usize,
        mean: saved.normalisation.mean.map(share),
        deviation: saved.normalisation.deviation.map(share),
        attention: attention.as_deref(),
        heads: heads.collect(),
    })
}

#[cfg(test)]
mod tests;
