//! Kenami's trainer: multitask fine-grained classification of photos.
//!
//! [`train`] reads a frozen [`Dataset`], computes (or finds in the cache) the pooled features of a pretrained trunk, trains
//! one linear head per attribute, and leaves a folder with metrics, weights, predictions and curves. [`predict`] needs
//! nothing but that folder. The trainer knows no database and no web.
//!
//! - [`data`]: datasets, decoding, targets and masks.
//! - [`models`]: networks and their weights; [`ops`]: the operations they are made of.
//! - [`features`]: features of the frozen trunk and their cache.
//! - [`heads`], [`attention`], [`losses`], [`sampler`], [`optim`], [`ema`], [`schedule`], [`lr_finder`]: training.
//! - [`evaluate`]: a head's figures on a split.

pub mod attention;
mod checkpoint;
pub mod data;
pub mod ema;
mod error;
pub mod evaluate;
pub mod features;
mod files;
pub mod graph;
pub mod heads;
pub mod losses;
pub mod lr_finder;
pub mod models;
mod observer;
pub mod ops;
pub mod optim;
mod predict;
mod random;
mod run;
pub mod sampler;
pub mod schedule;
mod train;

pub use data::Dataset;
pub use error::{Error, Result};
pub use models::WeightsInput;
pub use observer::{Event, Observer, Silent};
pub use predict::{Prediction, Predictor, predict, write_predictions_csv};
pub use train::{TrainRequest, check_available, train};
