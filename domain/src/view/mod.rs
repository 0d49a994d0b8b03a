//! What pages and REST show, and what they send: plain data, one file per part of the product.
//!
//! Ids are the database's. Times are RFC 3339 in UTC.

pub mod annotate;
pub mod dataset;
pub mod errors;
pub mod experiment;
pub mod gold;
pub mod grid;
pub mod guidelines;
pub mod job;
pub mod people;
pub mod photo;
pub mod project;
pub mod queue;
pub mod quiz;
pub mod report;
pub mod review;
pub mod rounds;
pub mod run;
pub mod schema_change;
pub mod suggestions;

use serde::{Deserialize, Serialize};

/// One page of a long listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Give it back to get the next page; nothing on the last.
    pub next_cursor: Option<i64>,
}

impl<T> Page<T> {
    /// Makes a page from up to `limit + 1` rows: the extra row only says that there is a next page.
    pub fn from_rows(mut rows: Vec<T>, limit: usize, cursor: impl Fn(&T) -> i64) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(cursor) } else { None };
        Self { items: rows, next_cursor }
    }
}
