//! Predicting from a run's folder alone.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use candle_core::{Device, Tensor, Var};
use kenami_domain::run_config::{Attention, ModelName, RunConfig};
use rayon::prelude::*;
use safetensors::SafeTensors;

use crate::{
    attention::{self, SpatialPool},
    calibrate::tempered,
    data::{Preprocessing, prepare},
    error::{Error, Result},
    explain::Method,
    heads::LinearHead,
    inside::{self, Explanation},
    models::{self, GraphTrunk, Trunk, Weights, Workspace},
    observer::{Event, Observer},
    run::{MODEL, SavedHead, SavedModel, ranked},
};

/// Photos between two progress events.
const PROGRESS: usize = 32;

/// What a model says of one photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The photo's file name.
    pub image: String,
    /// Per attribute: all values with their probability, most likely first.
    pub heads: BTreeMap<String, Vec<(String, f64)>>,
}

/// A trained model, ready to predict.
pub struct Predictor {
    trunk: Box<dyn Trunk>,
    preprocessing: Preprocessing,
    heads: Vec<(SavedHead, LinearHead)>,
    name: ModelName,
    /// What a network for a look inside is made of, where the trunk is none itself.
    spare: Option<Weights>,
    pool: Option<SpatialPool>,
    opened: OnceLock<GraphTrunk>,
}

impl Predictor {
    /// Opens a run's folder.
    ///
    /// # Errors
    /// The folder has no whole model.
    pub fn open(run_dir: impl AsRef<Path>) -> Result<Self> {
        let path = run_dir.as_ref().join(MODEL);
        Self::from_bytes(&fs::read(&path).map_err(Error::io(&path))?)
    }

    /// From the content of a run's `model.safetensors`.
    ///
    /// # Errors
    /// It is no run's model.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let wrong = |what: &str| Error::Run(format!("this is not a run's {MODEL}: {what}"));
        let saved = SavedModel::read(bytes).ok_or_else(|| wrong("it does not describe its heads"))?;
        let config = RunConfig::from_toml(&saved.config)?;
        let weights = Weights::from_bytes(config.model.name, bytes)?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| wrong(&error.to_string()))?;
        let tensor = |name: String, shape: &[usize]| -> Result<Var> {
            let view = file.tensor(&name).map_err(|_| wrong(&format!("no tensor {name}")))?;
            if view.shape() != shape {
                return Err(wrong(&format!("{name} has shape {:?}, not {shape:?}", view.shape())));
            }
            let values: Vec<f32> =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            Ok(Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu)?)?)
        };
        let pool = match config.model.attention {
            Attention::None => None,
            kind => {
                let masks = if kind == Attention::Single { 1 } else { config.model.attention_masks as usize };
                let channels = models::graph(config.model.name)?.features();
                Some(SpatialPool::with_weight(tensor(attention::WEIGHT.to_owned(), &[masks, channels])?.as_tensor())?)
            }
        };
        let trunk = models::build_pooled(config.model.name, &weights, pool.as_ref())?;
        let trunk = if config.evaluate.flip { models::mirrored(trunk) } else { trunk };
        let width = trunk.features();
        let heads = saved.heads.into_iter().map(|head| {
            let classes = head.labels.len();
            let weight = tensor(format!("heads.{}.weight", head.attribute), &[classes, width])?;
            let bias = tensor(format!("heads.{}.bias", head.attribute), &[classes])?;
            Ok((head, LinearHead { weight, bias }))
        });
        let heads = heads.collect::<Result<_>>()?;
        let preprocessing = models::preprocessing(&weights, config.evaluation_size());
        let spare = trunk.network().is_none().then_some(weights);
        Ok(Self { trunk, preprocessing, heads, name: config.model.name, spare, pool, opened: OnceLock::new() })
    }

    /// The heads alone, and what they take is pooled by, where that was trained.
    pub(crate) fn into_heads(self) -> (Vec<(SavedHead, LinearHead)>, Option<SpatialPool>) {
        (self.heads, self.pool)
    }

    /// Attributes and their values, in the model's order.
    pub fn heads(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.heads.iter().map(|(head, _)| (head.attribute.as_str(), head.labels.as_slice()))
    }

    /// Predicts photos given by name and bytes, in parallel; one photo's failure is its own.
    pub fn predict(&self, photos: &[(String, Vec<u8>)]) -> Vec<Result<Prediction>> {
        let one = |workspace: &mut Workspace, (name, bytes): &(String, Vec<u8>)| self.one(workspace, name, bytes);
        photos.par_iter().map_init(Workspace::default, one).collect()
    }

    /// Where in a photo the model sees what speaks for `value` of `attribute`.
    ///
    /// # Errors
    /// The model has no such head or value, the photo cannot be read, or the network has no map (DINOv2).
    pub fn explain(&self, photo: &[u8], attribute: &str, value: &str, method: Method) -> Result<Explanation> {
        let head = self.heads.iter().find(|(head, _)| head.attribute == attribute);
        let (head, linear) = head.ok_or_else(|| Error::Run(format!("the model has no head {attribute}")))?;
        let class = head.labels.iter().position(|label| label == value);
        let class = class.ok_or_else(|| Error::Run(format!("the model's head {attribute} has no value {value}")))?;
        let network = self.network()?;
        let seen = inside::seen(network, &self.preprocessing, ("the photo", photo))?;
        inside::explain(network, linear, class, seen, method)
    }

    fn network(&self) -> Result<&GraphTrunk> {
        if let Some(network) = self.trunk.network().or_else(|| self.opened.get()) {
            return Ok(network);
        }
        let weights = self.spare.as_ref().expect("weights are kept where the trunk is no network");
        let network = GraphTrunk::of(self.name, weights, self.pool.as_ref())?;
        Ok(self.opened.get_or_init(|| network))
    }

    fn one(&self, workspace: &mut Workspace, name: &str, bytes: &[u8]) -> Result<Prediction> {
        let pixels =
            prepare(bytes, &self.preprocessing).map_err(|reason| Error::Image { image: name.to_owned(), reason })?;
        let mut features = vec![0.0; self.trunk.features()];
        self.trunk.forward(&pixels, self.preprocessing.size as usize, workspace, &mut features)?;
        let width = features.len();
        let features = Tensor::from_vec(features, (1, width), &Device::Cpu)?;
        let heads = self.heads.iter().map(|(head, linear)| {
            let logits = linear.forward(&features)?.flatten_all()?.to_vec1::<f32>()?;
            Ok((head.attribute.clone(), ranked(&head.labels, &tempered(head.loss, &logits, head.temperature))))
        });
        Ok(Prediction { image: name.to_owned(), heads: heads.collect::<Result<_>>()? })
    }
}

