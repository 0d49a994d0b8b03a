//! The run's folder: what is written when training is over.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{self, Write},
    path::Path,
};

use candle_core::{Device, Tensor};
use kenami_domain::{
    metrics::{CurveRow, Metrics, PseudoLabels, Timing},
    run_config::RunConfig,
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::{
    attention::{self, SpatialPool},
    checkpoint,
    data::{Dataset, HeadData, file_name},
    error::{Error, Result},
    features::Features,
    files::write_atomically,
    folds,
    heads::LinearHead,
    inside::RunExplainer,
    models::{self, GraphTrunk, Normalisation, TRUNK_PREFIX, Trunk, Weights, Workspace},
    predict::Prediction,
    report::{self, Explainer, ReportInput, ScoredHead},
};

/// The run's weights: trunk and heads.
pub(crate) const MODEL: &str = "model.safetensors";
/// Key of a model's description in the file's metadata.
pub(crate) const METADATA: &str = "kenami";
/// Maps of the frozen part, where there is no cache between runs.
pub(crate) const MAPS: &str = "maps";
/// The first round's run, where a second one follows.
pub(crate) const FIRST_ROUND: &str = "first_round";
const METRICS: &str = "metrics.json";
const CONFIG: &str = "config.toml";
const PREDICTIONS: &str = "predictions.csv";
const CURVES: &str = "curves.csv";

/// Removes an earlier run's results, so that what lies in the folder is of this run; the checkpoint stays for `resume`.
pub(crate) fn clear(out_dir: &Path, resume: bool) -> Result<()> {
    let mut stale = vec![METRICS, MODEL, CONFIG, PREDICTIONS, CURVES, folds::FILE]
        .into_iter()
        .map(|f| out_dir.join(f))
        .collect::<Vec<_>>();
    if !resume {
        stale.push(checkpoint::path(out_dir));
    }
    for path in stale {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::io(&path)(error)),
            _ => {}
        }
    }
    report::clear(out_dir)
}

/// Writes metrics.json: its presence says that the run is complete.
pub(crate) fn write_metrics(out_dir: &Path, metrics: &Metrics) -> Result<()> {
    write_atomically(&out_dir.join(METRICS), |file| {
        serde_json::to_writer_pretty(&mut *file, metrics)?;
        file.write_all(b"\n")
    })
}

