//! Kenami's operations on PostgreSQL, one module an aggregate.
//!
//! Every operation is a function that takes the acting user first, checks its rights through [`rights::require`] (the
//! one place where rights are decided) and then does its work, in a transaction where there is more than one statement.
//! Pages and REST are thin doors to these functions.

pub mod actor;
pub mod annotate;
mod audit;
mod cards;
mod catalog;
mod counts;
pub mod curves;
pub mod datasets;
pub mod db;
mod doubts;
pub mod error;
pub mod experiments;
pub mod gold;
pub mod grid;
pub mod guidelines;
pub mod jobs;
pub mod labels;
pub mod links;
pub mod members;
pub mod oversight;
mod passwords;
pub mod people;
pub mod photos;
pub mod preferences;
pub mod projects;
pub mod queue;
pub mod quiz;
pub mod reports;
pub mod review;
pub mod rights;
pub mod rounds;
pub mod runs;
pub mod schema;
pub mod schema_changes;
mod secrets;
mod slots;
pub mod suggestions;
pub mod tokens;
mod votes;
