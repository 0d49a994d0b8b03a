//! Kenami's rules without I/O: the same code decides on the server and in the browser.
//!
//! - [`schema`]: attributes, their values, texts in several languages, priors.
//! - [`answer`]: what an annotator may say of one attribute of one photo.
//! - [`metrics`]: what a run measured.
//! - [`keys`]: what keys mean on the pages on which photos are answered.
//! - [`language`]: the languages that pages speak.
//! - [`roles`]: who may do what.
//! - [`dataset`]: the rows of an exported dataset, as the trainer and other programs read them.
//! - [`run_config`]: what a run does.
//! - [`view`]: what pages and REST show.
//! - [`agreement`]: how far annotators agree.
//! - [`consensus`]: one answer from several.
//! - [`statistics`]: intervals and tests.
//! - [`error_analysis`]: what a run gets wrong, and whether one mistake explains another.
//! - [`experiment`]: variants of a configuration compared over seeds; [`learning_curve`]: what more labels would bring.
//! - [`targets`]: what a head is trained towards.
//! - [`csvio`]: the CSV files of votes, labels and probabilities.
//! - [`freeze`]: a dataset from photos, votes and decisions.
//! - [`gold`]: photos whose answer is known, mixed in among the others.
//! - [`label_issues`]: labels that a model contradicts with confidence.
//! - [`names`]: file names for exported photos.
//! - [`split`]: train, validation and test.
//! - [`votes`]: a compact table of votes.

pub mod agreement;
pub mod answer;
pub mod consensus;
pub mod csvio;
pub mod dataset;
pub mod error_analysis;
pub mod experiment;
pub mod freeze;
pub mod gold;
pub mod keys;
pub mod label_issues;
pub mod language;
pub mod learning_curve;
pub mod metrics;
pub mod names;
pub mod roles;
pub mod run_config;
pub mod schema;
pub mod split;
pub mod statistics;
pub mod targets;
pub mod view;
pub mod votes;