/// The results in a run's folder by their paths with `/`, in order; not what only training needs.
pub(crate) fn files(out_dir: &Path) -> Result<Vec<String>> {
    let mut found = vec![METRICS.to_owned()];
    let mut folders = vec![String::new()];
    while let Some(folder) = folders.pop() {
        let path = out_dir.join(&folder);
        for entry in fs::read_dir(&path).map_err(Error::io(&path))? {
            let entry = entry.map_err(Error::io(&path))?;
            let name = format!("{folder}{}", entry.file_name().to_string_lossy());
            if entry.file_type().map_err(Error::io(&path))?.is_dir() {
                if !TRAINING_ONLY.contains(&name.as_str()) {
                    folders.push(format!("{name}/"));
                }
            } else if name != METRICS && entry.path() != checkpoint::path(out_dir) {
                found.push(name);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What a finished run's model says of the photos of its dataset.
///
/// # Errors
/// The folder has no predictions.
pub(crate) fn read_predictions(run_dir: &Path) -> Result<Vec<Prediction>> {
    #[derive(serde::Deserialize)]
    struct Row {
        image: String,
        attribute: String,
        answer: String,
        probability: f64,
    }
    let path = run_dir.join(PREDICTIONS);
    let failed = |error: csv::Error| Error::Run(format!("cannot read {}: {error}", path.display()));
    let mut predictions: Vec<Prediction> = Vec::new();
    for row in csv::Reader::from_path(&path).map_err(failed)?.deserialize() {
        let row: Row = row.map_err(failed)?;
        // A photo's rows follow each other.
        if predictions.last().is_none_or(|last| last.image != row.image) {
            predictions.push(Prediction { image: row.image, heads: BTreeMap::new() });
        }
        let heads = predictions.last_mut().map(|last| &mut last.heads).expect("just pushed");
        heads.entry(row.attribute).or_default().push((row.answer, row.probability));
    }
    Ok(predictions)
}

/// Folders in a run's folder that are no results.
const TRAINING_ONLY: [&str; 2] = [MAPS, FIRST_ROUND];

/// Everything that a finished run knows.
pub(crate) struct Outcome<'a> {
    pub dataset: &'a Dataset,
    pub config: &'a RunConfig,
    pub heads: &'a [HeadData],
    pub trained: &'a [LinearHead],
    pub features: &'a Features,
    pub weights: &'a Weights,
    pub trunk: &'a dyn Trunk,
    /// What pooled the features, where that was trained.
    pub pool: Option<&'a SpatialPool>,
    pub curves: &'a [CurveRow],
    /// What a second round learnt from.
    pub pseudo: Option<&'a PseudoLabels>,
    /// The first round's predictions of what the second was taught to say.
    pub taken: &'a [Prediction],
}

impl Outcome<'_> {
    /// Writes weights, configuration, curves and predictions, and computes the heads' figures.
    pub(crate) fn write(&self, out_dir: &Path) -> Result<Metrics> {
        let scored = self.score()?;
        let config = self.config.to_toml();
        write_atomically(&out_dir.join(CONFIG), |file| file.write_all(config.as_bytes()))?;
        self.write_model(&out_dir.join(MODEL), &scored)?;
        write_atomically(&out_dir.join(CURVES), |file| write_rows(file, self.curves.iter()))?;
        write_atomically(&out_dir.join(PREDICTIONS), |file| self.write_predictions(file, &scored))?;
        let opened = match self.trunk.network() {
            None if self.config.evaluate.explain > 0 => {
                Some(GraphTrunk::of(self.config.model.name, self.weights, self.pool)?)
            }
            _ => None,
        };
        let network = opened.as_ref().or_else(|| self.trunk.network());
        let explainer = network.map(|network| RunExplainer {
            dataset: self.dataset,
            preprocessing: models::preprocessing(self.weights, self.config.evaluation_size()),
            network,
            heads: self.trained,
        });
        let input = ReportInput {
            dataset: self.dataset,
            config: self.config,
            heads: &scored,
            curves: self.curves,
            timing: Some(self.timing()?),
            explainer: explainer.as_ref().map(|explainer| explainer as &dyn Explainer),
            pseudo: self.pseudo,
        };
        report::write(out_dir, &input)
    }

    /// What each head says of every photo, with its temperature.
    fn score(&self) -> Result<Vec<ScoredHead>> {
        let Features { values, width, .. } = self.features;
        let features = Tensor::from_slice(values, (values.len() / width, *width), &Device::Cpu)?;
        let one = |(trained, head): (&LinearHead, &HeadData)| {
            let mut scored = ScoredHead::new(head, trained.forward(&features)?.flatten_all()?.to_vec1::<f32>()?);
            if self.config.evaluate.temperature {
                scored.calibrate(&self.dataset.items);
            }
            Ok(scored)
        };
        self.trained.iter().zip(self.heads).map(one).collect()
    }

    /// Time of trunk and heads for one photo.
    fn timing(&self) -> Result<Timing> {
        let side = self.config.evaluation_size() as usize;
        // Any photo will do: the network's time does not depend on what is on it.
        let pixels: Vec<u8> = (0..side * side * 3).map(|i| (i * 37 % 251) as u8).collect();
        let mut workspace = Workspace::default();
        let mut features = vec![0.0; self.trunk.features()];
        report::time_passes(|| {
            self.trunk.forward(&pixels, side, &mut workspace, &mut features)?;
            let features = Tensor::from_slice(&features, (1, features.len()), &Device::Cpu)?;
            self.trained.iter().try_for_each(|head| head.forward(&features).map(drop))
        })
    }

    /// Every value of every head of every photo, most likely first: the model's; the first round's where the model has learnt
    /// that one's own answer, which says nothing of how sure it can be.
    fn write_predictions(&self, file: &mut dyn Write, scored: &[ScoredHead]) -> io::Result<()> {
        let taken: HashMap<&str, &Prediction> = self.taken.iter().map(|p| (p.image.as_str(), p)).collect();
        let mut csv = csv::Writer::from_writer(file);
        csv.write_record(["image", "split", "attribute", "answer", "probability", "rank"])?;
        for (i, item) in self.dataset.items.iter().enumerate() {
            for head in scored {
                let earlier = taken.get(file_name(&item.image)).and_then(|taken| taken.heads.get(&head.attribute));
                let values = earlier.cloned().unwrap_or_else(|| ranked(&head.labels, &head.probabilities(i)));
                for (rank, (label, probability)) in values.into_iter().enumerate() {
                    csv.write_record([
                        file_name(&item.image),
                        item.split.as_str(),
                        &head.attribute,
                        &label,
                        &format!("{probability:.6}"),
                        &(rank + 1).to_string(),
                    ])?;
                }
            }
        }
        csv.flush()
    }

    /// Trunk, attention and heads, with everything that predicting needs in the metadata.
    fn write_model(&self, path: &Path, scored: &[ScoredHead]) -> Result<()> {
        let metadata = SavedModel {
            config: self.config.to_toml(),
            heads: scored.iter().map(SavedHead::of).collect(),
            normalisation: self.weights.normalisation,
        };
        // One entry: several would be written in an order of their own each time.
        let metadata = serde_json::to_string(&metadata).expect("a model's description is plain data");
        let metadata = HashMap::from([(METADATA.to_owned(), metadata)]);
        let failed =
            |error: safetensors::SafeTensorError| Error::Run(format!("cannot write {}: {error}", path.display()));
        let mut bytes: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        let of_heads = self.heads.iter().zip(self.trained).flat_map(|(head, trained)| {
            let name = |part: &str| format!("heads.{}.{part}", head.attribute);
            [(name("weight"), &trained.weight), (name("bias"), &trained.bias)]
        });
        let of_masks = self.pool.and_then(SpatialPool::weight).map(|weight| (attention::WEIGHT.to_owned(), weight));
        for (name, var) in of_heads.chain(of_masks) {
            let values = var.as_tensor().flatten_all()?.to_vec1::<f32>()?;
            let raw = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            bytes.push((name, Dtype::F32, var.dims().to_vec(), raw));
        }
        let mut views = Vec::new();
        for (name, dtype, shape, raw) in &bytes {
            views.push((name.clone(), TensorView::new(*dtype, shape.clone(), raw).map_err(failed)?));
        }
        for (name, stored) in &self.weights.tensors {
            let view = TensorView::new(stored.dtype, stored.shape.clone(), &stored.bytes).map_err(failed)?;
            views.push((format!("{TRUNK_PREFIX}{name}"), view));
        }
        let file = safetensors::serialize(views, Some(metadata)).map_err(failed)?;
        write_atomically(path, |out| out.write_all(&file))
    }
}

/// What `model.safetensors` says besides tensors, as JSON under [`METADATA`].
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct SavedModel {
    /// The resolved configuration as TOML.
    pub config: String,
    pub heads: Vec<SavedHead>,
    /// What the trunk expects of a photo's colours.
    pub normalisation: Normalisation,
}

impl SavedModel {
    /// Reads the description of a run's model; `None` where the file is not one.
    pub(crate) fn read(file: &[u8]) -> Option<Self> {
        let (_, header) = SafeTensors::read_metadata(file).ok()?;
        serde_json::from_str(header.metadata().as_ref()?.get(METADATA)?).ok()
    }
}

/// A head as described in the model's metadata.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct SavedHead {
    pub attribute: String,
    pub labels: Vec<String>,
    pub loss: kenami_domain::run_config::LossName,
    /// What logits are divided by before they become probabilities.
    #[serde(default = "one")]
    pub temperature: f64,
}

fn one() -> f64 {
    1.0
}

impl SavedHead {
    fn of(head: &ScoredHead) -> Self {
        Self {
            attribute: head.attribute.clone(),
            labels: head.labels.clone(),
            loss: head.loss,
            temperature: head.temperature.unwrap_or(1.0),
        }
    }
}

/// Labels with probabilities, most likely first; equal ones in the labels' order.
pub(crate) fn ranked(labels: &[String], probabilities: &[f64]) -> Vec<(String, f64)> {
    let mut ranked: Vec<_> = labels.iter().cloned().zip(probabilities.iter().copied()).collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
}

fn write_rows<'a>(file: &mut dyn Write, rows: impl Iterator<Item = &'a CurveRow>) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    for row in rows {
        csv.serialize(row)?;
    }
    csv.flush()
}