/// Predicts files with the model of a run's folder, in the order given. A file that is no photo is a warning, not an
/// error, as long as another one is.
///
/// # Errors
/// The folder has no model, no file could be read, or the observer cancelled.
pub fn predict(run_dir: &Path, images: &[PathBuf], observer: &dyn Observer) -> Result<Vec<Prediction>> {
    let predictor = Predictor::open(run_dir)?;
    let done = AtomicUsize::new(0);
    let one = |workspace: &mut Workspace, path: &PathBuf| {
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let outcome = fs::read(path).map_err(Error::io(path)).and_then(|bytes| predictor.one(workspace, &name, &bytes));
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(PROGRESS) || done == images.len() {
            observer.event(Event::Features { done, total: images.len(), cached: 0 });
        }
        outcome
    };
    let outcomes: Vec<Result<Prediction>> = images.par_iter().map_init(Workspace::default, one).collect();
    let mut predictions = Vec::with_capacity(outcomes.len());
    for outcome in outcomes {
        match outcome {
            Ok(prediction) => predictions.push(prediction),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => observer.event(Event::Warning(error.to_string())),
        }
    }
    if predictions.is_empty() {
        return Err(Error::Run("none of the files is a photo that can be read".to_owned()));
    }
    Ok(predictions)
}

/// Writes `image,attribute,answer,probability`: the first answer of each head.
///
/// # Errors
/// The output cannot be written.
pub fn write_predictions_csv(out: impl Write, predictions: &[Prediction]) -> std::io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(["image", "attribute", "answer", "probability"])?;
    for prediction in predictions {
        for (attribute, ranked) in &prediction.heads {
            if let Some((answer, probability)) = ranked.first() {
                csv.write_record([&prediction.image, attribute, answer, &format!("{probability:.6}")])?;
            }
        }
    }
    csv.flush()
}
