//! One module a page.

pub mod account;
pub mod agreement;
pub mod annotate;
pub mod annotators;
pub mod datasets;
pub mod disagreements;
pub mod gold;
pub mod grid;
pub mod guidelines;
pub mod import;
pub mod join;
pub mod members;
pub mod not_found;
pub mod overview;
pub mod pay;
pub mod progress;
pub mod project;
pub mod projects;
pub mod quiz;
pub mod rounds;
pub mod runs;
pub mod schema;
pub mod settings;
pub mod sign_in;
pub mod suggestions;
pub mod users;
