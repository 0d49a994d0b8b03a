//! Kenami's rules without I/O: the same code decides on the server and in the browser.
//!
//! - [`schema`]: attributes, their values, texts in several languages, priors.
//! - [`answer`]: what an annotator may say of one attribute of one photo.
//! - [`metrics`]: what a run measured.
//! - [`roles`]: who may do what.
//! - [`dataset`]: the rows of an exported dataset, as the trainer and other programs read them.
//! - [`run_config`]: what a run does.
//! - [`view`]: what pages and REST show.

pub mod answer;
pub mod dataset;
pub mod metrics;
pub mod roles;
pub mod run_config;
pub mod schema;
pub mod view;
