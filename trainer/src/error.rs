//! What can go wrong in training and predicting.

use std::path::{Path, PathBuf};

/// A failure of the trainer, as one sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The observer asked to stop; the last epoch's checkpoint stays.
    #[error("the run was cancelled")]
    Cancelled,
    /// The configuration asks for what this version cannot do.
    #[error("{what} is not available in this version; available: {available}")]
    Unavailable {
        /// The key and the word.
        what: String,
        /// The words that are available.
        available: String,
    },
    /// The configuration contradicts itself or its ranges.
    #[error("configuration: {0}")]
    Config(#[from] kenami_domain::run_config::ConfigError),
    /// The dataset cannot be trained on.
    #[error("dataset: {0}")]
    Dataset(String),
    /// One photo cannot be read.
    #[error("{image}: {reason}")]
    Image {
        /// The photo's path in the dataset or on disk.
        image: String,
        /// Why.
        reason: String,
    },
    /// The pretrained weights cannot be had or do not fit the network.
    #[error("weights: {0}")]
    Weights(String),
    /// The loss is no longer a number.
    #[error("the loss of head `{head}` became {loss} in epoch {epoch}, step {step}: lower optimizer.lr ({lr})")]
    Diverged {
        /// The head whose loss it is.
        head: String,
        /// Its value.
        loss: f32,
        /// Epoch from 1.
        epoch: u32,
        /// Step in the epoch, from 1.
        step: usize,
        /// The learning rate of that step.
        lr: f64,
    },
    /// A run's folder cannot be used for predicting.
    #[error("run: {0}")]
    Run(String),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A network's description cannot be run.
    #[error("network: {0}")]
    Network(String),
    /// The tensor library failed.
    #[error("tensor: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    /// For `map_err`: an input or output error at `path`.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The trainer's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
