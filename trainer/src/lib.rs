//! Kenami's trainer: multitask fine-grained classification of photos.
//!
//! [`train`] reads a frozen [`Dataset`], computes (or finds in the cache) the pooled features of a pretrained trunk, or trains
//! the trunk as well, trains one linear head per attribute, and leaves a folder with metrics, weights, predictions and curves. [`predict`] needs
//! nothing but that folder. The trainer knows no database and no web.
//!
//! - [`data`]: datasets, decoding, targets and masks, the loader; [`augment`]: what happens to training photos.
//! - [`models`]: networks and their weights; [`graph`]: running and training them; [`ops`]: the operations they are made of.
//! - [`features`]: features of the frozen trunk and their cache.
//! - [`heads`], [`attention`], [`losses`], [`sampler`], [`optim`], [`ema`], [`schedule`], [`lr_finder`]: training.
//! - [`evaluate`]: a head's figures on a split; [`calibrate`]: temperature scaling; [`explain`]: Grad-CAM; [`report`]: what a
//!   run leaves to read; [`folds`]: out-of-sample predictions.
//! - [`pseudo`], [`auxiliary`]: photos without labels and from other sets.

pub mod attention;
pub mod augment;
pub mod auxiliary;
pub mod calibrate;
mod checkpoint;
pub mod data;
mod device;
pub mod ema;
mod error;
pub mod evaluate;
pub mod experiment;
pub mod explain;
pub mod features;
mod files;
mod fine_tune;
pub mod folds;
pub mod graph;
pub mod heads;
mod inside;
pub mod losses;
pub mod lr_finder;
mod model_export;
pub mod models;
mod observer;
pub mod onnx;
pub mod ops;
pub mod optim;
mod predict;
pub mod pseudo;
mod random;
pub mod report;
mod round;
mod run;
pub mod sampler;
pub mod schedule;
mod stop;
pub mod tensorboard;
mod train;

pub use data::Dataset;
pub use error::{Error, Result};
pub use inside::Explanation;
pub use model_export::{ModelFormat, export_model};
pub use models::WeightsInput;
pub use observer::{Event, Observer, Silent};
pub use predict::{Prediction, Predictor, predict, write_predictions_csv};
pub use train::{TrainRequest, check_available, find_lr, train};
