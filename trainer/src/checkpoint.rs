//! Where a run stands after an epoch: weights, optimiser and curves in one safetensors file.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use kenami_domain::metrics::CurveRow;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    files::write_atomically,
    schedule::Plateau,
    stop::Progress,
};

const FILE: &str = "checkpoint.safetensors";
const STATE: &str = "state";

/// What a checkpoint knows besides tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// blake3 of dataset, configuration and weights: a checkpoint of another run is not taken.
    pub identity: String,
    /// Epochs done.
    pub epoch: u32,
    /// Optimiser steps done.
    pub steps: u64,
    /// Curves so far.
    pub rows: Vec<CurveRow>,
    /// What the schedule remembers.
    pub plateau: Option<Plateau>,
    /// Updates of the moving average of the weights.
    pub averaged: u64,
    /// What `[stop]` remembers.
    #[serde(default)]
    pub stop: Progress,
}

impl State {
    /// Before the first epoch.
    pub(crate) fn new(identity: String) -> Self {
        Self { identity, epoch: 0, steps: 0, rows: Vec::new(), plateau: None, averaged: 0, stop: Progress::default() }
    }
}

/// The checkpoint's path in a run's folder.
pub(crate) fn path(out_dir: &Path) -> PathBuf {
    out_dir.join(FILE)
}

/// Writes the checkpoint in place of the last one.
pub(crate) fn save(out_dir: &Path, state: &State, tensors: Vec<(String, Tensor)>) -> Result<()> {
    let json = serde_json::to_string(state).expect("a state is plain data");
    let metadata = HashMap::from([(STATE.to_owned(), json)]);
    let bytes = safetensors::serialize(tensors, Some(metadata))
        .map_err(|error| Error::Run(format!("cannot write a checkpoint: {error}")))?;
    write_atomically(&path(out_dir), |file| file.write_all(&bytes))
}

/// A checkpoint's tensors by name.
pub(crate) struct Tensors {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Tensors {
    /// The tensor of that name.
    pub(crate) fn find(&self, name: &str) -> Result<Tensor> {
        let tensor = self.tensors.get(name).cloned();
        tensor.ok_or_else(|| Error::Run(format!("{} cannot be read: it has no tensor {name}", self.path.display())))
    }
}

/// Reads the checkpoint of the same run; `None` where there is none.
pub(crate) fn load(out_dir: &Path, identity: &str) -> Result<Option<(State, Tensors)>> {
    let path = path(out_dir);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io(&path)(error)),
    };
    let damaged = |reason: String| Error::Run(format!("{} cannot be read: {reason}", path.display()));
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let json = metadata.metadata().as_ref().and_then(|fields| fields.get(STATE));
    let json = json.ok_or_else(|| damaged("it has no state".to_owned()))?;
    let state: State = serde_json::from_str(json).map_err(|error| damaged(error.to_string()))?;
    if state.identity != identity {
        return Ok(None);
    }
    let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)?;
    Ok(Some((state, Tensors { path, tensors })))
}
