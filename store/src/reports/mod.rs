//! How annotators work, and how far the project is: for leads; everybody sees their own report.

mod annotator;
mod annotators;
mod attributes;
mod progress;

pub use annotator::{annotator, mine};
pub use annotators::annotators;
pub use progress::progress;
